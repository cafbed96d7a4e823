"""Utterances are files that say what the answer says; errors are counted in words and in letters."""

import numpy as np
import pytest

from pollux.media import audio
from pollux.media.senses import RATE
from pollux.tasks.sensed.sounds.spoken import Spoken, character_errors, word_errors, words
from pollux.tasks.task import NoExample, Question

TEXTS = ["don't wait for me", "seven", "it rained all night", "the door was open"]
SAID = [(np.full(RATE * (n + 1), 0.1 * (n + 1), np.float32), text) for n, text in enumerate(TEXTS)]


def test_each_utterance_is_asked_once():
    task = Spoken(SAID)
    asked = {}
    for i in range(len(task)):
        example = task.example(i)
        (question,), (sound,) = example.questions, example.documents[0].segments
        samples = np.concatenate([part.samples for part in audio.listen(sound)])
        number = samples.size // RATE
        assert sound.duration == number and samples == pytest.approx(0.1 * number, abs=1e-4)
        assert question.text == "What is said at 00:00?"
        asked[question.answer] = number
    assert asked == {text: n + 1 for n, text in enumerate(TEXTS)}


def test_the_order_is_of_the_seed():
    order = [[Spoken(SAID * 5, seed).example(i).questions[0].answer for i in range(20)] for seed in (0, 0, 1)]
    assert order[0] == order[1] != order[2]


def test_what_is_heard_in_pieces_is_left_out():
    task = Spoken([(np.zeros(13 * RATE, np.float32), "long", 1, 100.0)])  # with what a shelf knows beside
    with pytest.raises(NoExample, match=r"12 s or less, got 13.0 s"):
        task.example(0)


@pytest.mark.parametrize(
    ("reply", "right", "by_word", "by_character"),
    [
        ("Don’t wait, for me!", 1, 0, 0),
        ("don't wait for me please", 0, 1 / 4, 7 / 17),
        ("don't wait four me", 0, 1 / 4, 1 / 17),
        ("don't", 0, 3 / 4, 12 / 17),
        ("", 0, 1, 1),
        ("somebody says a whole lot of other things", 0, 1, 1),
    ],
)
def test_scores(reply, right, by_word, by_character):
    question = Question("", TEXTS[0])
    assert Spoken(SAID).score(question, reply) == right
    assert word_errors(question, reply) == pytest.approx(by_word)
    assert character_errors(question, reply) == pytest.approx(by_character)


def test_words_are_as_they_are_heard():
    assert words("“Zoë's 3 cats -- 'tis so!”\n") == ["zoë's", "3", "cats", "tis", "so"]
