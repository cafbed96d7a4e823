"""What was read in doubt is mended by known words; what was read plainly, names and numbers are not touched."""

import pytest

from pollux.perception.known import known
from pollux.perception.vision.spelling import mended


def chances(word, doubtful):
    return [0.4 if i in doubtful else 0.99 for i in range(len(word))]


@pytest.mark.parametrize(
    ("read", "doubtful", "stands"),
    [
        ("fRlame", (1,), "flame"),  # one too many
        ("cspper", (1,), "copper"),  # another
        ("jouney,", (3,), "journey,"),  # one too few
        ('"Jourey"', (5,), '"Journey"'),
        ("NEEDIE", (4,), "NEEDLE"),
    ],
)
def test_a_doubtful_letter_is_mended(read, doubtful, stands):
    assert mended(read, chances(read, doubtful)) == stands


def test_two_letters_may_be_wrong():
    assert mended("jouyey", chances("jouyey", (3, 4))) == "journey"


@pytest.mark.parametrize("word", ["Skaldrea", "x7f-40", "5502", "fem", "the", "gsb"])
def test_names_numbers_and_short_words_stay(word):
    assert mended(word, [0.99] * len(word)) == word
    if not word.isalpha() or len(word) < 4:
        assert mended(word, [0.3] * len(word)) == word


def test_of_several_words_the_commonest_is_taken():
    assert known()["house"] < known()["horse"] and mended("hoxse", chances("hoxse", (2,))) == "house"
