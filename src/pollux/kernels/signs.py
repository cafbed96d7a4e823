"""Which keys may be near a query, told from one bit of each of their numbers: a first look at millions of keys.

A key of 192 numbers is kept as 24 bytes of signs beside its 96 bytes, and a query as its signs and two bits of how large each of
its numbers is. Their product is then made of bit operations, 32 numbers at a time. `kernels.retrieval` looks at the best few
thousand exactly; answers are then the same as with every key scored (docs/results.md).

Axis letters: K key-value heads, R query rows, S context tokens, D head size, W words of 32 signs, C chunks.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

_BITS = 32
# A number as large as the mean counts 1.2 times, and the largest 3 times: what two bits tell best.
_STEP, _MOST = 1.2, 3
# The mean size of a key's numbers, which are normalised and about normal.
_KEY = 0.8


def words(size: int) -> int:
    """How many words hold the signs of ``size`` numbers."""
    return -(-size // _BITS)


def signs(x: jax.Array) -> jax.Array:
    """uint32 [..., W] of numbers [..., D]: bit i of word w is set where number 32 w + i is negative."""
    return _packed(x < 0)


def _packed(bits: jax.Array) -> jax.Array:
    bits = jnp.pad(bits, [(0, 0)] * (bits.ndim - 1) + [(0, -bits.shape[-1] % _BITS)])
    bits = bits.reshape(*bits.shape[:-1], -1, _BITS).astype(jnp.uint32)
    return (bits << jnp.arange(_BITS, dtype=jnp.uint32)).sum(-1, dtype=jnp.uint32)


def rough_scores(q_RD, signs_WS: jax.Array, length: jax.Array, chunk: int, less_RC: jax.Array | float = 0.0) -> jax.Array:
    """How well the best key of each chunk agrees with each query, less what is to be taken from its score, float32 [R, C]; far
    below all others for chunks past ``length``. In floating point: that alone can be ranked quickly on CPU.
    """
    size = jnp.abs(q_RD)
    step = jnp.maximum(size.mean(-1, keepdims=True), 1e-30) / _STEP
    level = jnp.clip(jnp.rint(size / step), 0, _MOST).astype(jnp.uint32)
    agrees_RW, ones_RW, twos_RW = ~signs(q_RD), _packed(level & 1 > 0), _packed(level & 2 > 0)
    total_RS = 0
    for w, key_S in enumerate(signs_WS):
        same = agrees_RW[:, w, None] ^ key_S
        ones, twos = (jax.lax.population_count(same & mask[:, w, None]) for mask in (ones_RW, twos_RW))
        total_RS += ones + 2 * twos
    best_RC = total_RS.reshape(len(q_RD), -1, chunk).max(-1).astype(jnp.float32)
    # a number more that agrees is one less that does not: two steps of the query, each times a key's number
    return jnp.where(jnp.arange(best_RC.shape[1]) * chunk < length, best_RC - less_RC / (2 * step * _KEY), -1e30)
