"""Many steps of an autoencoder as one program.

Axis letters: S steps; M pictures; B of a batch; P pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from pollux.base.weights import Tree
from pollux.train.vae.experiment import Experiment
from pollux.train.vae.net import begin, encode, log_weight
from pollux.train.vae.objectives import Objective, objective_of

# How much of the moving moments of the encoder's gradient stays from one step to the next.
_KEPT = 0.999


class State(NamedTuple):
    """What a step changes.

    Attributes:
        first, second: Moving means of the encoder's gradient and of its square, from 0.
        total: The sum of the objective since the last checkpoint, nats.
        step: Steps done, int32.
    """

    params: Tree
    optimizer: Any
    first: Tree
    second: Tree
    total: jax.Array
    step: jax.Array


def start(experiment: Experiment, mean_P: np.ndarray) -> State:
    """The state before the first step: the same for each estimator."""
    params = begin(experiment.model, mean_P, experiment.seed)
    nothing = jax.tree.map(jnp.zeros_like, params["encoder"])
    memory = _optimizer(experiment).init(params)
    return State(params, memory, nothing, nothing, jnp.zeros(()), jnp.zeros((), jnp.int32))


def _optimizer(experiment: Experiment) -> optax.GradientTransformation:
    rules = {"net": optax.adam(experiment.rate), "prior": optax.sgd(experiment.prior_rate)}
    return optax.multi_transform(rules, {"encoder": "net", "decoder": "net", "prior": "prior"})


def make_steps(experiment: Experiment) -> Callable[..., State]:
    """``steps(state, pictures uint8 [M, P], mean float32 [P], rows int32 [S, B], count, key)``: the first ``count`` of S steps. One
    program for any count, so that a run that was stopped anywhere goes on in the very same arithmetic."""
    optimizer, objective = _optimizer(experiment), objective_of(experiment, experiment.estimator)

    def one(state: State, pictures: jax.Array, mean_P: jax.Array, rows_B: jax.Array, key: jax.Array) -> State:
        pixel_key, draw_key = jax.random.split(jax.random.fold_in(key, state.step))
        x_BP = binarised(pixel_key, pictures[rows_B])
        value, grads = jax.value_and_grad(partial(value_of, experiment, objective))(state.params, x_BP, mean_P, draw_key)
        updates, memory = optimizer.update(jax.tree.map(jnp.negative, grads), state.optimizer, state.params)
        params = optax.apply_updates(state.params, updates)
        move = lambda old, new: jax.tree.map(lambda a, b: _KEPT * a + (1 - _KEPT) * b, old, new)  # noqa: E731
        first = move(state.first, grads["encoder"])
        second = move(state.second, jax.tree.map(jnp.square, grads["encoder"]))
        return State(params, memory, first, second, state.total + value, state.step + 1)

    def steps(state, pictures, mean_P, rows_SB, count, key) -> State:
        return jax.lax.fori_loop(0, count, lambda i, s: one(s, pictures, mean_P, rows_SB[i], key), state)

    return jax.jit(steps)


def value_of(experiment: Experiment, objective: Objective, params: Tree, x_BP: jax.Array, mean_P: jax.Array, key: jax.Array):
    """The objective of a batch, nats; scalar."""
    logits = encode(params, experiment.model, x_BP, mean_P)
    return objective(key, logits, lambda z, by: log_weight(params, by, x_BP, z), experiment.n)


def binarised(key: jax.Array, pictures: jax.Array) -> jax.Array:
    """Black and white pictures drawn from grey ones, uint8: float32 of 0 and 1."""
    grey = pictures.astype(jnp.float32) / 255
    return (jax.random.uniform(key, grey.shape) < grey).astype(jnp.float32)


def moving_variance(state: State) -> float:
    """The encoder gradient's, by its moving moments: the mean over parameters. It holds how much batches differ, too."""
    weight = 1 - _KEPT ** float(state.step)
    variance = jax.tree.map(lambda m, s: s / weight - jnp.square(m / weight), state.first, state.second)
    return mean_of(variance)


def mean_of(tree: Tree) -> float:
    """Over all numbers of a tree."""
    leaves = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(tree)]
    return float(sum(leaf.sum() for leaf in leaves) / sum(leaf.size for leaf in leaves))


def batches(seed: int, count: int, size: int, first: int, steps: int) -> np.ndarray:
    """Which pictures are in which step, int32 [S, B]: every epoch is a shuffle of all ``count``, of which what is left over by
    whole batches sits out."""
    whole = count // size
    epochs = range(first // whole, (first + steps - 1) // whole + 1)
    order = {epoch: np.random.default_rng((seed, epoch)).permutation(count).astype(np.int32) for epoch in epochs}
    place = lambda step: order[step // whole][step % whole * size :][:size]  # noqa: E731
    return np.stack([place(step) for step in range(first, first + steps)])
