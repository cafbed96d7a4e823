"""What was heard is spelled as the word that the sound fits best; the likeliest way of saying it is found exactly."""

from itertools import product

import numpy as np
import pytest

from pollux.perception.audio.lexicon import ALPHABET, Lexicon, fits, shipped


def random_chances(steps, seed=0):
    logits = np.random.default_rng(seed).normal(size=(steps, len(ALPHABET) + 1)).astype(np.float32) * 2
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def plainly(text, wrong=-12.0):
    chances = np.full((len(text), len(ALPHABET) + 1), wrong, np.float32)
    chances[np.arange(len(text)), [0 if c == "." else ALPHABET.index(c) + 1 for c in text]] = 0
    return chances


def collapsed(path):
    return "".join(ALPHABET[s - 1] for s, before in zip(path, (0, *path[:-1]), strict=True) if s and s != before)


@pytest.mark.parametrize("word", ["ab", "aa", "b", "aba"])
def test_the_likeliest_way_is_the_best_of_all_ways(word):
    chances = random_chances(5)
    symbols = [0, ALPHABET.index("a") + 1, ALPHABET.index("b") + 1]
    ways = [path for path in product(symbols, repeat=5) if collapsed(path) == word]
    best = max(sum(chances[t, s] for t, s in enumerate(path)) for path in ways)
    assert fits([word, "abab"], chances)[0] == pytest.approx(best, rel=1e-5)


def test_a_word_longer_than_the_sound_does_not_fit():
    assert fits(["abcd", "a"], random_chances(2))[0] == -np.inf


def test_a_misheard_word_is_mended_and_a_plain_name_is_left():
    known = Lexicon(["the", "needle", "noodle"])
    assert known.spelled("neadle", plainly(".n.e.a.d.l.e.", wrong=-3)) == "needle"
    assert known.spelled("zorblatt", plainly(".zorblat.t.")) == "zorblatt"


def test_of_words_that_sound_alike_the_commoner_is_taken():
    even = random_chances(5) * 0
    assert Lexicon(["two", "too"]).spelled("too", even) == "two" and Lexicon(["too", "two"]).spelled("two", even) == "too"


def test_the_shipped_words_are_many_and_common_ones_come_first():
    words = shipped().words
    assert len(words) == 44_787 and "the" in words[:5] and words.index("needle") < 12_000 < words.index("accordion")


def test_what_cannot_be_spelled_is_refused():
    for words in ([], ["caf\u00e9"], ["two words"]):
        with pytest.raises(ValueError, match="a to z"):
            Lexicon(words)
