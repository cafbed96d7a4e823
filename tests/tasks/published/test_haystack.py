"""Haystacks have the length asked for, to the word or the line, and nothing is counted twice over."""

from __future__ import annotations

import uuid
from itertools import count as count_from
from random import Random

import pytest

from pollux.tasks.published.haystack import counted, fill, running_text, uuids, word_end

BOOK = "The porter slept, and the lamp burned low beside the gate. " * 2000
OTHER = "Nobody came down the hill, extraordinarily, until the bell had rung. " * 2000


class Counter:
    """Tokens are words; notes how many characters it was given."""

    def __init__(self):
        self.characters = 0

    def __call__(self, text: str) -> int:
        self.characters += len(text)
        return len(text.split())


@pytest.mark.parametrize("tokens", [1, 7, 500, 20_000, 100_000])
def test_running_text_is_as_long_as_asked_for_or_a_word_less(tokens):
    count = Counter()
    text = running_text([BOOK, OTHER], 1, tokens, count)
    assert tokens - max(1, tokens // 1000) <= len(text.split()) <= tokens
    assert text.startswith("Nobody"[: len(text)]) and text == text.rstrip()
    assert count.characters < 2 * len(text) + 50_000


def test_documents_come_in_order_and_again_where_they_are_too_short():
    text = running_text(["One two three.", "", "Four five."], 2, 12, Counter())
    assert text.split() == "Four five. One two three. Four five. One two three. Four five.".split()


def test_documents_without_words_are_refused():
    with pytest.raises(ValueError, match="all 2 documents are empty"):
        running_text(["", " \n"], 0, 10, Counter())


@pytest.mark.parametrize("tokens", [0, 3, 40, 5000])
def test_as_many_lines_as_fit(tokens):
    count = Counter()
    lines = fill((f"line {n} of {'many ' * (n % 5)}".strip() for n in count_from()), tokens, count, "\n")
    used = len("\n".join(lines).split())
    assert used <= tokens < used + 7 and lines == sorted(lines, key=lambda line: int(line.split()[1]))
    assert count.characters < 3 * len("\n".join(lines)) + 5000


def test_fewer_lines_where_there_are_no_more():
    assert fill(iter(["a b", "c"]), 100, Counter(), "\n") == ["a b", "c"]


def test_a_count_that_counts_nothing_is_refused():
    with pytest.raises(ValueError, match="count gives 0 tokens"):
        fill(iter(["a"]), 10, lambda text: 0, "\n")


def test_a_long_text_is_counted_in_pieces_at_ends_of_words():
    longest = 0

    def count(text: str) -> int:
        nonlocal longest
        longest = max(longest, len(text))
        return len(text.split())

    assert counted(BOOK * 8, count) == len((BOOK * 8).split()) and longest <= 200_000


@pytest.mark.parametrize(("place", "end"), [(3, 3), (5, 3), (7, 7), (0, 0)])
def test_a_word_ends_before_a_space_or_a_line(place, end):
    assert word_end("The end\nof it", place) == end


def test_uuids_are_of_version_four_and_differ():
    found = uuids(Random(0), 1000)
    assert len(set(found)) == 1000
    assert all(str(uuid.UUID(text)) == text and uuid.UUID(text).version == 4 for text in found)
