"""Symbols become words: whole, once, and the same however the steps are cut."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pollux.perception.audio.lexicon import ALPHABET, Lexicon
from pollux.perception.audio.words import STEP, Words


def symbols(text):
    """Log-probabilities where letters are plainly heard, "." for nothing."""
    chances = np.full((len(text), len(ALPHABET) + 1), -3, np.float16)
    chances[np.arange(len(text)), [0 if letter == "." else ALPHABET.index(letter) + 1 for letter in text]] = 0
    return chances


def words(text, *cuts):
    """(word, first step, last step) of steps that come in parts."""
    reader, found = Words(), []
    for part in np.split(symbols(text), cuts):
        found += reader.feed(part)
    return [(word, round(start / STEP), round(end / STEP)) for word, start, end in found + reader.finish()]


def test_letters_in_a_row_are_one_and_nothing_between_them_makes_two():
    assert words("..hh.ee.l.ll..oo ") == [("hello", 2, 16)]


def test_a_space_ends_a_word_and_a_second_one_ends_nothing():
    assert [word for word, *_ in words(" .to..  . do")] == ["to", "do"]


def test_the_end_ends_a_word():
    assert words("..i") == [("i", 2, 3)]


def test_a_second_without_letters_ends_a_word():
    assert words("ab" + 51 * "." + "cd ") == [("ab", 0, 2), ("cd", 53, 55)]
    assert words("ab" + 40 * "." + "cd ") == [("abcd", 0, 44)]


def test_no_word_goes_on_for_ever():
    assert [len(word) for word, *_ in words("ab" * 300)] == [250, 250, 100]


def test_a_silence_ends_a_word_before_anything_follows():
    reader = Words()
    assert [word.text for word in reader.feed(symbols("ab" + 60 * "."))] == ["ab"]
    assert reader.since is None


def test_apostrophes_stay_within_words():
    assert [word for word, *_ in words("don't 'tis ' ")] == ["don't", "tis"]


def test_a_word_that_is_not_whole_says_since_when():
    reader = Words()
    reader.feed(symbols("...ab"))
    assert reader.since == 3 * STEP


@given(st.text(alphabet=". ab'", max_size=80), st.lists(st.integers(0, 80), max_size=6))
def test_cuts_change_nothing(text, cuts):
    assert words(text, *sorted(cuts)) == words(text)


@given(st.lists(st.sampled_from(["ab", "a", "c", "." * 60, "." * 30, "bb"]), max_size=8), st.lists(st.integers(0, 400), max_size=4))
def test_cuts_change_nothing_in_long_silences(parts, cuts):
    text = "".join(parts)
    assert words(text, *sorted(cuts)) == words(text)


def test_a_lexicon_spells_what_was_heard():
    reader = Words(Lexicon(["needle", "secret", "the"]))
    found = reader.feed(symbols("..t.h.e. .s.e.c.r.a.t. .n.e.a.d.l.e.")) + reader.finish()
    assert [word.text for word in found] == ["the", "secret", "needle"]
