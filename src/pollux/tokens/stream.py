"""Token streams: what the template makes of conversations, and what the packer makes of streams.

Axis letters: T tokens, B rows, M scored positions per row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Stream(NamedTuple):
    """A run of tokens and where each came from.

    ids: int32 [T].
    segment: int32 [T], the segment of the reading that the token stands in, -1 for tokens of the template's own.
    start, end: int32 [T], the token's character range in that segment's text.
    """

    ids: np.ndarray
    segment: np.ndarray
    start: np.ndarray
    end: np.ndarray

    @property
    def size(self) -> int:
        """The number of tokens (``len`` counts the fields of the tuple)."""
        return int(self.ids.size)


def join(streams: list[Stream]) -> Stream:
    """One stream after another."""
    return Stream(*(np.concatenate(column) for column in zip(*streams, strict=True)))


class Lesson(NamedTuple):
    """A run of tokens to learn from.

    ids: int32 [T].
    answer: bool [T], True where a token is part of an answer.
    source: int32 [T], for a token that is copied from an earlier one, where in this lesson that stands; -1 for others.
    passage: int32 [T, 2], first and last token of the passage that the source stands in, or that leads there; -1 for others.
    """

    ids: np.ndarray
    answer: np.ndarray
    source: np.ndarray
    passage: np.ndarray

    @property
    def size(self) -> int:
        return int(self.ids.size)


class Batch(NamedTuple):
    """A training batch of fixed shape.

    tokens, index, segment: int32 [B, T]; ``index`` restarts with each document, ``segment`` tells them apart (-1: padding).
    where: int32 [B, M], positions whose next token is predicted. target: int32 [B, M]. weight: float32 [B, M], 0 for filling.
    answer: bool [B, M], whether the target is part of an answer.
    source: int32 [B, M], the position in the row that the target is copied from, -1 where there is none; None in batches that
        hold no answers at all. passage: int32 [B, M, 2], first and last position of the passage around it.
    """

    tokens: np.ndarray
    index: np.ndarray
    segment: np.ndarray
    where: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    answer: np.ndarray
    source: np.ndarray | None
    passage: np.ndarray | None
