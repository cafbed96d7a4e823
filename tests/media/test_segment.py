"""Places: range, line and snippet are those of the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollux.media.segment import _BLOCK, Text, snippet


@st.composite
def text_and_range(draw):
    text = draw(st.text(alphabet=st.sampled_from("ab .!?\n\r\té…—\x1b。日"), min_size=1, max_size=600))
    start = draw(st.integers(0, len(text)))
    return text, start, draw(st.integers(start, len(text)))


@given(text_and_range())
def test_place_says_where_its_range_is(case):
    text, start, end = case
    place = Text("a.txt", text).place(start, end)
    assert (place.path, place.page, place.start, place.end) == ("a.txt", None, start, end)
    assert place.line == text.count("\n", 0, start) + 1
    assert len(place.snippet) <= 160
    assert not set("\n\r\t\x1b") & set(place.snippet)


@given(st.text(alphabet="ab .\n!", max_size=500), st.text(alphabet="ab .\n!", max_size=500))
def test_snippet_holds_a_range_that_fits(before, after):
    text = before + "NEEDLE" + after
    assert "NEEDLE" in snippet(text, len(before), len(before) + 6)


def test_lines_are_counted_across_blocks():
    text = "x\n" * _BLOCK
    for offset in (0, 1, 2, _BLOCK - 1, _BLOCK, _BLOCK + 1, len(text) - 1, len(text)):
        assert Text("a", text).line(offset) == text.count("\n", 0, offset) + 1


def test_pairs_give_lines_and_newlines_count_on():
    part = Text("a", "one\ntwo\nthree", start=70, lines=((0, 10), (8, 40)))
    assert [part.line(part.text.index(word)) for word in ("one", "two", "three")] == [10, 11, 40]
    place = part.place(4, 7)
    assert (place.start, place.end) == (74, 77)


@pytest.mark.parametrize("bad", [(-1, 2), (3, 2), (0, 6)])
def test_a_range_outside_the_text_is_refused(bad):
    with pytest.raises(ValueError, match="text's length"):
        Text("a", "hello").place(*bad)


@pytest.mark.parametrize(
    ("text", "token", "wanted"),
    [
        ("One is here. Two is\nthere, on two lines. Three.", "there", "Two is there, on two lines."),
        ("def f():\n    return 7\n\ndef g():\n    return 8\n", "8", "return 8"),
        ("- apples\n- pears\n- plums\n", "pears", "- pears"),
        ("a\n\nThe whole   paragraph\n\nb", "whole", "The whole paragraph"),
        ("alone", "alone", "alone"),
    ],
)
def test_snippet_is_the_sentence_or_the_line(text, token, wanted):
    start = text.index(token)
    assert snippet(text, start, start + len(token)) == wanted


def test_long_ranges_and_long_lines_are_cut_and_say_so():
    whole = snippet("w" * 1000, 0, 1000)
    assert whole.endswith("…")
    assert len(whole) <= 160
    inside = snippet("w" * 500 + "X" + "w" * 500, 500, 501)
    assert inside.startswith("…")
    assert inside.endswith("…")
    assert "X" in inside
