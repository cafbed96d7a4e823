"""What a step makes larger, for each estimator: a number whose gradient by the logits of q is the estimate.

    objective(key, logits, log_weight, n) -> scalar, the mean over a batch

``log_weight(z, logits)`` is log p(x, z) - log q(z | x) of draws z, float32 [N, B]; it is evaluated at n draws, once each. Decoder
and prior learn from the same draws. The direct term of the ELBO's gradient, by the logits in log q, is zero on average and left
out; that of the bound is not (`pollux.estimators.bounds`).

Axis letters: N draws; B pictures; D latent variables; C categories.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from pollux.estimators import binary, bounds, categorical, relaxed
from pollux.estimators.pairs import Draw, gradient, surrogate
from pollux.train.vae.experiment import Experiment

LogWeight = Callable[[jax.Array, jax.Array], jax.Array]
Objective = Callable[[jax.Array, jax.Array, LogWeight, int], jax.Array]
Drawing = Callable[[jax.Array, jax.Array, int], Draw]
_still = jax.lax.stop_gradient


def elbo(draw: Drawing) -> Objective:
    """The mean of log p - log q over draws."""

    def objective(key, logits, log_weight, n):
        found = draw(key, _still(logits), n)
        f_NB = log_weight(found.value, _still(logits))
        return _learned(f_NB.mean(0), logits, gradient(found, _still(f_NB)))

    return objective


def straight_through(draw: Callable[[jax.Array, jax.Array, int], jax.Array]) -> Objective:
    """The same, through draws that have a gradient of their own."""
    return lambda key, logits, log_weight, n: log_weight(draw(key, logits, n), _still(logits)).mean()


def vimco(draw: Drawing = binary.loorf) -> Objective:
    def objective(key, logits, log_weight, n):
        found = draw(key, _still(logits), n)
        log_r_NB = log_weight(found.value, _still(logits))
        return _learned(bounds.bound(log_r_NB), logits, bounds.vimco(found, _still(logits), _still(log_r_NB)))

    return objective


def vimco_halves(key: jax.Array, logits: jax.Array, log_weight: LogWeight, n: int) -> jax.Array:
    """VIMCO at the bound that `local_arms` has at as many evaluations: two estimates of half the draws each."""
    return sum(vimco()(k, logits, log_weight, n // 2) for k in jax.random.split(key)) / 2


def local_disarm(draw: Drawing = binary.disarm) -> Objective:
    def objective(key, logits, log_weight, n):
        found = draw(key, _still(logits), n)
        log_r_NB = log_weight(found.value, _still(logits))
        value_B = (bounds.bound(log_r_NB[0::2]) + bounds.bound(log_r_NB[1::2])) / 2
        return _learned(value_B, logits, bounds.local_disarm(found, _still(logits), _still(log_r_NB)))

    return objective


def local_arms(own_draw: Drawing = binary.loorf, antithetic_draw: Drawing = binary.arms) -> Objective:
    def objective(key, logits, log_weight, n):
        keys = jax.random.split(key)
        own, other = own_draw(keys[0], _still(logits), n // 2), antithetic_draw(keys[1], _still(logits), n // 2)
        log_r, log_s = jnp.split(log_weight(jnp.concatenate([own.value, other.value]), _still(logits)), 2)
        estimate = bounds.local_arms(own, _still(log_r), other, _still(log_s), _still(logits))
        return _learned(bounds.bound(log_r), logits, estimate)

    return objective


def _learned(value_B: jax.Array, logits: jax.Array, estimate: jax.Array) -> jax.Array:
    """The mean over the batch; by the logits its gradient is the estimate's."""
    number = surrogate(logits, estimate) / value_B.shape[0]
    return value_B.mean() + number - _still(number)


BITS: dict[str, Objective] = {
    "loorf": elbo(binary.loorf),
    "disarm": elbo(binary.disarm),
    "arms": elbo(binary.arms),
    "gumbel-st": straight_through(relaxed.binary_straight_through),
    "vimco": vimco(),
    "vimco-halves": vimco_halves,
    "local-disarm": local_disarm(),
    "local-arms": local_arms(),
}
CATEGORIES: dict[str, Objective] = {
    "loorf": elbo(categorical.loorf),
    "carms-i": elbo(categorical.inverse),
    "carms-sb": elbo(categorical.stick_breaking),
    "gumbel-st": straight_through(relaxed.gumbel_straight_through),
}


def objective_of(experiment: Experiment, name: str) -> Objective:
    return (BITS if experiment.model.categories is None else CATEGORIES)[name]
