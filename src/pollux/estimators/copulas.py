"""Uniform numbers that repel each other: where one of a group is small the others are likely not.

Axis letters: N of a group.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri


def fine_uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Uniform in [0, 1), float32, with 46 bits near 0 where one draw has 23: enough to tell events of probability 1e-13."""
    coarse, fine = (jax.random.uniform(k, shape) for k in jax.random.split(key))
    return jnp.minimum(coarse + fine * 2.0**-23, 1 - 2.0**-24)


def dirichlet(key: jax.Array, n: int, shape: tuple[int, ...]) -> jax.Array:
    """Logarithms of uniform numbers, float32 [N, *shape]: those of a group are (1 - d_i)^(n - 1) for d of a flat Dirichlet (ARMS,
    section 3). Two of them are 1 - each other."""
    e = -jnp.log1p(-fine_uniform(key, (n, *shape)))
    others = jnp.tensordot(1.0 - jnp.eye(n), e, 1, precision="highest")  # a sum of few, not a difference: exact where e is large
    return (n - 1) * (jnp.log(others) - jnp.log(others + e))


def both_below(log_q: jax.Array, n: int) -> jax.Array:
    """P(u_j < q | u_i < q) of that Dirichlet copula, from log q: max(0, 2 - q^(-1/m))^m, m = n - 1."""
    m = n - 1
    return jnp.maximum(0.0, 1.0 - jnp.expm1(-log_q / m)) ** m


def dirichlet_ratio(logits: jax.Array, n: int) -> jax.Array:
    """1 / (1 - correlation) of two Bernoulli variables made of it, in [1/2, 1]."""
    log_q = -jax.nn.softplus(jnp.abs(logits))  # of the rarer outcome
    m = n - 1
    left = 1.0 - jnp.expm1(-log_q / m)
    safe = jnp.where(left > 0, left, 1.0)
    return jax.nn.sigmoid(jnp.abs(logits)) / jnp.where(left > 0, -jnp.expm1(m * jnp.log(safe)), 1.0)


def gaussian(key: jax.Array, n: int, shape: tuple[int, ...]) -> jax.Array:
    """Normal numbers, float32 [N, *shape], of which two of a group correlate by -1 / (n - 1), the least there can be."""
    x = jax.random.normal(key, (n, *shape))
    return math.sqrt(n / (n - 1)) * (x - x.mean(0))


def gaussian_ratio(logits: jax.Array, n: int) -> jax.Array:
    """1 / (1 - correlation) of two Bernoulli variables made of it: the bivariate normal integral over the correlation (Drezner and
    Wesolowsky 1990), which has no cancellation, by 48 points."""
    if n == 2:
        return jax.nn.sigmoid(jnp.abs(logits))
    log_q, log_p = -jax.nn.softplus(jnp.abs(logits)), jax.nn.log_sigmoid(jnp.abs(logits))
    h = ndtri(jnp.exp(log_q))
    points, weights = np.polynomial.legendre.leggauss(48)
    low = math.asin(-1 / (n - 1))
    angles = low / 2 * (1 - points)
    exponent = -(h[..., None] ** 2) / (1 + np.sin(angles)) - (log_q + log_p)[..., None]
    less = (jnp.exp(exponent) * weights).sum(-1) * (-low / 2) / (2 * math.pi)  # how far the covariance is below 0, over p q
    return 1 / (1 + less)


def gaussian_hits(x: jax.Array, log_q: jax.Array) -> jax.Array:
    """Which of the normal numbers are among the lowest share q."""
    return x < ndtri(jnp.exp(log_q))
