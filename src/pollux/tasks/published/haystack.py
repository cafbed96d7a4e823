"""Haystacks sized in tokens: running text, or lines, of which as much is taken as fits.

A tokenizer is slow and its memory large, so nothing here counts a whole text twice: a sample tells about how much is needed, and
afterwards only what is in doubt is counted.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, islice
from random import Random

_SEPARATOR = "\n\n"  # between documents
_GUESS = 20_000  # characters from which a token's usual length is guessed
_LEAST, _LONGEST = 2000, 8  # characters guessed from at the least, and of a token at the most
_PIECE = 200_000  # characters counted at a time, so that a tokenizer's memory stays small
_TRIES = 12  # corrections of a haystack's length; each leaves a third of the error or less
_LINE = 24  # tokens of a line, at the least
_LINES = 64  # lines counted to tell how many will be needed
_SURPLUS = 1.05  # share of the lines wanted that is drawn, so that a wrong estimate does not run short of them
_NEAR = 5000  # characters searched to either side of a place for a full stop, and behind it words as long as a statement
_WORDS = 100  # characters around a place that may change how it falls into tokens


def running_text(documents: Sequence[str], start: int, tokens: int, count: Callable[[str], int]) -> str:
    """As many tokens of text as asked for, or a few less. What is added or cut off is counted, never the whole again."""
    guess = min(_GUESS, max(_LEAST, _LONGEST * tokens))
    sample = _gather(documents, start, guess)
    length = len(sample) / max(1, count(sample))  # characters of a token
    text, end, have, tries = sample, 0, 0, 0
    while (have > tokens and end) or (tries < _TRIES and tokens - have > tokens // 1000):
        far = max(0, end + math.floor((tokens - have) * length))
        if far >= len(text):
            text = _gather(documents, start, far + guess)
        place = word_end(text, far)
        if have <= tokens and place <= end:  # not even one more word fits
            break
        changed = counted(text[min(place, end) : max(place, end)], count)
        have, end, tries = have + (changed if place > end else -changed), place, tries + 1
        length = end / have if have > 0 and end else length
    return text[:end].rstrip()


def _gather(documents: Sequence[str], start: int, characters: int) -> str:
    """So many characters of the documents from number ``start`` on; more characters only add to the end."""
    parts, length = [], 0
    for number in range(len(documents)):
        document = documents[(start + number) % len(documents)]
        if document and not document.isspace():
            parts += (document[: characters - length], _SEPARATOR)
            length += len(parts[-2]) + len(_SEPARATOR)
        if length >= characters:
            break
    if not parts:
        raise ValueError(f"all {len(documents)} documents are empty; pass at least one text")
    return ("".join(parts) * math.ceil(characters / length))[:characters]


def counted(text: str, count: Callable[[str], int]) -> int:
    """Tokens of a text of any length, counted in pieces."""
    total, start = 0, 0
    while start < len(text):
        stop = word_end(text, start + _PIECE) if start + _PIECE < len(text) else len(text)
        total, start = total + count(text[start:stop]), stop
    return total


def word_end(text: str, place: int) -> int:
    """The last end of a word up to a place, or the place itself where there is none near it."""
    near = max(0, place - 200)
    end = max(text.rfind(" ", near, place + 1), text.rfind("\n", near, place + 1))
    return end if end >= 0 else place


def replaced(text: str, statements: Sequence[str], places: Sequence[int], count: Callable[[str], int]) -> tuple[str, list[int]]:
    """A text with each statement in the place of words, behind a full stop near its place, that have as many tokens; and where each
    statement starts. So texts that differ in their statements alone share all other tokens, and these stand where they stood.

    Args:
        places: characters, in order; statements stand in this order.

    Raises:
        ValueError: when no words near a place are as long.
    """
    parts, starts, at, length = [], [], 0, 0
    for statement, place in zip(statements, places, strict=True):
        start, end = _as_long_near(text, at, place, statement, count)
        parts += (text[at:start], statement)
        length += start - at
        starts.append(length)
        at, length = end, length + len(statement)
    return "".join((*parts, text[at:])), starts


def _as_long_near(text: str, least: int, place: int, statement: str, count: Callable[[str], int]) -> tuple[int, int]:
    """Such words, the nearest from ``least`` on: their first character and the one behind them."""
    place = max(place, least)
    low = max(least, place - _NEAR)
    stops = [low + match.end() for match in re.finditer(r"\.(?=\s)", text[low : place + _NEAR])]
    for start in sorted(stops, key=lambda stop: abs(stop - place)):
        if end := _as_long(text, start, statement, count):
            return start, end
    raise ValueError(f"no words near {place / len(text):.0%} of the text are as long as a statement; leave in_place out")


def _as_long(text: str, start: int, statement: str, count: Callable[[str], int]) -> int | None:
    """The end of the words from ``start`` on that have as many tokens as the statement in their place."""
    before, behind = text[max(0, start - _WORDS) : start], text[start : start + 3 * _WORDS]
    whole = count(before + behind)
    ends = (match.end() for match in re.finditer(r"\w+\b", behind[: 2 * _WORDS]))
    return next((start + end for end in ends if count(before + statement + behind[end:]) == whole), None)


def fill(lines: Iterator[str], tokens: int, count: Callable[[str], int], join: str) -> list[str]:
    """As many of the lines, from the first on, as fit into so many tokens once joined; fewer when there are no more.

    The text is counted about once over: a sample tells how many lines to draw, and afterwards only those in doubt are
    counted anew.
    """
    kept = list(islice(lines, min(_LINES, max(4, tokens // _LINE))))
    first, length = len(kept), len(join.join(kept)) + len(join)
    used = count(join.join(kept))
    if kept and used < 1:
        raise ValueError(f"count gives {used} tokens for {length} characters; pass a function that counts a text's tokens")
    wanted = _SURPLUS * tokens * length / max(used, 1)
    while length < wanted and (line := next(lines, None)) is not None:
        kept.append(line)
        length += len(line) + len(join)
    return kept[: _fitting(kept, first, tokens, used, count, join)]


def _fitting(lines: list[str], first: int, tokens: int, used: int, count: Callable[[str], int], join: str) -> int:
    """How many lines fit, to the line; the first so many take ``used`` tokens."""
    ends = list(accumulate(len(line) + len(join) for line in lines))
    number = min(first, len(lines))
    for _ in range(3):
        better = bisect_right(ends, tokens * ends[number - 1] / used) if number else 0
        doubtful = count(join.join(lines[min(number, better) : max(number, better)]))
        used += doubtful if better > number else -doubtful
        number = better
    while number and used > tokens:
        number -= 1
        used -= count(lines[number] + join)
    while number < len(lines) and used + (more := count(lines[number] + join)) <= tokens:
        number += 1
        used += more
    return number


def uuids(rng: Random, amount: int) -> list[str]:
    """Random uuids of version 4; `uuid.UUID` would take five times as long, and a long text holds a million."""
    digits = rng.randbytes(16 * amount).hex()
    drawn = (digits[k : k + 32] for k in range(0, len(digits), 32))
    return [f"{d[:8]}-{d[8:12]}-4{d[13:16]}-{'89ab'[int(d[16], 16) % 4]}{d[17:20]}-{d[20:]}" for d in drawn]
