"""What is said last, or first: how long before a question a key stands, for layers that have no positions.

    score of a key = query . key - slope * log(1 + tokens from the key up to the question)

The slope is the query's own, head by head, so that "where is she now?" can ask for it and other questions need not; text that is
merely read has none. The logarithm makes it as easy to tell the last of several from the one before in ten million tokens as
in two thousand: only how their distances compare counts. And it grows with length just as the other scores do (`model.attention`).

Lessons have their questions at the end, so ages count to the first. A chat's finished turns are read like text, and age like it.

Axis letters: B batch, T tokens, M tokens that look, S keys at hand, H heads, K key-value heads, D head size.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from pollux.kernels.attention import Sight
from pollux.tokens.vocabulary import USER


def ages(token_BT: jax.Array, sight: Sight, first_BT: jax.Array) -> jax.Array:
    """log(1 + tokens up to the question) for the tokens of whole lessons, float32 [B, T]: of questions and answers 0, of text that
    nobody asks about something above 0.

    Args:
        first_BT: Where the document of each token begins.
    """
    length = token_BT.shape[1]
    place = jnp.arange(length)
    asks = token_BT == USER
    asked = jax.lax.cummax(jnp.where(asks, place, -1), axis=1) >= first_BT
    coming = jax.lax.cummin(jnp.where(asks, place, 2 * length), axis=1, reverse=True)
    return jnp.where(asked, 0.0, jnp.log1p((coming - place).astype(jnp.float32)))


def with_slope(query_BMHD: jax.Array, slope_BMH: jax.Array, age_BM: jax.Array) -> jax.Array:
    """Queries [B, M, H, D + 2] that meet keys with their ages; what has an age itself asks nothing."""
    slope = jnp.where(age_BM[..., None] > 0, 0.0, slope_BMH)[..., None]
    return jnp.concatenate([query_BMHD, slope, slope], axis=-1)


def with_age(key_BSKD: jax.Array, age_BS: jax.Array) -> jax.Array:
    """Keys [B, S, K, D + 2] with their ages, in two parts: products are bfloat16, which alone would be off by one in 256."""
    high = age_BS.astype(jnp.bfloat16).astype(jnp.float32)
    parts = -jnp.stack([high, age_BS - high], axis=-1)[:, :, None]
    return jnp.concatenate([key_BSKD, jnp.broadcast_to(parts, (*key_BSKD.shape[:3], 2)).astype(key_BSKD.dtype)], axis=-1)
