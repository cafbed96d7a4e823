"""The one matrix product: bf16 operands (float32 ones on a CPU without products of bf16), float32 sums, and a derivative that
stays in the forms that are fast everywhere.

Axis letters: M rows, K contracted, N columns.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

import jax
import jax.numpy as jnp
from jax.experimental.layout import Layout, with_layout_constraint

# What a CPU that multiplies bf16 says of itself. On others such products go by way of float32: 63 to 94 GFLOP/s on two cores of an
# EPYC (Zen 3), where those of float32 do 87 to 160.
_MULTIPLIES_BF16 = {"avx512_bf16", "amx_bf16"}


@cache
def operand() -> jnp.dtype:
    """What operands are rounded to: bfloat16, or float32, which is to say not at all, on a CPU without products of bfloat16."""
    if jax.default_backend() != "cpu":
        return jnp.dtype(jnp.bfloat16)
    info = Path("/proc/cpuinfo")
    flags = set(info.read_text().split()) if info.exists() else set()
    return jnp.dtype(jnp.bfloat16 if flags & _MULTIPLIES_BF16 else jnp.float32)


def dot(a: jax.Array, b: jax.Array, contract: tuple[int, int]) -> jax.Array:
    """Product of `operand`s with a float32 sum. ``contract`` names the contracted axis of each, 0 or 1, behind the batch axes."""
    a, b = a.astype(operand()), b.astype(operand())
    if jax.default_backend() == "cpu" and a.dtype == jnp.bfloat16:
        return _dot_on_cpu(a, b, contract)
    return _dot(a, b, contract)


def _dot(a: jax.Array, b: jax.Array, contract: tuple[int, int]) -> jax.Array:
    batch = tuple(range(a.ndim - 2))
    dims = (((len(batch) + contract[0],), (len(batch) + contract[1],)), (batch, batch))
    return jax.lax.dot_general(a, b, dims, preferred_element_type=jnp.float32)


@partial(jax.jit, static_argnums=2)
def _dot_on_cpu(a: jax.Array, b: jax.Array, contract: tuple[int, int]) -> jax.Array:
    """XLA on CPU has a bf16 product for row-major operands contracted as (1, 0) or (1, 1). Anything else it widens to float32
    (85 against 150 GFLOP/s), or refuses when run. So layouts are pinned, and a^T b transposes its smaller operand for real.

    It is a program of its own because jax 0.10.2 leaves the layout of all outputs to XLA where one of them is pinned at the top
    level, and then reads them wrongly: gradients of products would come out of a jit scrambled.
    """
    if contract == (0, 0):
        if b.shape[-1] < a.shape[-1]:
            return jnp.swapaxes(_dot_on_cpu(b, a, (0, 0)), -1, -2)
        a, contract = jnp.swapaxes(a, -1, -2), (1, 0)
    return _row_major(_dot(_row_major(a), _row_major(b), contract))


def _row_major(x: jax.Array) -> jax.Array:
    return with_layout_constraint(x, Layout(tuple(range(x.ndim))))


@jax.custom_vjp
def product(a: jax.Array, b: jax.Array) -> jax.Array:
    """``a @ b`` of `operand`s with float32 sums, leading axes as batch: [..., M, K] x [..., K, N] -> float32 [..., M, N].

    It has its own derivative because XLA on CPU has no bf16 product for every operand layout that automatic differentiation
    may ask for; these three forms are the fast ones there, and as good as any elsewhere.
    """
    return dot(a, b, (1, 0))


def _forward(a, b):
    # the operands are kept as they are multiplied; empty arrays remember the dtypes that their cotangents must have
    like = jnp.zeros(0, a.dtype), jnp.zeros(0, b.dtype)
    a, b = a.astype(operand()), b.astype(operand())
    return dot(a, b, (1, 0)), (a, b, like)


def _backward(saved, g):
    a, b, like = saved
    g = g.astype(operand())
    return dot(g, b, (1, 1)).astype(like[0].dtype), dot(a, g, (0, 0)).astype(like[1].dtype)


product.defvjp(_forward, _backward)


@jax.custom_vjp
def gated(h: jax.Array) -> jax.Array:
    """silu(gate) * up of h = [gate, up] side by side: float32 [..., 2F] -> `operand` [..., F], in one pass each way."""
    gate, up = jnp.split(h, 2, axis=-1)
    return (jax.nn.silu(gate) * up).astype(operand())


def _gated_backward(h, g):
    gate, up = jnp.split(h.astype(jnp.float32), 2, axis=-1)
    g, chance = g.astype(jnp.float32), jax.nn.sigmoid(gate)
    d_gate = g * up * chance * (1 + gate * (1 - chance))
    return (jnp.concatenate([d_gate, g * gate * chance], axis=-1),)


# what the backward pass needs is kept as it is multiplied: the products on either side round to that anyway
gated.defvjp(lambda h: (gated(h), h.astype(operand())), _gated_backward)


def linear(x: jax.Array, w: jax.Array) -> jax.Array:
    """x [..., K] times w [K, N] -> float32 [..., N]. A single row is padded to two: a one-row bf16 product crawls on CPU."""
    rows = x.reshape(-1, x.shape[-1])
    if rows.shape[0] == 1:
        return product(jnp.concatenate([rows, rows]), w)[:1].reshape(*x.shape[:-1], w.shape[-1])
    return product(rows, w).reshape(*x.shape[:-1], w.shape[-1])
