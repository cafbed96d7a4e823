"""Passages start and end where text does, and what is set into one can be taken out again."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollux.tasks.prose import (
    draw_size,
    filler,
    insert,
    is_line_like,
    paragraph_starts,
    passage,
    sentence_ends,
    sentence_ranges,
)

SPEECH = '"Go home, Mr. Bell {}!" cried the\nporter. Nobody heard him. It rained\nuntil noon.'
WRAPPED = "\n\n".join(SPEECH.format(n) for n in range(200))
LONG_LINES = "\n".join(f"Chapter {n} was read aloud. " + "The rain went on and on. " * 20 for n in range(200))
CODE = "\n\n".join(f"def add_{n}(a, b):\n    total = (a + b)\n    return total" for n in range(60))
STATEMENTS = ["The code of Ada is 4711.", "| Ada | 4711 |", "colour: red", "Bo lives in Ur.", "- tin"]


@pytest.mark.parametrize("document", [WRAPPED, LONG_LINES])
@given(st.integers(0, 10**6), st.integers(250, 3000))
def test_a_passage_is_a_piece_of_its_document_from_a_paragraph_to_a_sentence_end(document, seed, characters):
    part = passage(document, Random(seed), characters)
    starts = {s for s in paragraph_starts(document) if document.startswith(part, s)}
    assert starts and characters // 2 <= len(part) <= characters and part.endswith((".", "!", '"'))


def test_a_document_that_is_short_comes_whole_and_several_are_joined():
    assert passage("One. Two.\n", Random(0), 100) == "One. Two."
    assert 800 <= len(filler(["It rained all day. " * 5], Random(0), 1000)) <= 1000


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Mr. Bell went. He ran!", ["Mr. Bell went.", "He ran!"]),
        ('"Stop!" she said. "No."', ['"Stop!" she said.', '"No."']),
        ("J. B. Ash, Esq. lived there. I did.", ["J. B. Ash, Esq. lived there.", "I did."]),
        ("CHAPTER I\n\nIt rained. So?", ["CHAPTER I", "It rained.", "So?"]),
        ("It was I. He left (in May.) We stayed", ["It was I.", "He left (in May.)", "We stayed"]),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text, parts):
    assert [text[a:b] for a, b in sentence_ranges(text)] == parts


def test_ends_lie_behind_closing_quotes():
    assert sentence_ends('He said "No." Then he left.') == [13, 27]


def test_what_is_no_sentence_is_line_like():
    assert [is_line_like(s) for s in STATEMENTS] == [False, True, True, False, True]
    assert not is_line_like('He said "No."')


@pytest.mark.parametrize("text", ["", "One line", WRAPPED[:1500], LONG_LINES[:2500], CODE])
@given(seed=st.integers(0, 10**6), count=st.integers(0, 30))
def test_inserted_statements_lie_at_their_ranges_and_leave_the_text_as_it_was(text, seed, count):
    statements = [f"{n}{STATEMENTS[n % 5]}" if n % 5 in (0, 3) else STATEMENTS[n % 5] for n in range(count)]
    whole, ranges = insert(text, statements, Random(seed))
    assert [whole[a:b] for a, b in ranges] == statements
    rest = list(whole)
    for a, b in ranges:
        rest[a:b] = " " * (b - a)
    left = [word for word in "".join(rest).split() if word != "#" or text != CODE]
    assert left == text.split()
    for statement, (a, b) in zip(statements, ranges, strict=True):
        if is_line_like(statement):
            assert whole[:a].endswith(("\n", "\n# ")) or a == 0 or whole[:a] == "# "
            assert whole[b : b + 1] in ("", "\n")


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(0, 100))
def test_sizes_lie_between_their_bounds(a, b, seed):
    assert min(a, b) <= draw_size(Random(seed), (min(a, b), max(a, b))) <= max(a, b)
