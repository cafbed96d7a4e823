r"""Numbers within bounds as patterns, so that their digits end: a small model that may write another digit often does.

    whole(Range(low=Decimal(18)))  ->  /-?(0|[1-9][0-9]{0,17})/ & ~/-0/ & /1[8-9]|[2-9][0-9]|[1-9][0-9]{2,}|…/

Integers have up to `DIGITS` digits, or as many as their bounds. So have other numbers before the point, up to `PLACES` behind it,
and an exponent of two digits where they are unbounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import ceil, floor

DIGITS, PLACES = 18, 17
# Bounds beyond so many digits bound nothing that can be written.
LONGEST = 40
# A number may be a multiple of 1/n for whole n up to this, and a whole number a multiple of up to `LARGEST_STEP`: patterns for it
# have as many states.
FINEST, LARGEST_STEP = 1000, 1000
_FREE = rf"\.[0-9]{{1,{PLACES}}}"


@dataclass(frozen=True)
class Range:
    """What lies between two bounds, None for none; an open one does not itself belong to it."""

    low: Decimal | None = None
    high: Decimal | None = None
    low_open: bool = False
    high_open: bool = False

    def inside(self, number: int | float | Decimal) -> bool:
        number = exact(number)
        above = self.low is None or (number > self.low if self.low_open else number >= self.low)
        return above and (self.high is None or (number < self.high if self.high_open else number <= self.high))

    @property
    def digits(self) -> int:
        """The most that a number in it is given before the point."""
        bounds = (f"{bound.copy_abs():.0f}" for bound in (self.low, self.high) if bound is not None)
        return min(LONGEST, max([DIGITS, *map(len, bounds)]))

    def wholes(self) -> tuple[int | None, int | None]:
        """The least and the greatest integer in it, None for no bound."""
        low, high = self.low, self.high
        return (
            None if low is None else ceil(low) + (self.low_open and low == ceil(low)),
            None if high is None else floor(high) - (self.high_open and high == floor(high)),
        )


def common(a: Range, b: Range) -> Range:
    """What lies in both ranges."""
    lows = [(x.low, x.low_open) for x in (a, b) if x.low is not None]
    highs = [(x.high, not x.high_open) for x in (a, b) if x.high is not None]
    (low, low_open), (high, closed) = max(lows, default=(None, False)), min(highs, default=(None, True))
    return Range(low, high, low_open, not closed)


def exact(number: int | float | Decimal) -> Decimal:
    """The number as it is written."""
    return number if isinstance(number, Decimal) else Decimal(repr(number))


def whole(range_: Range) -> str:
    """The terminal for the integers in a range."""
    return _within(f"/-?(0|[1-9][0-9]{{0,{range_.digits - 1}}})/ & ~/-0/", range_)


def decimal(range_: Range, step: Decimal | None = None) -> str | None:
    """The terminal for the numbers in a range, multiples of ``step``; None where that cannot be said."""
    fraction = _FREE if step is None else _fractions(step)
    if fraction is None:
        return None
    # none of the bounds but zero can be told in the presence of exponents
    exponent = "([eE][+-]?[0-9]{1,2})?" if step is None and range_.low in (None, 0) and range_.high is None else ""
    number = rf"/-?(0|[1-9][0-9]{{0,{range_.digits - 1}}})({fraction})?{exponent}/ & ~/-0(\.0+)?([eE].*)?/"
    if not exponent:
        return _within(number, range_)
    positive = r" & ~/-.*/" if range_.low == 0 else ""
    return number + positive + (r" & ~/0(\.0+)?([eE].*)?/" if range_.low == 0 and range_.low_open else "")


def _fractions(step: Decimal) -> str | None:
    """The pattern for what stands behind the point in multiples of a step below 1."""
    places = -step.normalize().as_tuple().exponent
    if step == Decimal(1).scaleb(-places) and 0 < places <= PLACES:
        return rf"\.[0-9]{{1,{places}}}"
    if not 0 < step < 1 or places > PLACES or 1 % step or 1 / step > FINEST:
        return None
    behind = (f"{step * count:f}".rstrip("0").partition(".")[2] for count in range(1, int(1 / step)))
    return rf"\.({'|'.join(['0', *behind])})"


def _within(number: str, range_: Range) -> str:
    terms = [number]
    if range_.low is not None and range_.low > -(10**LONGEST):
        terms.append(f"/{_at_least(range_.low, range_.low_open)}/")
    if range_.high is not None and range_.high < 10**LONGEST:
        terms.append(f"/{_at_most(range_.high, range_.high_open)}/")
    return " & ".join(terms)


def _at_least(bound: Decimal, open_: bool) -> str:
    if bound < 0:
        return f"[0-9].*|-({_smaller(bound.copy_negate(), open_)})"
    return _larger(bound, open_)


def _at_most(bound: Decimal, open_: bool) -> str:
    if bound < 0:
        return f"-({_larger(bound.copy_negate(), open_)})"
    return "|".join(filter(None, ["-.*", _smaller(bound, open_)]))


def _larger(bound: Decimal, open_: bool) -> str:
    """Without a sign, at least as large as the bound; larger where that is open."""
    before, behind = _parts(bound)
    options = [f"({option})(\\.[0-9]+)?" for option in (_same_length(before, up=True), f"[1-9][0-9]{{{len(before)},}}") if option]
    options += [rf"{before}\.({option})" for option in (_same_length(behind, up=True, rest=True),) if option]
    if open_:
        options.append(rf"{before}\.{behind}0*[1-9][0-9]*")
    else:
        options.append(rf"{before}\.{behind}[0-9]*" if behind else rf"{before}(\.[0-9]+)?")
    return "|".join(options)


def _smaller(bound: Decimal, open_: bool) -> str:
    """Without a sign, at most as large as the bound; smaller where that is open. Empty where nothing is."""
    before, behind = _parts(bound)
    options = [f"({_same_length(before, up=False)})(\\.[0-9]+)?"] if _same_length(before, up=False) else []
    if len(before) > 1:
        options.append(rf"[0-9]{{1,{len(before) - 1}}}(\.[0-9]+)?")
    if behind:
        options.append(before)
        options += [rf"{before}\.{behind[:i]}" for i in range(1, len(behind))]
        options += [rf"{before}\.({option})" for option in (_same_length(behind, up=False, rest=True),) if option]
    if not open_:
        options.append(rf"{before}\.{behind}0*" if behind else rf"{before}(\.0+)?")
    return "|".join(options)


def _parts(bound: Decimal) -> tuple[str, str]:
    """Digits before the point and behind it."""
    before, _, behind = f"{bound:f}".partition(".")
    return before, behind.rstrip("0")


def _same_length(digits: str, *, up: bool, rest: bool = False) -> str:
    """Digits that are larger than these, or smaller, from some place on: as many, or with any ``rest``."""
    options = []
    for i, digit in enumerate(digits):
        others = range(int(digit) + 1, 10) if up else range(int(digit))
        if others:
            tail = "[0-9]*" if rest else f"[0-9]{{{len(digits) - i - 1}}}"
            options.append(f"{digits[:i]}[{others[0]}-{others[-1]}]{tail}")
    return "|".join(options)
