"""Patterns for numbers within bounds, against what numbers they are."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st
from walks import accepts

from pollux.serve.constrain.grammar import Grammar
from pollux.serve.constrain.numbers import Range, common, decimal, whole
from pollux.serve.constrain.vocabulary import ready
from pollux.tokens.vocabulary import shipped

VOCABULARY = shipped()
BOUNDS = st.none() | st.decimals("-1200", "1200", places=2) | st.integers(-30, 30).map(Decimal)
RANGES = st.builds(Range, BOUNDS, BOUNDS, st.booleans(), st.booleans())


def let_through(terminal: str, text: str) -> bool:
    grammar = Grammar()
    return accepts(ready(VOCABULARY, grammar.lark(grammar.rule((grammar.terminal(terminal),))), "test"), VOCABULARY, text, lead="")


@given(RANGES, st.integers(-1500, 1500) | st.integers(-35, 35))
@example(Range(Decimal(0), Decimal(0)), 0)
@example(Range(Decimal(0), None, True), 0)
@example(Range(Decimal("-0.5"), Decimal("0.5")), 0)
def test_integers_in_a_range(range_, number):
    if range_.low is None or range_.high is None or range_.low <= range_.high:
        low, high = range_.wholes()
        if low is None or high is None or low <= high:
            inside = (low is None or number >= low) and (high is None or number <= high)
            assert inside == range_.inside(number)
            assert let_through(whole(range_), str(number)) == inside


@given(RANGES, st.decimals("-1500", "1500", places=3), st.integers(0, 2))
@example(Range(Decimal("1.25"), Decimal("1.26")), Decimal("1.25"), 1)
@example(Range(Decimal("0.05"), None), Decimal("0.049"), 0)
@example(Range(None, Decimal("-0.10")), Decimal("-0.1"), 0)
@example(Range(None, Decimal("10.5"), False, True), Decimal("10.50"), 0)
def test_decimals_in_a_range(range_, number, zeros):
    if None in (range_.low, range_.high) or range_.low < range_.high:
        text = f"{number:f}" + "0" * zeros if zeros else f"{number:f}".rstrip("0").rstrip(".")
        minus_nothing = number == 0 and text.startswith("-")
        assert let_through(decimal(range_), text) == (range_.inside(number) and not minus_nothing)


@given(st.decimals("-30", "30", places=2), st.sampled_from(["0.5", "0.25", "0.2", "0.1", "0.01", "0.125"]))
def test_multiples(number, step):
    text = f"{number:f}".rstrip("0").rstrip(".")
    if text != "-0":
        assert let_through(decimal(Range(), Decimal(step)), text) == (number % Decimal(step) == 0)


@given(RANGES, RANGES, st.decimals("-1500", "1500", places=2))
def test_what_is_common_to_two_ranges(a, b, number):
    assert common(a, b).inside(number) == (a.inside(number) and b.inside(number))


def test_numbers_are_written_one_way_and_end():
    free = decimal(Range())
    for text in ["0", "-1", "0.5", "1e5", "1E-07", "12.5e+3", "9" * 18, "0." + "9" * 17]:
        assert let_through(free, text)
    for text in [
        "-0",
        "-0.0",
        "00",
        "01",
        ".5",
        "1.",
        "1e",
        "1e123",
        "+1",
        "9" * 19,
        "0." + "9" * 18,
        "NaN",
        "Infinity",
        "0x1",
        "-0e1",
    ]:
        assert not let_through(free, text)
