"""Retrieval over a long context: rank its chunks, keep the best, and look at those exactly.

A chunk is as good as its best key: a mean of keys would drown one token's signal among 160,000 chunks. Among many chunks, bits of
the keys say first which few can be good (`kernels.signs`); their keys are then scored as they are. With every chunk kept it equals
dense attention.

Axis letters: K key-value heads, M query rows, R rows of a block, S context tokens, D head size, W words of signs, C chunks,
L chunks chosen, P tokens per chunk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from pollux.kernels.attention import HIDDEN, Partial
from pollux.kernels.coded import Coded
from pollux.kernels.products import dot
from pollux.kernels.signs import rough_scores

# Keys scored at once: scores of a block are R x KEY_BLOCK floats.
KEY_BLOCK = 8192
# Query rows that are worked for at once: they share a pass over the keys, and bound what is in memory beside them.
ROW_BLOCK = 64
# Above so many chunks, one of so many is looked at exactly, and never fewer than `LEAST_SHORTLIST`.
SHORTLIST_FROM, SHORTLIST_SHARE, LEAST_SHORTLIST = 2048, 256, 256
# Query rows whose values are fetched at once: on two cores a token took 19.0 ms with 8, 19.6 with 4, 20.3 with 1, 23 with all.
_AT_ONCE = 8
# The places that are handed back, per query row, unless others are asked for: enough to tell what was looked at.
EVIDENCE = 8

# From the indices of keys [S'] to their values [S', any size].
Values = Callable[[jax.Array], jax.Array]


class Found(NamedTuple):
    """The keys that weighed most, or all that were looked at, E of them: their index in the context (int32 [K, M, E]), their share
    of the softmax."""

    index: jax.Array
    weight: jax.Array


class Keys(NamedTuple):
    """key: [K, S, D]; signs: uint32 [K, W, S], `signs.signs` of them."""

    key: Coded
    signs: jax.Array


def retrieve(
    q_KMD, keys: Keys, value: Callable, length, chunk: int, selected: int, places: int | None = EVIDENCE, slope_KM=None
) -> tuple[Partial, Found]:
    """Attention over the best ``selected`` chunks of each query row. S must be a multiple of min(S, KEY_BLOCK) and of chunk.

    Args:
        value: A function from a key-value head and the keys' indices [S'] to their values [S', any size].
        length: How many keys count; at 0 the result weighs nothing (its log-sum-exp is about `HIDDEN`).
        places: How many places are handed back, best first; None for all that were looked at, in no order.
        slope_KM: How much a row's scores fall with the logarithm of how long before the end of the context keys stand; None for not
            at all.
    """
    heads, rows, _ = q_KMD.shape
    block = min(ROW_BLOCK, rows)
    cut = lambda x: jnp.pad(x, [(0, 0), (0, -rows % block), (0, 0)]).reshape(heads, -1, block, x.shape[-1])  # noqa: E731
    q_NRD, slope_NR1 = cut(q_KMD), cut(jnp.zeros((heads, rows, 1)) if slope_KM is None else slope_KM[..., None])

    def head(number: int) -> tuple[Partial, Found]:
        of_head = lambda at: value(number, at)  # noqa: E731
        look = lambda rows: _block(*rows, keys, number, of_head, length, chunk, selected, places)  # noqa: E731
        out = jax.lax.map(look, (q_NRD[number], slope_NR1[number]))
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:rows], out)

    return jax.tree.map(lambda *each: jnp.stack(each), *map(head, range(heads)))


def _block(q_RD, slope_R1, keys: Keys, head: int, value: Values, length, chunk, selected: int, places) -> tuple[Partial, Found]:
    """Some queries of one head."""
    chunks = keys.key.code.shape[1] // chunk
    selected, shortlist = min(selected, chunks), max(LEAST_SHORTLIST, chunks // SHORTLIST_SHARE, selected)
    if chunks <= max(SHORTLIST_FROM, shortlist):
        _, chosen_RL = jax.lax.top_k(chunk_scores(q_RD, keys.key, head, length, chunk, slope_R1), selected)
    else:
        less_RC = slope_R1 * age(jnp.arange(chunks) * chunk, length)
        _, chosen_RL = jax.lax.top_k(rough_scores(q_RD, keys.signs[head], length, chunk, less_RC), shortlist)

    s_RLP = _scores(q_RD, slope_R1, keys.key, head, chosen_RL, length, chunk)
    if chosen_RL.shape[1] > selected:
        _, best_RL = jax.lax.top_k(s_RLP.max(-1), selected)
        s_RLP, chosen_RL = (jnp.take_along_axis(x, best, 1) for x, best in ((s_RLP, best_RL[..., None]), (chosen_RL, best_RL)))
    index_RS = (chosen_RL[..., None] * chunk + jnp.arange(chunk)).reshape(len(q_RD), -1)
    look = lambda row: _look(row[0], value(row[1]), row[1], places)  # noqa: E731
    return jax.lax.map(look, (s_RLP.reshape(index_RS.shape), index_RS), batch_size=_AT_ONCE)


def chunk_scores(q_RD: jax.Array, key_KSD: Coded, head: int, length: jax.Array, chunk: int, slope_R1: jax.Array | float = 0.0):
    """The best score of each chunk of a head for each query, float32 [R, C]; chunks past ``length`` score `HIDDEN`."""
    size, rows = key_KSD.code.shape[1], q_RD.shape[0]
    block = min(KEY_BLOCK, size)

    def score(start):
        key = _slice(key_KSD, head, start, block)
        s = dot(q_RD, key.numbers(), (1, 1)) * key.scale  # small whole numbers are exact in bf16
        index = start + jnp.arange(block)
        s = jnp.where(index < length, s - slope_R1 * age(index, length), HIDDEN)
        return s.reshape(rows, block // chunk, chunk).max(-1)

    return jnp.moveaxis(jax.lax.map(score, jnp.arange(0, size, block)), 0, 1).reshape(rows, size // chunk)


def age(index: jax.Array, length: jax.Array) -> jax.Array:
    """log(1 + tokens up to the end of the context), float32: as `model.recency.ages` has it in training."""
    return jnp.log1p(jnp.maximum(length - index, 0).astype(jnp.float32))


def _slice(key_KSD: Coded, head: int, start, size: int) -> Coded:
    """``size`` keys of one head. The head is cut out with them: all of its keys would be a copy each time."""
    return Coded(*(jax.lax.dynamic_slice(x, (head, start, *(0,) * (x.ndim - 2)), (1, size, *x.shape[2:]))[0] for x in key_KSD))


def _scores(q_RD: jax.Array, slope_R1: jax.Array, key_KSD: Coded, head: int, chosen_RL: jax.Array, length, chunk: int):
    """The scores of every key of the chosen chunks, float32 [R, L, P], for queries rounded to bf16 as in the dense form."""
    q_RD = q_RD.astype(jnp.bfloat16).astype(jnp.float32)
    of_head = Coded(*(x[head].reshape(-1, chunk, *x.shape[2:]) for x in key_KSD))
    # whole chunks are fetched: key by key takes several times as long on CPU
    score = lambda row: Coded(*(x[row[1]] for x in of_head)).times(row[0])  # noqa: E731
    s_RLP = jax.lax.map(score, (q_RD, chosen_RL), batch_size=_AT_ONCE)
    index_RLP = chosen_RL[..., None] * chunk + jnp.arange(chunk)
    return jnp.where(index_RLP < length, s_RLP - slope_R1[..., None] * age(index_RLP, length), HIDDEN)


def _look(s_S: jax.Array, value_SD: jax.Array, index_S: jax.Array, places: int | None) -> tuple[Partial, Found]:
    """One query's softmax over its chosen keys; sums are float32."""
    lse = jax.nn.logsumexp(s_S)
    p_S = jnp.exp(s_S - lse)
    out = Partial((p_S[:, None] * value_SD.astype(jnp.float32)).sum(0), lse)
    if places is None:
        return out, Found(index_S, p_S)
    weight, place = jax.lax.top_k(p_S, min(places, p_S.shape[0]))
    return out, Found(index_S[place], weight)
