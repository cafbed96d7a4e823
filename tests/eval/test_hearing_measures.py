"""How hearing is measured: on doubles that hear what they are told to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollux.base.errors import ConfigError
from pollux.data.speech.shelf import Utterance
from pollux.data.speech.texts import Texts
from pollux.eval import hearing
from pollux.media.senses import RATE
from pollux.perception.percepts import Heard, Said


def said(*texts, seconds=1.0):
    return [Utterance(np.full(int(seconds * RATE), 0.1, np.float32), text, -1, 0.0) for text in texts]


class Ears:
    """Hears a word wherever sound begins after silence: its number."""

    def listen(self, blocks):
        samples = np.concatenate(list(blocks))
        begins = np.flatnonzero((samples[1:] > 0) & (samples[:-1] == 0)) / RATE
        words = tuple(Said(str(i), float(at) + 0.1, float(at) + 0.3) for i, at in enumerate(begins))
        yield Heard(0.0, samples.size / RATE, np.zeros(1, np.int32), words)


def test_each_utterance_gets_its_own_words():
    utterances = [one for seconds in (0.3, 2.0, 0.5) for one in said("x", seconds=seconds)]
    assert hearing.heard(Ears(), utterances) == ["0", "1", "2"]


def test_exact_and_ending():
    utterances = said("the secret keyword is oak", "the secret keyword is elm")
    replies = ["the secret keyword is oak", "a secret keyword is elm"]
    assert hearing.exact("all", replies, utterances).mean == 0.5
    found = hearing.ending("keyword", replies, utterances)
    assert (found.mean, found.n) == (1.0, 2) and found.low < 0.4
    assert hearing.ending("keyword", ["", "is"], utterances).mean == 0


def test_words_that_sound_alike_are_right():
    texts = Texts([], [], 0, [], {"too": "two", "to": "two"})
    assert hearing.alike("alike", ["two", "to", "tea"], said("too", "two", "two"), texts).mean == pytest.approx(2 / 3)


def test_shares_of_errors():
    by_word = hearing.errors("words", ["a b", "c"], said("a b", "c d"), by_word=True)
    assert (by_word.mean, by_word.n) == (0.25, 2) and by_word.low == 0 and by_word.high == 0.5
    assert hearing.errors("letters", ["abc"], said("abd"), by_word=False).mean == pytest.approx(1 / 3)
    with pytest.raises(ConfigError, match="nothing to be heard"):
        hearing.errors("none", [], [], by_word=True)


@pytest.mark.parametrize("ours, theirs, count", [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)])
def test_edits(ours, theirs, count):
    assert hearing.edits(ours, theirs) == hearing.edits(theirs, ours) == count


@given(*(st.text(alphabet="ab", max_size=6) for _ in range(3)))
def test_edits_are_a_distance(a, b, c):
    assert hearing.edits(a, c) <= hearing.edits(a, b) + hearing.edits(b, c)
    assert (hearing.edits(a, b) == 0) == (a == b)
