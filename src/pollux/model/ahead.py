"""Keys that look ahead: what follows a token, for the keys of retrieval layers.

A value that stands before the words which say whose it is ("40917 opens the safe of …") could otherwise not be found by them. So
every token attends, with heads of its own, to itself and the ``span`` - 1 tokens behind it, and what they say of themselves is part
of its key. Only the keys know the future, never the residual stream; and a key may be seen only once all that it looks at is past.

Axis letters: B batch, S tokens, K key-value heads, A what follows (`sizes.ModelConfig.follows`).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from pollux.kernels.attention import Sight, banded, fold_keys, fold_queries, unfold_queries
from pollux.model.layers import rms_norm, rotary
from pollux.tokens.vocabulary import SPECIAL


def look_ahead(columns_BSK3A: jax.Array, sight: Sight, temperature: jax.Array, span: int, rotary_base: float) -> jax.Array:
    """RMS-normalised, float32 [B, S, K, A]: softmax attention of each token over itself and the ``span`` - 1 tokens behind it.

    It is the local attention of a text read backwards.

    Args:
        columns_BSK3A: Query, key and value of each token, side by side.
        sight: Their index, and the stretch (`stretches`) that each stands in: none sees beyond its own.
        temperature: One per head that looks ahead, of which each key-value head has several: one for the subject, say, and one for
            what is told of it.
    """
    batch, length, kv, _ = columns_BSK3A.shape
    split = lambda x: x.reshape(batch, length, temperature.size, -1)  # noqa: E731
    q, k, v = (split(x) for x in jnp.split(columns_BSK3A, 3, axis=-1))
    near, places = sight.index - sight.index[:, -1:], np.arange(1 - length, 1)[None]
    k = rotary(rms_norm(k), places, rotary_base)
    q = rotary(rms_norm(q), places, rotary_base) * (temperature[:, None] * q.shape[-1] ** -0.5)
    whole = -length % span  # the banded form needs whole windows, and one of nothing before the first token, here the last
    query, key = (Sight(_backwards(-near, whole, n), _backwards(sight.segment, whole, n, -1)) for n in (0, span))
    rows = fold_queries(_backwards(q, whole, 0), temperature.size)
    part = banded(rows, *(fold_keys(_backwards(x, whole, span)) for x in (k, v)), query, key, span)
    out = unfold_queries(part.out, batch, length + whole)[:, ::-1][:, whole:]
    return rms_norm(out.reshape(batch, length, kv, -1))


def _backwards(x: jax.Array, front: int, end: int, fill: int = 0) -> jax.Array:
    """x [B, S, ...] from its last token to its first, with room before and behind."""
    return jnp.pad(x, [(0, 0), (front, end)] + [(0, 0)] * (x.ndim - 2), constant_values=fill)[:, ::-1]


def stretches(token_BS: jax.Array, sight: Sight) -> jax.Array:
    """The stretch of text, between two tokens of the template, that each token stands in: int32 [B, S], growing along the row; -1
    for the template's own tokens and where nothing stands."""
    closing = (token_BS < SPECIAL) | (sight.segment < 0)
    changes = jnp.concatenate([jnp.zeros_like(closing[:, :1]), sight.segment[:, 1:] != sight.segment[:, :-1]], axis=1)
    return jnp.where(closing, -1, jnp.cumsum(closing | changes, axis=1))


def settled(index_BS: jax.Array, stretch_BS: jax.Array, span: int) -> jax.Array:
    """The index from which on a key is whole, and may be seen: int32 [B, S]. It waits for ``span`` - 1 tokens, or for one that is
    not of its stretch."""
    length = stretch_BS.shape[1]
    place = jnp.arange(length)
    after = jnp.pad(stretch_BS[:, 1:], [(0, 0), (0, 1)], mode="edge")
    ends = (after != stretch_BS) & (stretch_BS >= 0)
    wait = jax.lax.cummin(jnp.where(ends, place + 1, length + span), axis=1, reverse=True) - place
    return index_BS + jnp.where(stretch_BS < 0, 0, jnp.minimum(wait, span - 1))
