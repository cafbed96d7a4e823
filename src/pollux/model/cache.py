"""What layers remember of the tokens before: `Past` of those just before, `Context` of everything that was read.

Axis letters: B batch, P past tokens, S context tokens, W model width, K key-value heads, D head size, A what follows a
token (`sizes.ModelConfig.follows`).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from pollux.kernels.attention import Sight
from pollux.kernels.coded import Coded
from pollux.model.sizes import LOCAL, LayerSpec, ModelConfig


class Past(NamedTuple):
    """What a layer keeps of the tokens just before.

    key, value: [B, P, K, D]; keys are not yet rotated, and do not yet hold what follows them.
    ahead: [B, P, K, 3A], query, key and value by which keys look ahead (`ahead.look_ahead`); A is 0 where they do not.
    follows: [B, P, K, A], what they saw there; that of the last few is still to change.
    token, index: int32 [B, P], the tokens and their places in the stream; index -1 where the past is empty.
    conv: [B, taps - 1, W], the last inputs of the convolution.
    """

    key: jax.Array
    value: jax.Array
    ahead: jax.Array
    follows: jax.Array
    token: jax.Array
    index: jax.Array
    conv: jax.Array


class Context(NamedTuple):
    """Everything that was read, as a retrieval layer keeps it.

    key: [K, S, D], [K, S, D + A] where keys look ahead. signs: uint32 [K * words, S], theirs (`kernels.signs`). value: [K, S, D].
    token: int32 [S]. The first ``length`` count.
    """

    key: Coded
    signs: jax.Array
    value: Coded
    token: jax.Array
    length: jax.Array

    def values(self, head: jax.Array, index: jax.Array) -> jax.Array:
        """The values at some places, float32 [..., D]."""
        return Coded(*(x[head, index] for x in self.value)).decode()


def looks_ahead(layer: LayerSpec, config: ModelConfig) -> bool:
    """Whether the keys of a layer hold what follows them."""
    return bool(config.ahead) and layer.reach != LOCAL


def key_size(layer: LayerSpec, config: ModelConfig) -> int:
    """Numbers per head of a key as queries meet it: the token's own, then those of what follows it."""
    return config.head_dim + (config.follows if looks_ahead(layer, config) else 0)


def store_sizes(layer: LayerSpec, config: ModelConfig) -> tuple[int, int, int, int]:
    """What is kept of a token that was read: key-value heads, numbers in a key and in a value of each, and the bits of these."""
    return config.kv_heads_of(layer), key_size(layer, config), config.head_dim, config.cache_bits


def empty_past(config: ModelConfig, layer: LayerSpec, batch: int, length: int, xp=jnp) -> Past:
    """Room for ``length`` tokens, none of which is there. ``xp`` is jax.numpy, or numpy to have nothing compiled."""
    shape = (batch, length, config.kv_heads_of(layer))
    blank = lambda size: xp.zeros((*shape, size), jnp.bfloat16)  # noqa: E731
    follows = config.follows if looks_ahead(layer, config) else 0
    conv = xp.zeros((batch, max(config.conv - 1, 0), config.width), jnp.float32)
    token, index = xp.zeros(shape[:2], jnp.int32), xp.full(shape[:2], -1, jnp.int32)
    return Past(blank(config.head_dim), blank(config.head_dim), blank(3 * follows), blank(follows), token, index, conv)


def join(past: Past, own: Past) -> Past:
    """The past, and new tokens behind it. ``own.conv`` holds the past's already."""
    joined = (jnp.concatenate([a, b.astype(a.dtype)], axis=1) for a, b in zip(past[:-1], own[:-1], strict=True))
    return Past(*joined, own.conv)


def joined_sight(past: Past, sight: Sight) -> Sight:
    """Where the tokens of a past, and new ones behind it, stand: a past is all of the first new token's document."""
    segment = jnp.where(past.index < 0, -1, 0)
    return Sight(jnp.concatenate([past.index, sight.index], axis=1), jnp.concatenate([segment, sight.segment], axis=1))
