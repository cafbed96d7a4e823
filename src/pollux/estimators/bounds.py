"""Gradients of the multi-sample bound L = log(1/n sum_i r_i), r_i = p(x, z_i) / q(z_i | x), by the logits of a binary q.

Each adds the direct term, -sum_i w_i grad log q(z_i) with w_i = r_i / sum r, which the bound has because r_i holds q itself; unlike
the ELBO's it is not zero on average.

Axis letters: N draws; B stands for any axes of a batch; D latent variables.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from pollux.estimators.pairs import Draw, gradient


def bound(log_r_NB: jax.Array) -> jax.Array:
    """L, float32 [B]. Raises ValueError when there is no draw."""
    if not jnp.ndim(log_r_NB) or not log_r_NB.shape[0]:
        raise ValueError(f"a bound takes a draw or more, log_r [N, ...], got the shape {jnp.shape(log_r_NB)}")
    return jax.nn.logsumexp(log_r_NB, axis=0) - math.log(log_r_NB.shape[0])


def vimco(draw: Draw, logits: jax.Array, log_r_NB: jax.Array) -> jax.Array:
    """From n independent draws (`binary.loorf`), with the others' geometric mean in the place of each (VIMCO, arXiv 1602.06725):
    float32 [B, D]. All three raise ValueError for fewer than 2 draws in the bound, and where shapes do not fit."""
    log_r_NB = _checked(draw, logits, log_r_NB)
    n = _several(log_r_NB)
    mean_NB = _without_each(log_r_NB, 0.0).sum(1) / (n - 1)
    without_NB = jnp.logaddexp(_others(log_r_NB), mean_NB) - math.log(n)
    learned_NB = bound(log_r_NB) - without_NB - jax.nn.softmax(log_r_NB, axis=0)
    return (learned_NB[..., None] * (draw.value - jax.nn.sigmoid(logits))).sum(0)


def local_disarm(draw: Draw, logits: jax.Array, log_r_NB: jax.Array) -> jax.Array:
    """From n antithetic pairs (`binary.disarm` of 2n draws, mates side by side), the first of each in the bound and the second in
    its place (DisARM, arXiv 2006.10680, section 4), and the other way round: the mean of both, float32 [B, D].

    Raises:
        ValueError: when the draws are not pairs, or a single pair.
    """
    log_r_NB = _checked(draw, logits, log_r_NB)
    if log_r_NB.shape[0] % 2:
        raise ValueError(f"pairs take an even number of draws, got n={log_r_NB.shape[0]}")
    return (_half(draw, logits, log_r_NB, 0) + _half(draw, logits, log_r_NB, 1)) / 2


def _half(draw: Draw, logits: jax.Array, log_r_NB: jax.Array, first: int) -> jax.Array:
    log_r, other = log_r_NB[first::2], log_r_NB[1 - first :: 2]
    value, mate = draw.value[first::2], draw.value[1 - first :: 2]
    n = _several(log_r)
    swapped = jnp.logaddexp(_others(log_r), other) - math.log(n)
    change = ((bound(log_r) - swapped)[..., None] * (value - mate)).sum(0) / 2 * jax.nn.sigmoid(jnp.abs(logits))
    return change + _direct(value, logits, log_r)


def local_arms(own: Draw, log_r_NB: jax.Array, antithetic: Draw, log_s_NB: jax.Array, logits: jax.Array) -> jax.Array:
    """From n independent draws (``own``, `binary.loorf`) in the bound, and n antithetic ones (`binary.arms`) of which each takes
    the place of each: a gradient by the ARMS draws for each place, and their sum (2n values of the function), float32 [B, D].

    Args:
        log_r_NB, log_s_NB: log p(x, z) - log q(z | x) of the two.
    """
    log_r_NB, log_s_NB = _checked(own, logits, log_r_NB), _checked(antithetic, logits, log_s_NB)
    n = _several(log_r_NB)
    if log_s_NB.shape != log_r_NB.shape:
        raise ValueError(f"there are as many antithetic draws as independent ones, got {log_s_NB.shape[0]} for {n}")
    # [place, draw, B]: gradients are linear in f, so the sum over places is that of one f
    replaced = jnp.logaddexp(_others(log_r_NB)[:, None], log_s_NB[None]) - math.log(n)
    return gradient(antithetic, replaced.sum(0)) + _direct(own.value, logits, log_r_NB)


def _several(log_r_NB: jax.Array) -> int:
    if log_r_NB.shape[0] < 2:
        raise ValueError(f"a bound whose gradient is estimated takes 2 draws or more, got {log_r_NB.shape[0]}")
    return log_r_NB.shape[0]


def _others(log_r_NB: jax.Array) -> jax.Array:
    """log of the sum of r over all but each, float32 [N, B]."""
    return jax.nn.logsumexp(_without_each(log_r_NB, -jnp.inf), axis=1)


def _without_each(log_r_NB: jax.Array, instead: float) -> jax.Array:
    """[N, N, B]: in row i all of them, but for number i."""
    n = log_r_NB.shape[0]
    return jnp.where(jnp.eye(n, dtype=bool).reshape(n, n, *(1,) * (log_r_NB.ndim - 1)), instead, log_r_NB[None])


def _checked(draw: Draw, logits: jax.Array, log_r_NB: jax.Array) -> jax.Array:
    """log r, float32, if there is one for each draw."""
    log_r_NB, shape = jnp.asarray(log_r_NB, jnp.float32), jnp.shape(logits)
    if draw.value.shape[1:] != shape:
        raise ValueError(f"draws of binary variables are [N, ...] and their logits' shape {shape}, got {draw.value.shape}")
    if log_r_NB.shape != (wanted := (draw.value.shape[0], *shape[:-1])):
        raise ValueError(f"log_r needs a value for each draw, {wanted}, got {log_r_NB.shape}")
    return log_r_NB


def _direct(value: jax.Array, logits: jax.Array, log_r_NB: jax.Array) -> jax.Array:
    return -(jax.nn.softmax(log_r_NB, axis=0)[..., None] * (value - jax.nn.sigmoid(logits))).sum(0)
