"""What a checkpoint measures, the same for every estimator: the ELBO and a bound, and how much estimates of the gradient vary.

Axis letters: N draws; M pictures; B of a batch; P pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from pollux.base.weights import Tree
from pollux.estimators import binary, categorical
from pollux.estimators.bounds import bound
from pollux.train.vae.experiment import Experiment, Shape
from pollux.train.vae.net import encode, log_weight
from pollux.train.vae.objectives import objective_of
from pollux.train.vae.step import mean_of, value_of

# Pictures at a time.
_ROWS = 50


class Measured(NamedTuple):
    """Means over pictures, nats: the ELBO, and the bound of so many draws."""

    elbo: float
    bound: float


@lru_cache(maxsize=8)
def make_evaluation(model: Shape, draws: int) -> Callable[..., Measured]:
    """``evaluate(params, x float32 [M, P] of 0 and 1, mean float32 [P], key)``: by ``draws`` independent draws for each picture,
    whatever the estimator."""
    draw = binary.loorf if model.categories is None else categorical.loorf

    @jax.jit
    def by_batch(params, x_KBP, mean_P, key):
        def one(given):
            x_BP, number = given
            logits = encode(params, model, x_BP, mean_P)
            found = draw(jax.random.fold_in(key, number), logits, max(draws, 2)).value[:draws]
            log_r_NB = log_weight(params, logits, x_BP, found)
            return log_r_NB.mean(0), bound(log_r_NB)

        return jax.lax.map(one, (x_KBP, jnp.arange(len(x_KBP))))

    def evaluate(params: Tree, x_MP: np.ndarray, mean_P: np.ndarray, key: jax.Array) -> Measured:
        count = len(x_MP)
        padded = np.pad(x_MP, ((0, -count % _ROWS), (0, 0))).reshape(-1, _ROWS, x_MP.shape[1])
        found = by_batch(params, padded, mean_P, key)
        return Measured(*(float(np.asarray(part, np.float64).ravel()[:count].mean()) for part in found))

    return evaluate


def make_variance(experiment: Experiment, name: str) -> Callable[..., float]:
    """``variance(params, x float32 [B, P], mean float32 [P], key)``: of the encoder gradient's estimates by the method ``name``, at
    these parameters and this batch: over fresh draws alone, the mean over parameters."""
    value = partial(value_of, experiment, objective_of(experiment, name))

    @jax.jit
    def moments(params, x_BP, mean_P, key):
        def estimate(number):
            of_encoder = lambda encoder: value({**params, "encoder": encoder}, x_BP, mean_P, jax.random.fold_in(key, number))  # noqa: E731
            return jax.grad(of_encoder)(params["encoder"])

        def one(number, kept):
            mean, squares = kept
            change = jax.tree.map(jnp.subtract, estimate(number), mean)
            mean = jax.tree.map(lambda m, c: m + c / (number + 1), mean, change)
            # Welford's sums: those of squares alone would lose what small variances have
            return mean, jax.tree.map(lambda s, c: s + c * c * number / (number + 1), squares, change)

        nothing = jax.tree.map(jnp.zeros_like, params["encoder"])
        return jax.lax.fori_loop(0, experiment.estimates, one, (nothing, nothing))[1]

    return lambda *given: mean_of(moments(*given)) / (experiment.estimates - 1)
