"""From where retrieval attention looked while an answer was produced to the passages that it was drawn from.

Axis letters: L retrieval layers, H heads, E places kept per head, A answer tokens.
"""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from pollux.engine.contexts.context import ReadContext
from pollux.engine.request import Evidence

# Places within this many tokens of a peak belong to its passage: about a sentence to either side of where an answer stands.
REACH = 24
# Passages below this share of the looking are not worth showing beside better ones.
LEAST = 0.05
# What a look of the earlier layers counts beside one of the last, from which an answer is copied: they find what leads there too,
# such as the sentence that says whose fact is meant.
EARLIER = 0.25
# What parts of an answer, each of which may stand elsewhere, are set apart by ("Aurelia: 4711, Selby: 12").
_BETWEEN = re.compile("[:,;] ")


def gather(looks: list[tuple[np.ndarray, np.ndarray]]) -> Counter[int]:
    """Sum of weights per context token over an answer's tokens, an earlier layer's at `EARLIER`; each look is (index, weight),
    [L, H, E] each, of one token."""
    total: Counter[int] = Counter()
    for index, weight in looks:
        count = np.where(np.arange(len(weight)) < len(weight) - 1, EARLIER, 1.0)[:, None, None]
        for place, share in zip(index.ravel().tolist(), (weight * count).ravel().tolist(), strict=True):
            if share > 1e-3:
                total[place] += share
    return total


def passages(context: ReadContext, total: Counter[int], answer: str, most: int = 3) -> tuple[Evidence, ...]:
    """The best passages, best first. Where the answer stands in a passage, or a part of it, the last that does, its range is that
    one's, else the peak's."""
    whole = sum(total.values())
    out: list[Evidence] = []
    left = Counter({place: share for place, share in total.items() if place < len(context)})
    while left and len(out) < most:
        peak = max(left, key=lambda place: sum(left.get(p, 0.0) for p in range(place - REACH, place + REACH + 1)))
        near = [p for p in left if abs(p - peak) <= REACH]
        share = sum(left.pop(p) for p in near) / whole
        if out and share < LEAST:
            break
        place = _narrow(context, peak, answer)
        if place is not None:
            out.append(Evidence(place, share))
    return tuple(out)


def _narrow(context: ReadContext, peak: int, answer: str):
    """The place of the answer's words near a peak, or of a part's; the peak's own place where they are not there word for word."""
    stream = context.stream
    number = int(stream.segment[peak])
    if number < 0:
        return None
    first, last = max(0, peak - REACH), min(len(context) - 1, peak + REACH)
    inside = np.flatnonzero(stream.segment[first : last + 1] == number) + first
    text, middle = context.segments[number].text, int(stream.start[peak])
    low, high = int(stream.start[inside[0]]), int(stream.end[inside[-1]])
    for words in (answer, *reversed(_BETWEEN.split(answer))):
        found = list(_words(words).finditer(text, low, high + len(words))) if words.strip() else []
        if found:
            best = min(found, key=lambda match: abs(match.start() - middle))
            return context.segments[number].place(best.start(), best.end())
    return context.place(peak, peak)


def _words(answer: str) -> re.Pattern:
    """The answer's words in any case, across line ends, and not inside longer ones."""
    return re.compile(r"(?<!\w)" + r"\s+".join(map(re.escape, answer.split())) + r"(?!\w)", re.IGNORECASE)
