"""Lessons packed into rows of one length. Documents that share a row do not see each other (`Batch.segment`).

Axis letters: B rows, T tokens, M scored positions per row.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np

from pollux.tokens.stream import Batch, Lesson
from pollux.tokens.vocabulary import PAD

# What a token weighs in the loss: an answer's where something is decided; where it merely goes on with what it copies; a text's.
ANSWER_WEIGHT, COPY_WEIGHT, TEXT_WEIGHT = 4.0, 1.5, 0.3
# A shorter rest of a row is not worth a document of its own.
_LEAST = 16

Draw = Callable[[Random, int], Lesson]


def pack(draw: Draw, rng: Random, rows: int, length: int, scored: float = 0.25, words: int = 1 << 30) -> Batch:
    """Fill ``rows`` rows of ``length`` tokens with lessons from ``draw(rng, room)``, each at most ``room`` tokens long.

    Args:
        scored: The share of positions that the loss is computed on: answers as far as they fit, first where these begin or end to
            copy or say something of their own, then others at random.
        words: Tokens from here on are codes of what is seen and heard, which nobody says.
    """
    filled = [_row(draw, rng, length) for _ in range(rows)]
    chosen = [_choose(row, rng, max(1, round(length * scored)), words) for row in filled]
    tokens, index, segment = (np.stack(column) for column in list(zip(*filled, strict=True))[:3])
    return Batch(tokens, index, segment, *(np.stack(column) for column in zip(*chosen, strict=True)))


def _row(draw: Draw, rng: Random, length: int) -> tuple[np.ndarray, ...]:
    """Tokens, index, segment, whether each token is an answer's, where in the row it is copied from ([T] each), and the passage
    around that [T, 2]."""
    tokens, index = np.full(length, PAD, np.int32), np.arange(length, dtype=np.int32)
    segment, answer = np.full(length, -1, np.int32), np.zeros(length, bool)
    source, passage = np.full(length, -1, np.int32), np.full((length, 2), -1, np.int32)
    at = number = 0
    while length - at >= _LEAST:
        lesson = draw(rng, length - at)
        stop = at + lesson.size
        tokens[at:stop], answer[at:stop] = lesson.ids, lesson.answer
        source[at:stop] = np.where(lesson.source < 0, -1, lesson.source + at)
        passage[at:stop] = np.where(lesson.passage < 0, -1, lesson.passage + at)
        index[at:stop], segment[at:stop] = np.arange(lesson.size), number
        at, number = stop, number + 1
    return tokens, index, segment, answer, source, passage


def _choose(row: tuple[np.ndarray, ...], rng: Random, count: int, words: int) -> tuple[np.ndarray, ...]:
    """The positions that carry loss: where, target, weight, answer, source [M] each, and passage [M, 2]. A position predicts the
    next token of its document."""
    tokens, _, segment, answer, source, passage = row
    predicts = np.flatnonzero((segment[1:] == segment[:-1]) & (segment[1:] >= 0) & (tokens[1:] < words))
    goes_on = np.append(False, (source[1:] == source[:-1] + 1) & (source[:-1] >= 0))
    decides = answer & ~goes_on
    order = np.random.default_rng(rng.getrandbits(64)).permutation(predicts)
    rank = 2 - answer[order + 1].astype(int) - decides[order + 1]
    first = order[np.argsort(rank, kind="stable")][:count]
    where = np.zeros(count, np.int32)
    where[: first.size] = np.sort(first)
    real = np.arange(count) < first.size
    is_answer = answer[where + 1] & real
    weight = np.where(is_answer, np.where(decides[where + 1], ANSWER_WEIGHT, COPY_WEIGHT), TEXT_WEIGHT) * real
    copied = np.where(is_answer, source[where + 1], -1), np.where(is_answer[:, None], passage[where + 1], -1)
    return where, tokens[where + 1], weight.astype(np.float32), is_answer, *copied
