"""Reading again only what changed: a read context whose text differs in one place.

What a layer makes of a token depends on no more tokens before it than the windows of reading reach together
(`ModelConfig.reach`). So where a stretch of text is replaced by another of as many tokens, everything farther behind it is in the
cache already, to the last bit: a needle can be moved through ten million tokens that are read once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pollux.engine.context import ReadContext
from pollux.media.segment import Document, Text
from pollux.tokens.stream import Stream, join
from pollux.tokens.vocabulary import Vocabulary

# Characters to either side of a change that are made into tokens anew with it, at least; words longer than this are not met.
_MARGIN = 100
# Tokens searched beyond that for a place between two words.
_FAR = 200


def amended(context: ReadContext, documents: Sequence[Document], vocabulary: Vocabulary) -> tuple[Stream, tuple[Text, ...]] | None:
    """The tokens and segments of other documents, where they are those of a context but for one stretch in one of them, and are as
    many; else None. The texts are compared, and only what changed is made into tokens."""
    texts = tuple(segment for document in documents for segment in document.segments)
    if len(texts) != len(context.segments):
        return None
    changed = [i for i, (old, new) in enumerate(zip(context.segments, texts, strict=True)) if old != new]
    if not changed:
        return context.stream, texts
    number = changed[0]
    old, new = context.segments[number], texts[number]
    if len(changed) > 1 or replace(old, text=new.text) != new:
        return None
    stream = _spliced(context.stream, number, old.text, new.text, vocabulary)
    return None if stream is None else (stream, texts)


def _spliced(stream: Stream, number: int, old: str, new: str, vocabulary: Vocabulary) -> Stream | None:
    """The stream with one segment's text made another; None where that takes more or fewer tokens."""
    before = _alike(old, new)
    behind = _alike(old[before:][::-1], new[before:][::-1])
    inside = np.flatnonzero(stream.segment == number)
    left = _between_words(stream, inside, old, before - _MARGIN, -1)
    right = _between_words(stream, inside, old, len(old) - behind + _MARGIN, 1)
    at, shift = int(stream.start[left]) if left > inside[0] else 0, len(new) - len(old)
    stop = len(new) if right > inside[-1] else int(stream.start[right]) + shift
    ids, start, end = vocabulary.encode_places(new[at:stop])
    if ids.size != right - left:
        return None
    part = Stream(ids, np.full(ids.size, number, np.int32), start + at, end + at)
    rest = Stream(*(x[right:] for x in stream))
    moved = np.where(rest.segment == number, np.int32(shift), np.int32(0))
    rest = rest._replace(start=rest.start + moved, end=rest.end + moved)
    return join([Stream(*(x[:left] for x in stream)), part, rest])


def _alike(a: str, b: str) -> int:
    """How many first characters two texts share. Halving compares each of them about once."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a.startswith(b[low:middle], low):
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


def span(old: np.ndarray, new: np.ndarray) -> tuple[int, int]:
    """The first token that differs between two streams of one length, and the one behind the last; 0 and 0 where none does."""
    changed = np.flatnonzero(old != new)
    return (int(changed[0]), int(changed[-1]) + 1) if changed.size else (0, 0)
