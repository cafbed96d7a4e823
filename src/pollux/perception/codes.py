"""Codes: what a cell of a picture looks like as one of 1,024, by finite scalar quantisation (Mentzer et al., arXiv 2309.15505).

Features are brought to five numbers between 0 and 3, and these are rounded: five digits of four levels. Rounding has no derivative;
gradients pass it as if it were not there.

Axis letters: B pictures; R, C rows and columns of cells; D features; L the code's digits.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from pollux.base.weights import Tree
from pollux.perception.blocks import head, read_out

LEVELS, DIGITS = 4, 5
CODES = LEVELS**DIGITS


def codes_table(channels: int) -> Tree:
    return head(channels, DIGITS)


def quantised(params: Tree, x_BRCD: jax.Array) -> jax.Array:
    """Features -> float32 [B, R, C, L], each a multiple of 2/3 from -1 to 1; gradients go straight through."""
    soft = (LEVELS - 1) * jax.nn.sigmoid(read_out(params, x_BRCD))
    hard = soft + jax.lax.stop_gradient(jnp.round(soft) - soft)
    return hard * (2 / (LEVELS - 1)) - 1


def numbered(digits_BRCL: jax.Array) -> jax.Array:
    """Digits as `quantised` gives them -> ids, int32 [B, R, C], 0 to 1,023."""
    levels = jnp.round((digits_BRCL + 1) * ((LEVELS - 1) / 2)).astype(jnp.int32)
    return (levels * LEVELS ** jnp.arange(DIGITS, dtype=jnp.int32)).sum(-1)


def digits(ids: jax.Array) -> jax.Array:
    """The inverse of `numbered`: int32 [...] -> float32 [..., L]."""
    levels = ids[..., None] // LEVELS ** jnp.arange(DIGITS, dtype=jnp.int32) % LEVELS
    return levels * (2 / (LEVELS - 1)) - 1
