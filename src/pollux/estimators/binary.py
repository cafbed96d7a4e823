"""Draws of binary variables: independent (LOORF), in antithetic pairs (DisARM), and n antithetic ones (ARMS).

All take a key, logits float32 [B, D] and n, and give a `Draw` with values [N, B, D].

Axis letters: N draws; B stands for any axes of a batch; D latent variables.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from pollux.estimators.copulas import dirichlet, dirichlet_ratio, fine_uniform, gaussian, gaussian_hits, gaussian_ratio
from pollux.estimators.pairs import Draw, checked, drawn


def loorf(key: jax.Array, logits: jax.Array, n: int) -> Draw:
    """Independent draws: the score function with the other draws' mean for a baseline (LOORF, RLOO)."""
    logits = checked(logits, n)
    hits = jnp.log(fine_uniform(key, (n, *logits.shape))) < _log_q(logits)
    return drawn(_values(hits, logits), jnp.ones((1, 1, *logits.shape)), logits)


def disarm(key: jax.Array, logits: jax.Array, n: int) -> Draw:
    """n / 2 independent pairs, each antithetic (DisARM, arXiv 2006.10680). Raises ValueError for an odd n."""
    logits = checked(logits, n)
    if n % 2:
        raise ValueError(f"pairs take an even number of draws, got n={n}")
    hits = jnp.moveaxis(dirichlet(key, 2, (n // 2, *logits.shape)) < _log_q(logits), 0, 1).reshape(n, *logits.shape)
    mates = jnp.kron(jnp.eye(n // 2), 1.0 - jnp.eye(2)).reshape(n, n, *(1,) * logits.ndim)
    return drawn(_values(hits, logits), (n - 1) * mates * dirichlet_ratio(logits, 2), logits)


def arms(key: jax.Array, logits: jax.Array, n: int, *, copula: str = "dirichlet") -> Draw:
    """n draws of which any two correlate negatively (ARMS, arXiv 2105.14141). With ``copula`` "dirichlet" or "gaussian"."""
    logits = checked(logits, n)
    if copula == "dirichlet":
        hits, ratio = dirichlet(key, n, logits.shape) < _log_q(logits), dirichlet_ratio(logits, n)
    elif copula == "gaussian":
        hits, ratio = gaussian_hits(gaussian(key, n, logits.shape), _log_q(logits)), gaussian_ratio(logits, n)
    else:
        raise ValueError(f'a copula is "dirichlet" or "gaussian", got {copula!r}')
    return drawn(_values(hits, logits), jnp.broadcast_to(ratio, (1, 1, *logits.shape)), logits)


def _log_q(logits: jax.Array) -> jax.Array:
    """log of the rarer outcome's probability: accurate at any logit, as the other's is not."""
    return -jax.nn.softplus(jnp.abs(logits))


def _values(hits: jax.Array, logits: jax.Array) -> jax.Array:
    """0 and 1, from where the rarer outcome was drawn."""
    return jnp.where(logits < 0, hits, ~hits).astype(jnp.float32)
