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
# From so many chunks on, one of so many is looked at exactly, and never fewer than `LEAST_SHORTLIST`.
SHORTLIST_FROM, SHORTLIST_SHARE, LEAST_SHORTLIST = 2048, 256, 256
# The places that are handed back as evidence, per query row.
EVIDENCE = 8

# From the indices of keys [S'] to their values [S', any size].
Values = Callable[[jax.Array], jax.Array]


class Found(NamedTuple):
    """The keys that weighed most: their index in the context (int32 [K, M, EVIDENCE]) and their share of the softmax."""

    index: jax.Array
    weight: jax.Array


class Keys(NamedTuple):
    """The keys of one head, or with a leading axis of all. key: [S, D]; signs: uint32 [W, S], `signs.signs` of them."""

    key: Coded
    signs: jax.Array


def retrieve(q_KMD, keys: Keys, value: Callable, length, chunk: int, selected: int) -> tuple[Partial, Found]:
    """Attention over the best ``selected`` chunks of each query row. S must be a multiple of min(S, KEY_BLOCK) and of chunk.

    Args:
        value: A function from a key-value head and the keys' indices [S'] to their values [S', any size].
        length: How many keys count; at 0 the result weighs nothing (its log-sum-exp is about `HIDDEN`).
    """
    heads, rows, _ = q_KMD.shape
    block = min(ROW_BLOCK, rows)
    q_NRD = jnp.pad(q_KMD, [(0, 0), (0, -rows % block), (0, 0)]).reshape(heads, -1, block, q_KMD.shape[-1])

    def head(number: int) -> tuple[Partial, Found]:
        own = jax.tree.map(lambda x: x[number], keys)
        look = lambda q_RD: _block(q_RD, own, lambda at: value(number, at), length, chunk, selected)  # noqa: E731
        out = jax.lax.map(look, q_NRD[number])
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:rows], out)

    return jax.tree.map(lambda *each: jnp.stack(each), *map(head, range(heads)))


def _block(q_RD, keys: Keys, value: Values, length, chunk: int, selected: int) -> tuple[Partial, Found]:
    """Some queries of one head."""
    chunks = keys.key.code.shape[0] // chunk
    selected, shortlist = min(selected, chunks), max(LEAST_SHORTLIST, chunks // SHORTLIST_SHARE, selected)
    if chunks < max(SHORTLIST_FROM, shortlist):
        _, chosen_RL = jax.lax.top_k(chunk_scores(q_RD, keys.key, length, chunk), selected)
    else:
        _, chosen_RL = jax.lax.top_k(rough_scores(q_RD, keys.signs, length, chunk), shortlist)

    def row(query_chunks):
        q_D, chosen_L = query_chunks
        s_LP = _scores(q_D, keys.key, chosen_L, length, chunk)
        if len(chosen_L) > selected:
            _, best = jax.lax.top_k(s_LP.max(-1), selected)
            s_LP, chosen_L = s_LP[best], chosen_L[best]
        index_S = (chosen_L[:, None] * chunk + jnp.arange(chunk)).reshape(-1)
        return _look(s_LP.reshape(-1), value(index_S), index_S)

    return jax.lax.map(row, (q_RD, chosen_RL))


def chunk_scores(q_RD: jax.Array, key_SD: Coded, length: jax.Array, chunk: int) -> jax.Array:
    """The best score of each chunk for each query, float32 [R, C]; chunks past ``length`` score `HIDDEN`."""
    size, rows = key_SD.code.shape[0], q_RD.shape[0]
    block = min(KEY_BLOCK, size)

    def score(start):
        code, scale = (jax.lax.dynamic_slice_in_dim(x, start, block) for x in key_SD)
        s = dot(q_RD, code, (1, 1)) * scale  # whole numbers up to 127 are exact in bf16
        s = jnp.where(start + jnp.arange(block) < length, s, HIDDEN)
        return s.reshape(rows, block // chunk, chunk).max(-1)

    return jnp.moveaxis(jax.lax.map(score, jnp.arange(0, size, block)), 0, 1).reshape(rows, size // chunk)


def _scores(q_D: jax.Array, key_SD: Coded, chosen_L: jax.Array, length, chunk: int) -> jax.Array:
    """The scores of every key of the chosen chunks, float32 [L, P], for a query rounded to bf16 as in the dense form.

    Chunk by chunk: to gather them first, or to have a matrix product of so few rows, takes several times as long on CPU.
    """
    q_D = q_D.astype(jnp.bfloat16).astype(jnp.float32)

    def score(number):
        code, scale = (jax.lax.dynamic_slice_in_dim(x, number * chunk, chunk) for x in key_SD)
        return jnp.where(number * chunk + jnp.arange(chunk) < length, (code.astype(jnp.float32) * q_D).sum(-1) * scale, HIDDEN)

    return jax.lax.map(score, chosen_L)


def _look(s_S: jax.Array, value_SD: jax.Array, index_S: jax.Array) -> tuple[Partial, Found]:
    """One query's softmax over its chosen keys; sums are float32."""
    lse = jax.nn.logsumexp(s_S)
    p_S = jnp.exp(s_S - lse)
    weight, place = jax.lax.top_k(p_S, min(EVIDENCE, p_S.shape[0]))
    out_D = (p_S[:, None] * value_SD.astype(jnp.float32)).sum(0)
    return Partial(out_D, lse), Found(index_S[place], weight)
