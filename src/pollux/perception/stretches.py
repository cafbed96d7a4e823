"""Sound cut where nobody speaks, so that what is said in one breath is read in one piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np

from pollux.perception.percepts import Heard

# Seconds of a stretch: it ends in the longest pause between these.
_SHORTEST, _LONGEST = 4.0, 12.0


def stretches(heard: Iterable[Heard]) -> Iterator[Heard]:
    """The same sound in other pieces, which end in pauses: what is said in one breath is not torn apart."""
    held = None
    for each in heard:
        held = each if held is None else _joined(held, each)
        while held.end - held.start > _LONGEST:
            first, held = _cut(held, _pause(held))
            yield first
    if held is not None and held.end > held.start:
        yield held


def _joined(first: Heard, then: Heard) -> Heard:
    return first._replace(end=then.end, codes=np.concatenate([first.codes, then.codes]), words=first.words + then.words)


def _pause(held: Heard) -> float:
    """The middle of the longest pause in which a stretch may end."""
    low, high = held.start + _SHORTEST, held.start + _LONGEST
    spoken = [(word.start, word.end) for word in held.words if word.end > low and word.start < high]
    edges = [(low, low), *spoken, (high, high)]
    gaps = [(after[0] - before[1], before[1], after[0]) for before, after in pairwise(edges)]
    _, start, end = max(gaps)
    return min(max((start + end) / 2, low), high)


def _cut(held: Heard, time: float) -> tuple[Heard, Heard]:
    """What is heard up to a time, which is moved to between two codes, and behind it; a word goes with its beginning."""
    rate = len(held.codes) / (held.end - held.start)
    count = round((time - held.start) * rate)
    time = held.start + count / rate
    before = tuple(word for word in held.words if word.start < time)
    first = held._replace(end=time, codes=held.codes[:count], words=before)
    return first, held._replace(start=time, codes=held.codes[count:], words=held.words[len(before) :])
