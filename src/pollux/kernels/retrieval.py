"""Retrieval over a long context: score every key, keep the best chunks, and look at those exactly.

The selection is exact: a chunk is as good as its best key. A mean of keys would drown one token's signal among 160,000 chunks.
With every chunk kept it equals dense attention.

Axis letters: K key-value heads, M query rows, S context tokens, D head size, C chunks, L chunks kept, P tokens per chunk.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from pollux.kernels.attention import HIDDEN, Partial
from pollux.kernels.coded import Coded
from pollux.kernels.products import dot

# Keys scored at once: scores of a block are M x KEY_BLOCK floats.
KEY_BLOCK = 8192
# Query rows whose chosen keys are gathered at once.
ROW_BLOCK = 64
# The places that are handed back as evidence, per query row.
EVIDENCE = 8


class Found(NamedTuple):
    """The keys that weighed most: their index in the context (int32 [K, M, EVIDENCE]) and their share of the softmax."""

    index: jax.Array
    weight: jax.Array


def chunk_scores(q_KMD: jax.Array, key_KSD: Coded, length: jax.Array, chunk: int) -> jax.Array:
    """The best score of each chunk for each query, float32 [K, M, C]; chunks past ``length`` score `HIDDEN`."""
    heads, size, _ = key_KSD.code.shape
    block = min(KEY_BLOCK, size)
    rows = q_KMD.shape[1]

    def score(start):
        code, scale = (jax.lax.dynamic_slice_in_dim(x, start, block, axis=1) for x in key_KSD)
        s = dot(q_KMD, code, (1, 1)) * scale[:, None]  # whole numbers up to 127 are exact in bf16
        s = jnp.where(start + jnp.arange(block) < length, s, HIDDEN)
        return s.reshape(heads, rows, block // chunk, chunk).max(-1)

    best = jax.lax.map(score, jnp.arange(0, size, block))
    return jnp.moveaxis(best, 0, 2).reshape(heads, rows, size // chunk)


def retrieve(q_KMD, key_KSD: Coded, value, length, chunk: int, selected: int) -> tuple[Partial, Found]:
    """Attention over the best ``selected`` chunks of each query row. S must be a multiple of min(S, KEY_BLOCK) and of chunk.

    Args:
        value: A function from a key-value head and the keys' indices [S'] to their values [S', any size].
        length: How many keys count; at 0 the result weighs nothing (its log-sum-exp is about `HIDDEN`).
    """
    heads, size, _ = key_KSD.code.shape
    best_KMC = chunk_scores(q_KMD, key_KSD, length, chunk)
    _, chosen_KML = jax.lax.top_k(best_KMC, min(selected, size // chunk))

    def row(head_query_chunks):
        head, q_D, chosen_L = head_query_chunks
        index_S = (chosen_L[:, None] * chunk + jnp.arange(chunk)).reshape(-1)
        key = Coded(*(x[head, index_S] for x in key_KSD)).decode()
        return _look(q_D, key, value(head, index_S), index_S, length)

    rows = q_KMD.shape[1]
    head = jnp.repeat(jnp.arange(heads), rows)
    flat = lambda x: x.reshape(heads * rows, *x.shape[2:])  # noqa: E731
    # in batches, so that the gathered keys of a few rows, not of all, are in memory at once
    out = jax.lax.map(row, (head, flat(q_KMD), flat(chosen_KML)), batch_size=min(ROW_BLOCK, heads * rows))
    part, found = jax.tree.map(lambda x: x.reshape(heads, rows, *x.shape[1:]), out)
    return part, found


def _look(q_D, key_SD, value_SD, index_S, length) -> tuple[Partial, Found]:
    """One query, rounded to bf16 as in the dense form, over its chosen keys; sums are float32."""
    q_D = q_D.astype(jnp.bfloat16).astype(jnp.float32)
    s_S = jnp.where(index_S < length, (key_SD * q_D).sum(-1), HIDDEN)
    lse = jax.nn.logsumexp(s_S)
    p_S = jnp.exp(s_S - lse)
    weight, place = jax.lax.top_k(p_S, min(EVIDENCE, p_S.shape[0]))
    out_D = (p_S[:, None] * value_SD.astype(jnp.float32)).sum(0)
    return Partial(out_D, lse), Found(index_S[place], weight)
