"""Gradients of an expectation over discrete variables from n draws and a function's values: one kernel for every estimator.

    draw = arms(key, logits, n)          # or loorf, disarm, stick_breaking, …
    f_N = [objective(z) for z in draw.value]
    d_logits = gradient(draw, f_N)

    g = 1 / (n (n - 1)) * sum over pairs i < j of ratio_ij (f_i - f_j) (z_i - z_j)

Draws may depend on each other; the ratio, P(z_i = a) P(z_j = c) / P(z_i = a, z_j = c) for what i and j drew, makes up for that,
and is 1 where they do not (LOORF, also known as RLOO). Each latent variable has a dependence of its own, so f may be any function
of all of them. (ARMS: arXiv 2105.14141. CARMS: arXiv 2110.14002.)

Axis letters: N draws; B stands for any axes of a batch, none among them; D latent variables; C categories.
"""

from __future__ import annotations

import operator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Draw(NamedTuple):
    """n draws of the latent variables, and what makes up for their dependence.

    value: float32, binary [N, B, D] of 0 and 1, or categorical [N, B, D, C], one-hot.
    ratio: float32, of as many axes as [N, N, B, D], and broadcastable to it.
    """

    value: jax.Array
    ratio: jax.Array


def gradient(draw: Draw, f_NB: jax.Array) -> jax.Array:
    """An unbiased estimate of the gradient of E[f] by the logits, shaped like them.

    Args:
        f_NB: f of each draw. It is a number for each member of the batch, of all of that member's latent variables.

    Raises:
        ValueError: when there is no value of f for each draw.
    """
    value, f_NB = draw.value, jnp.asarray(f_NB, jnp.float32)
    axes = draw.ratio.ndim - 3  # those of the batch
    if f_NB.shape != value.shape[: 1 + axes]:
        raise ValueError(f"f needs a value for each draw, {value.shape[: 1 + axes]}, got {f_NB.shape}")
    n = value.shape[0]
    credit_NBD = (draw.ratio * (f_NB[:, None] - f_NB[None])[..., None]).sum(1) / (n * (n - 1))
    if value.ndim > credit_NBD.ndim:
        credit_NBD = credit_NBD[..., None]
    # from the first draw on: where all drew alike, nothing is left, to the last bit
    return (credit_NBD * (value - value[:1])).sum(0)


def surrogate(logits: jax.Array, estimate: jax.Array) -> jax.Array:
    """A number whose gradient by the logits is the estimate, scalar: taken from a loss that is to fall, it makes E[f] rise.

    Raises:
        ValueError: when there is no estimate for each logit.
    """
    if jnp.shape(logits) != jnp.shape(estimate):
        raise ValueError(f"an estimate is shaped like its logits, {jnp.shape(logits)}, got {jnp.shape(estimate)}")
    return (jax.lax.stop_gradient(estimate) * logits).sum()


def drawn(value: jax.Array, ratio: jax.Array, logits: jax.Array, *, categories: bool = False) -> Draw:
    """A draw of these logits. It has no derivative: what a draw would change is what is being estimated. Where a logit is NaN
    (which under jit cannot be refused), so is the ratio, and every estimate made of it."""
    unknown = jnp.isnan(logits).any(-1) if categories else jnp.isnan(logits)
    return jax.lax.stop_gradient(Draw(value, jnp.where(unknown, jnp.nan, ratio)))


def checked(logits: jax.Array, n: int, *, categories: bool = False) -> jax.Array:
    """The logits, float32, if n draws can be made of them.

    Raises:
        ValueError: n is no whole number, or less than 2; a scalar, or a single category; or, where they are known (not under jit),
            NaN, infinity, or a variable without any category that can be drawn.
    """
    logits = jnp.asarray(logits, jnp.float32)
    try:
        n = operator.index(n)
    except TypeError:
        hint = "under jit make it static, as in jax.jit(arms, static_argnums=2)"
        raise ValueError(f"n is a whole number that is known beforehand, got {n!r}; {hint}") from None
    if n < 2:
        raise ValueError(f"an estimate takes 2 draws or more, got n={n}")
    if logits.ndim < 1 + categories:
        raise ValueError(f"logits need {'[..., D, C]' if categories else '[..., D]'}, got the shape {logits.shape}")
    if categories and logits.shape[-1] < 2:
        raise ValueError(f"a categorical variable needs 2 categories or more, got {logits.shape[-1]}")
    if not isinstance(logits, jax.core.Tracer):
        _check_numbers(np.asarray(logits), categories)
    return logits


def _check_numbers(logits: np.ndarray, categories: bool) -> None:
    if np.isnan(logits).any():
        raise ValueError("logits hold NaN; look at what made them")
    if np.isposinf(logits).any() or (not categories and np.isinf(logits).any()):
        raise ValueError("logits hold infinity; clip them, to 30 say: what lies beyond is never drawn")
    if categories and np.isneginf(logits).all(-1).any():
        raise ValueError("a categorical variable has no category that can be drawn, all its logits are -inf")
