"""Reading again only what changed: a read context whose text differs in a few places.

What a layer makes of a token depends on no more tokens before it than the windows of reading reach together
(`ModelConfig.reach`). So where stretches of text are replaced by others of as many tokens, everything farther behind them is in the
cache already, to the last bit: a needle can be moved through ten million tokens that are read once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pollux.engine.contexts.context import ReadContext
from pollux.media.segment import Document, Text
from pollux.tokens.stream import Stream, join
from pollux.tokens.vocabulary import Vocabulary

# Characters to either side of a change that are made into tokens anew with it, at least; words longer than this are not met.
_MARGIN = 100
# Tokens searched beyond that for a place between two words.
_FAR = 200
# Characters behind the beginning of a change at which texts are looked at for going on alike, and how many have to be alike there.
_STEP, _ALIKE = 500, 60


class Change(NamedTuple):
    """Characters [start, stop) of an old text that are [new_start, new_stop) of a new one."""

    start: int
    stop: int
    new_start: int
    new_stop: int

    @property
    def shift(self) -> int:
        """By how many characters what stands behind moves."""
        return (self.new_stop - self.new_start) - (self.stop - self.start)


def amended(context: ReadContext, documents: Sequence[Document], vocabulary: Vocabulary) -> tuple[Stream, tuple[Text, ...]] | None:
    """The tokens and segments of other documents, where they are those of a context but for stretches in one of them, each of as
    many tokens as before; else None. The texts are compared, and only what changed is made into tokens."""
    texts = tuple(segment for document in documents for segment in document.segments)
    if len(texts) != len(context.segments):
        return None
    changed = [i for i, (old, new) in enumerate(zip(context.segments, texts, strict=True)) if old != new]
    if not changed:
        return context.stream, texts
    number, stream = changed[0], context.stream
    old, new = context.segments[number], texts[number]
    if len(changed) > 1 or replace(old, text=new.text) != new:
        return None
    for change in reversed(list(changes(old.text, new.text))):  # so that what stands before one is still where it was
        if (stream := _spliced(stream, number, old.text, new.text, change, vocabulary)) is None:
            return None
    return stream, texts


def changes(old: str, new: str) -> Iterator[Change]:
    """Where two texts differ, in order. Changes of more than `_STEP` characters, or nearer to each other, may come as one."""
    at, new_at = 0, 0
    while True:
        alike = _alike(old, new, at, new_at)
        at, new_at = at + alike, new_at + alike
        if at == len(old) and new_at == len(new):
            return
        probe = old[at + _STEP : at + _STEP + _ALIKE]
        again = new.find(probe, new_at, new_at + 2 * _STEP + _ALIKE) if len(probe) == _ALIKE else -1
        stop, new_stop = (at + _STEP, again) if again >= 0 else (len(old), len(new))
        back = _alike(old[at:stop][::-1], new[new_at:new_stop][::-1])
        yield Change(at, stop - back, new_at, new_stop - back)
        at, new_at = stop, new_stop


def _spliced(stream: Stream, number: int, old: str, new: str, change: Change, vocabulary: Vocabulary) -> Stream | None:
    """The stream with a stretch of a segment's text made another; None where that takes more or fewer tokens."""
    inside = np.flatnonzero(stream.segment == number)
    left = _between_words(stream, inside, old, change.start - _MARGIN, -1)
    right = _between_words(stream, inside, old, change.stop + _MARGIN, 1)
    at = int(stream.start[left]) if left > inside[0] else 0
    stop = len(old) if right > inside[-1] else int(stream.start[right])
    words = new[at - change.start + change.new_start : stop - change.stop + change.new_stop]
    ids, start, end = vocabulary.encode_places(words)
    if ids.size != right - left:
        return None
    part = Stream(ids, np.full(ids.size, number, np.int32), start + at, end + at)
    rest = Stream(*(x[right:] for x in stream))
    moved = np.where(rest.segment == number, np.int32(change.shift), np.int32(0))
    rest = rest._replace(start=rest.start + moved, end=rest.end + moved)
    return join([Stream(*(x[:left] for x in stream)), part, rest])


def _alike(a: str, b: str, at: int = 0, b_at: int = 0) -> int:
    """How many characters two texts share from two places on. Halving compares each of them about once."""
    low, high = 0, min(len(a) - at, len(b) - b_at)
    while low < high:
        middle = (low + high + 1) // 2
        if a.startswith(b[b_at + low : b_at + middle], at + low):
            low = middle
        else:
            high = middle - 1
    return low


def _between_words(stream: Stream, inside: np.ndarray, text: str, character: int, step: int) -> int:
    """The nearest token from that character on, back or forth, that begins a word with the space before it; the segment's first,
    or the one behind its last, where there is none near."""
    first, last = int(inside[0]), int(inside[-1])
    at = first + int(np.searchsorted(stream.start[first : last + 1], max(character, 0)))
    for token in range(min(at, last), min(at, last) + step * _FAR, step):
        if not first < token <= last:
            break
        start = int(stream.start[token])
        if text[start] == " " and text[start + 1 : start + 2].isalpha() and not text[start - 1].isspace():
            return token
    return first if step < 0 else last + 1


def spans(old: np.ndarray, new: np.ndarray, apart: int) -> list[tuple[int, int]]:
    """The stretches [first, stop) of tokens that differ between two streams of one length; those less than ``apart`` tokens from
    each other are one."""
    changed = np.flatnonzero(old != new)
    if not changed.size:
        return []
    parts = np.split(changed, np.flatnonzero(np.diff(changed) >= apart) + 1)
    return [(int(part[0]), int(part[-1]) + 1) for part in parts]
