"""What the update chain does to weights of each kind."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from pollux.base.errors import ConfigError
from pollux.base.weights import Weight, initial
from pollux.train.optimizer import OptimizerConfig, make_optimizer, orthogonalise, schedule

TABLE = {
    "matrix": Weight((16, 8), (None, None), matrix=True),
    "stack": Weight((3, 8, 8), (None,) * 3, matrix=True),
    "table": Weight((8, 5), (None, None)),
    "gain": Weight((8,), (None,), "ones"),
    "bias": Weight((5,), (None,), "zeros", trained=False),
}


@pytest.mark.parametrize("shape", [(8, 32), (32, 8), (2, 3, 12, 20)])
def test_orthogonalise_keeps_directions_and_evens_their_sizes(shape):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    u, _, v = np.linalg.svd(x, full_matrices=False)
    y = np.asarray(jax.jit(orthogonalise)(1e-3 * x))
    sizes = np.linalg.svd(y, compute_uv=False)
    assert y.shape == shape and sizes.min() > 0.6 and sizes.max() < 1.3
    along = np.swapaxes(u, -1, -2) @ y @ np.swapaxes(v, -1, -2)  # diagonal where the singular vectors are the same
    assert np.abs(along - np.eye(along.shape[-1]) * along).max() < 0.1
    assert np.isfinite(orthogonalise(jnp.zeros((4, 6)))).all()


def test_the_rate_rises_stays_and_falls_to_zero():
    at = schedule(OptimizerConfig(warmup=10, decay=0.25), 2.0, 100)
    rates = np.array([at(step) for step in range(101)])
    np.testing.assert_allclose(rates[[0, 4, 9]], [0.2, 1.0, 2.0], rtol=1e-6)
    np.testing.assert_allclose(rates[9:76], 2.0)
    np.testing.assert_allclose(rates[[80, 90, 100]], [1.6, 0.8, 0.0], rtol=1e-6)
    assert (np.diff(rates[75:]) < 0).all() and schedule(OptimizerConfig(warmup=0), 2.0, 9)(0) == 2.0
    at = schedule(OptimizerConfig(warmup=10, decay=0.25, floor=0.2), 2.0, 100)
    np.testing.assert_allclose([at(step) for step in (4, 75, 90, 100)], [1.0, 2.0, 1.04, 0.4], rtol=1e-6)


def loss(params, x, y):
    h = jnp.tanh(x @ params["matrix"] * params["gain"])
    h += jnp.einsum("nd,edk->nk", h, params["stack"])
    return jnp.square(h @ params["table"] + params["bias"] - y).mean()


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_each_kind_learns_and_leaves_the_frozen_alone(kind):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 16)), np.sign(rng.normal(size=(64, 5)))
    optimizer = make_optimizer(OptimizerConfig(kind, warmup=5, rate=0.02), TABLE, 150)
    params = initial(TABLE, 0)

    @jax.jit
    def step(params, memory):
        value, grads = jax.value_and_grad(loss)(params, x, y)
        updates, memory = optimizer.update(grads, memory, params)
        return optax.apply_updates(params, updates), memory, value, grads

    memory, values, first = optimizer.init(params), [], params
    for _ in range(150):
        params, memory, value, grads = step(params, memory)
        values.append(float(value))
    assert values[-1] < 0.6 * values[0] and jnp.linalg.norm(grads["bias"]) > 1e-4
    assert (params["bias"] == 0).all()
    assert all((params[name] != first[name]).any() for name in ("matrix", "stack", "table", "gain"))


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_only_matrices_decay(kind):
    optimizer = make_optimizer(OptimizerConfig(kind, warmup=0, weight_decay=0.5), TABLE, 10)
    params = initial(TABLE, 0)
    updates, _ = jax.jit(optimizer.update)(jax.tree.map(jnp.zeros_like, params), optimizer.init(params), params)
    assert (updates["gain"] == 0).all() and (updates["bias"] == 0).all()
    for name in ("matrix", "stack", "table"):
        share = updates[name] / params[name]
        assert (share < 0).all() and share.max() - share.min() < 1e-6


def test_every_matrix_of_a_stack_is_turned_by_itself():
    """Experts share an array, not an update: a large gradient of one expert leaves the others' as they were."""
    optimizer = make_optimizer(OptimizerConfig(warmup=0, weight_decay=0.0), TABLE, 10)
    params = initial(TABLE, 0)
    grads = jax.tree.map(lambda p: 1e-4 * jnp.ones_like(p), params) | {"stack": 1e-4 * initial(TABLE, 1)["stack"]}
    update = jax.jit(lambda g: optimizer.update(g, optimizer.init(params), params)[0]["stack"])
    plain, scaled = update(grads), update(grads | {"stack": grads["stack"].at[0].multiply(50.0)})
    assert np.linalg.norm(plain - scaled) < 0.1 * np.linalg.norm(plain)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ConfigError, match="unknown optimiser"):
        OptimizerConfig("sgd")
