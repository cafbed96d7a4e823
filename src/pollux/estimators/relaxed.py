"""Relaxed draws, for comparison: biased, but with a gradient of their own through a function that takes any numbers.

Axis letters: N draws; B stands for any axes of a batch; D latent variables; C categories.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from pollux.estimators.pairs import checked


def gumbel_straight_through(key: jax.Array, logits: jax.Array, n: int, temperature: float = 1.0) -> jax.Array:
    """One-hot draws [N, B, D, C] whose gradient by the logits is that of a softmax with Gumbel noise (arXiv 1611.01144)."""
    logits = checked(logits, n, categories=True)
    noisy = (logits + jax.random.gumbel(key, (n, *logits.shape))) / _positive(temperature)
    return _through(jax.nn.one_hot(jnp.argmax(noisy, -1), logits.shape[-1]), jax.nn.softmax(noisy))


def binary_straight_through(key: jax.Array, logits: jax.Array, n: int, temperature: float = 1.0) -> jax.Array:
    """Draws [N, B, D] of 0 and 1 whose gradient by the logits is that of a sigmoid with logistic noise."""
    logits = checked(logits, n)
    noisy = (logits + jax.random.logistic(key, (n, *logits.shape))) / _positive(temperature)
    return _through((noisy > 0).astype(jnp.float32), jax.nn.sigmoid(noisy))


def _through(hard: jax.Array, soft: jax.Array) -> jax.Array:
    return hard + soft - jax.lax.stop_gradient(soft)


def _positive(temperature: float) -> float:
    if not temperature > 0:
        raise ValueError(f"a temperature is above 0, got {temperature}")
    return temperature
