"""Numbers kept in 8 bits: a row of whole numbers from -127 to 127 and one scale for it.

Keys and values of a read context are kept so, in half the bytes of bfloat16. The largest number of a row is about three times the
usual one, so rounding is off by 0.7% of that, four times as much as bfloat16's; recall is the same (docs/results.md).

Axis letters: D numbers of a row.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Coded(NamedTuple):
    """code: int8 [..., D]; scale: float32 [...]. They stand for code * scale."""

    code: jax.Array
    scale: jax.Array

    def decode(self) -> jax.Array:
        """float32 [..., D]."""
        return self.code.astype(jnp.float32) * self.scale[..., None]


def encode(x: jax.Array) -> Coded:
    """Rows [..., D] in 8 bits; no number is off by more than half a step, 1/254 of the row's largest (below 1e-36, all are 0)."""
    x = x.astype(jnp.float32)
    scale = jnp.abs(x).max(-1) / 127
    step = jnp.where(scale > 0, scale, 1.0)  # a row of zeros stays one
    return Coded(jnp.rint(x / step[..., None]).astype(jnp.int8), scale)
