"""Numbers kept in 4 or 8 bits: a row of whole numbers, and one scale for it.

Keys and values of a read context are kept so, in a quarter or half of the bytes of bfloat16. The largest number of a row is about
three times the usual one. So in 4 bits rounding is off by an eighth of that, and a product of 192 such numbers by less than a
hundredth of the largest that it can be: recall is the same (docs/results.md). In 8 bits it is an 18th of these.

Axis letters: D numbers of a row.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# The largest whole number, by bits.
_MOST = {4: 7, 8: 127}


class Coded(NamedTuple):
    """code: int8 [..., D]; or, in 4 bits, uint8 [..., D / 2], the first half of the numbers in the lower four, the second in the
    upper, each 8 too large. scale: float32 [...]. They stand for number * scale."""

    code: jax.Array
    scale: jax.Array

    @property
    def bits(self) -> int:
        return 8 if self.code.dtype == np.int8 else 4

    def numbers(self) -> jax.Array:
        """Whole numbers, int8 [..., D]."""
        if self.bits == 8:
            return self.code
        return jnp.concatenate([self.code & 15, self.code >> 4], axis=-1).astype(jnp.int8) - 8

    def times(self, x_D: jax.Array) -> jax.Array:
        """The product of each row with one of numbers, float32 [...], made without writing the rows out."""
        product = lambda code, x: jnp.dot(code.astype(jnp.float32), x)  # noqa: E731
        if self.bits == 8:
            return product(self.code, x_D) * self.scale
        low, high = jnp.split(x_D, 2)
        return (product(self.code & 15, low) + product(self.code >> 4, high) - 8 * x_D.sum()) * self.scale

    def decode(self) -> jax.Array:
        """float32 [..., D]."""
        return self.numbers().astype(jnp.float32) * self.scale[..., None]


def layout(size: int, bits: int) -> tuple[np.dtype, int]:
    """The type and the length of a row's code of ``size`` numbers."""
    return (np.dtype(np.int8), size) if bits == 8 else (np.dtype(np.uint8), size // 2)


def encode(x: jax.Array, bits: int = 4) -> Coded:
    """Rows [..., D], of an even D; no number is off by more than half a step, a 14th or a 254th of the row's largest (below 1e-36,
    all are 0)."""
    x = x.astype(jnp.float32)
    scale = jnp.abs(x).max(-1) / _MOST[bits]
    step = jnp.where(scale > 0, scale, 1.0)  # a row of zeros stays one
    whole = jnp.rint(x / step[..., None])
    if bits == 8:
        return Coded(whole.astype(jnp.int8), scale)
    low, high = jnp.split((whole + 8).astype(jnp.uint8), 2, axis=-1)
    return Coded(low | high << 4, scale)
