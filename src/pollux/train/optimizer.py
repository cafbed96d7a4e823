"""Schedule and update chain: Muon for matrices, Adam for the rest, or Adam for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from pollux.base.errors import ConfigError
from pollux.base.weights import Tree, map_table
from pollux.kernels.products import dot

MUON, ADAM, FROZEN = "muon", "adam", "frozen"


@dataclass(frozen=True)
class OptimizerConfig:
    """Settings of the update.

    Attributes:
        kind: ``"muon"`` or ``"adamw"``.
        matrix_rate: Learning rate of Muon's matrices. rate: of everything else (of everything, for adamw).
        warmup: Steps of linear warm-up. decay: the last share of the steps, over which the rate falls linearly.
        floor: The share of the rate that this fall ends at.
    """

    kind: str = "muon"
    matrix_rate: float = 0.02
    rate: float = 3e-3
    warmup: int = 200
    decay: float = 0.3
    floor: float = 0.0
    clip: float = 1.0
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        if self.kind not in ("muon", "adamw"):
            raise ConfigError(f"unknown optimiser {self.kind!r}", "use 'muon' or 'adamw'")


def schedule(config: OptimizerConfig, rate: float, steps: int) -> optax.Schedule:
    """Linear warm-up, constant, then linear decay to ``config.floor`` of the rate at ``steps``."""

    def at(step):
        rise = (step + 1) / max(config.warmup, 1)
        fall = jnp.maximum((steps - step) / max(config.decay * steps, 1), 0.0)
        return rate * jnp.clip(jnp.minimum(rise, config.floor + (1 - config.floor) * fall), 0.0, 1.0)

    return at


class MuonState(NamedTuple):
    momentum: Tree


# Coefficients of the quintic whose iteration brings all singular values near 1 (K. Jordan, Muon, 2024).
_A, _B, _C = 3.4445, -4.7750, 2.0315


def orthogonalise(x: jax.Array, steps: int = 5) -> jax.Array:
    """The nearest matrix with singular values near 1, by a Newton-Schulz iteration: float32 [..., M, N]."""
    if x.shape[-2] > x.shape[-1]:
        return jnp.swapaxes(orthogonalise(jnp.swapaxes(x, -1, -2), steps), -1, -2)
    x = x / (jnp.sqrt(jnp.square(x).sum((-2, -1), keepdims=True)) + 1e-7)
    for _ in range(steps):
        square = dot(x, x, (1, 1))
        x = _A * x + dot(_B * square + _C * dot(square, square, (1, 0)), x, (1, 0))
    return x


def scale_by_muon(momentum: float = 0.95) -> optax.GradientTransformation:
    """Nesterov momentum, made orthogonal; updates of [in, out] weights with out > in are scaled up by sqrt(out / in)."""

    def init(params):
        return MuonState(jax.tree.map(jnp.zeros_like, params))

    def update(grads, state, params=None):
        del params
        velocity = jax.tree.map(lambda m, g: momentum * m + g, state.momentum, grads)
        ahead = jax.tree.map(lambda m, g: momentum * m + g, velocity, grads)
        turn = lambda x: orthogonalise(x) * max(1.0, x.shape[-1] / x.shape[-2]) ** 0.5  # noqa: E731
        return jax.tree.map(turn, ahead), MuonState(velocity)

    return optax.GradientTransformation(init, update)


def make_optimizer(config: OptimizerConfig, table: Tree, steps: int) -> optax.GradientTransformation:
    """The whole chain for a weight table: clip, then precondition by kind of weight, decay weights, scale by the schedule."""

    def kind(_, row) -> str:
        if not row.trained:
            return FROZEN
        return MUON if row.matrix and config.kind == "muon" else ADAM

    adam = [optax.scale_by_adam(b1=0.9, b2=0.95, eps=1e-8), optax.add_decayed_weights(config.weight_decay, _matrices)]
    chains = {
        MUON: optax.chain(
            scale_by_muon(),
            optax.add_decayed_weights(config.weight_decay),
            optax.scale_by_learning_rate(schedule(config, config.matrix_rate, steps)),
        ),
        ADAM: optax.chain(*adam, optax.scale_by_learning_rate(schedule(config, config.rate, steps))),
        FROZEN: optax.set_to_zero(),
    }
    return optax.chain(optax.clip_by_global_norm(config.clip), optax.multi_transform(chains, map_table(kind, table)))


def _matrices(params: Tree) -> Tree:
    """Norms, temperatures and biases are not decayed."""
    return jax.tree.map(lambda x: getattr(x, "ndim", 0) > 1, params)
