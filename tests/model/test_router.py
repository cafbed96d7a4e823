"""The router and its balance: who gets a token, what the bias may and may not do, and what padding gets."""

import jax
import jax.numpy as jnp
import numpy as np

from pollux.base.weights import initial
from pollux.model.experts import Load, mixture, rebalance, route
from pollux.model.layers import feed_forward
from pollux.model.sizes import LayerSpec
from pollux.model.transformer import _feed_forward_rows

WIDTH, LAYER = 16, LayerSpec(hidden=8, experts=6, active=2, shared=1)
RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(2, 20, WIDTH)), jnp.float32)
mix = jax.jit(mixture, static_argnums=2)


def weights(layer=LAYER):
    return initial(_feed_forward_rows(WIDTH, 1, layer), 0)


def test_the_bias_chooses_and_the_score_weighs():
    x, router, bias = X[0], weights()["router"], jnp.zeros(6).at[4].set(10.0)
    expert, weight = route(x, router, bias, 2)
    assert (expert == 4).sum(1).tolist() == [1] * 20
    score = jax.nn.sigmoid(x @ router)
    np.testing.assert_allclose(weight.sum(1), 1.0, rtol=1e-5)
    chosen = jnp.take_along_axis(score, expert, 1)
    np.testing.assert_allclose(weight, chosen / chosen.sum(1, keepdims=True), rtol=1e-5)
    free, _ = route(x, router, jnp.zeros(6), 2)
    assert (jnp.sort(free) == jnp.sort(jnp.argsort(-score, axis=1)[:, :2])).all()


def test_the_bias_gets_no_gradient_and_the_router_does():
    real = jnp.ones((2, 20), bool)
    grads = jax.jit(jax.grad(lambda w: (mixture(X, w, LAYER, real)[0] ** 2).sum()))(weights())
    assert (grads["bias"] == 0).all() and jnp.linalg.norm(grads["router"]) > 0


def test_rebalance_raises_the_idle_and_lowers_the_busy():
    moved = rebalance(jnp.zeros(4), Load(jnp.array([0.7, 0.25, 0.05, 0.0])), rate=0.01)
    np.testing.assert_allclose(moved, [-0.01, 0.0, 0.01, 0.01], atol=1e-7)


def test_a_skewed_router_is_evened_over_some_steps():
    w = weights()
    w["router"] = w["router"].at[:, 0].add(0.4)
    x, real = jnp.abs(X) + 0.1 * X, jnp.ones((2, 20), bool)

    @jax.jit
    def step(bias):
        _, load = mixture(x, w | {"bias": bias}, LAYER, real)
        return rebalance(bias, load, 0.01), load.share

    bias, first = step(w["bias"])
    for _ in range(200):
        bias, share = step(bias)
    assert first.max() * 6 > 2.5 and share.max() * 6 < 1.4
    np.testing.assert_allclose(share.sum(), 1.0, rtol=1e-6)


def test_shared_experts_are_added_for_every_token():
    real, w = jnp.ones((2, 20), bool), weights()
    with_shared, _ = mix(X, w, LAYER, real)
    without, _ = mix(X, w, LayerSpec(hidden=8, experts=6, active=2), real)
    np.testing.assert_allclose(with_shared - without, feed_forward(X, w["shared"]), atol=1e-4)


def test_padding_is_sent_to_no_expert():
    layer, w = LayerSpec(hidden=8, experts=6, active=2), weights()
    real = jnp.arange(20)[None] < jnp.array([[20], [11]])
    out, load = mix(X, w, layer, real)
    other, other_load = mix(jnp.where(real[..., None], X, 7.0), w, layer, real)
    assert (out[1, 11:] == 0).all() and (load.share == other_load.share).all()
    np.testing.assert_allclose(out, other, atol=1e-5)
    expert, _ = route(X.reshape(-1, WIDTH), w["router"], w["bias"], 2)
    counted = np.bincount(np.asarray(expert)[np.asarray(real).reshape(-1)].reshape(-1), minlength=6)
    np.testing.assert_allclose(load.share, counted / counted.sum(), rtol=1e-6)
    nothing, empty = mix(X, w, layer, jnp.zeros((2, 20), bool))
    assert (nothing == 0).all() and (empty.share == 0).all()
