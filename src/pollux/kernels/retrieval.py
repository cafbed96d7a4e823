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
    q_KMD, keys: Keys, value: Callable, length, chunk: int, selected: int, places: int | None = EVIDENCE
) -> tuple[Partial, Found]:
    """Attention over the best ``selected`` chunks of each query row. S must be a multiple of min(S, KEY_BLOCK) and of chunk.

    Args:
        value: A function from a key-value head and the keys' indices [S'] to their values [S', any size].
        length: How many keys count; at 0 the result weighs nothing (its log-sum-exp is about `HIDDEN`).
        places: How many places are handed back, best first; None for all that were looked at, in no order.
    """
    heads, rows, _ = q_KMD.shape
    block = min(ROW_BLOCK, rows)
    q_NRD = jnp.pad(q_KMD, [(0, 0), (0, -rows % block), (0, 0)]).reshape(heads, -1, block, q_KMD.shape[-1])

    def head(number: int) -> tuple[Partial, Found]:
        look = lambda q_RD: _block(q_RD, keys, number, lambda at: value(number, at), length, chunk, selected, places)  # noqa: E731
        out = jax.lax.map(look, q_NRD[number])
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:rows], out)

    return jax.tree.map(lambda *each: jnp.stack(each), *map(head, range(heads)))


def _block(q_RD, keys: Keys, head: int, value: Values, length, chunk: int, selected: int, places) -> tuple[Partial, Found]:
    """Some queries of one head."""
    chunks = keys.key.code.shape[1] // chunk
    selected, shortlist = min(selected, chunks), max(LEAST_SHORTLIST, chunks // SHORTLIST_SHARE, selected)
    if chunks <= max(SHORTLIST_FROM, shortlist):
        _, chosen_RL = jax.lax.top_k(chunk_scores(q_RD, keys.key, head, length, chunk), selected)
    else:
        _, chosen_RL = jax.lax.top_k(rough_scores(q_RD, keys.signs[head], length, chunk), shortlist)

    def row(query_chunks):
        q_D, chosen_L = query_chunks
        s_LP = _scores(q_D, keys.key, head, chosen_L, length, chunk)
        if len(chosen_L) > selected:
            _, best = jax.lax.top_k(s_LP.max(-1), selected)
            s_LP, chosen_L = s_LP[best], chosen_L[best]
        index_S = (chosen_L[:, None] * chunk + jnp.arange(chunk)).reshape(-1)
        return _look(s_LP.reshape(-1), value(index_S), index_S, places)

    return jax.lax.map(row, (q_RD, chosen_RL), batch_size=None if _on_cpu() else len(q_RD))


def chunk_scores(q_RD: jax.Array, key_KSD: Coded, head: int, length: jax.Array, chunk: int) -> jax.Array:
    """The best score of each chunk of a head for each query, float32 [R, C]; chunks past ``length`` score `HIDDEN`."""
    size, rows = key_KSD.code.shape[1], q_RD.shape[0]
    block = min(KEY_BLOCK, size)

    def score(start):
        code, scale = _slices(key_KSD, head, start, block)
        s = dot(q_RD, code, (1, 1)) * scale  # whole numbers up to 127 are exact in bf16
        s = jnp.where(start + jnp.arange(block) < length, s, HIDDEN)
        return s.reshape(rows, block // chunk, chunk).max(-1)

    return jnp.moveaxis(jax.lax.map(score, jnp.arange(0, size, block)), 0, 1).reshape(rows, size // chunk)


def _slices(key_KSD: Coded, head: int, start, size: int) -> tuple[jax.Array, ...]:
    """Code and scale of ``size`` keys of one head. The head is cut out with them: all of its keys would be a copy each time."""
    return tuple(jax.lax.dynamic_slice(x, (head, start, *(0,) * (x.ndim - 2)), (1, size, *x.shape[2:]))[0] for x in key_KSD)


def _scores(q_D: jax.Array, key_KSD: Coded, head: int, chosen_L: jax.Array, length, chunk: int) -> jax.Array:
    """The scores of every key of the chosen chunks, float32 [L, P], for a query rounded to bf16 as in the dense form."""
    q_D = q_D.astype(jnp.bfloat16).astype(jnp.float32)
    product = lambda code, scale: (code.astype(jnp.float32) * q_D).sum(-1) * scale  # noqa: E731
    index_LP = chosen_L[:, None] * chunk + jnp.arange(chunk)
    if _on_cpu():  # chunk by chunk: to gather them first takes several times as long there
        s_LP = jax.lax.map(lambda number: product(*_slices(key_KSD, head, number * chunk, chunk)), chosen_L)
    else:
        s_LP = product(*(x[head, index_LP] for x in key_KSD))
    return jnp.where(index_LP < length, s_LP, HIDDEN)


def _on_cpu() -> bool:
    return jax.default_backend() == "cpu"


def _look(s_S: jax.Array, value_SD: jax.Array, index_S: jax.Array, places: int | None) -> tuple[Partial, Found]:
    """One query's softmax over its chosen keys; sums are float32."""
    lse = jax.nn.logsumexp(s_S)
    p_S = jnp.exp(s_S - lse)
    out = Partial((p_S[:, None] * value_SD.astype(jnp.float32)).sum(0), lse)
    if places is None:
        return out, Found(index_S, p_S)
    weight, place = jax.lax.top_k(p_S, min(places, p_S.shape[0]))
    return out, Found(index_S[place], weight)
