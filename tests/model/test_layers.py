"""Rotary positions tell distances only; the convolution looks back within its document and no further."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.base.weights import initial
from pollux.kernels.attention import Sight
from pollux.model.attention import Row, attention
from pollux.model.cache import Past
from pollux.model.layers import address, causal_conv, rms_norm, rotary
from pollux.model.sizes import LayerSpec, family
from pollux.model.transformer import weight_table

TINY = family()["tiny"]
RNG = np.random.default_rng(0)


def normal(*shape):
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


@pytest.mark.parametrize("start", [0, 1_000, 9_999_000, 2_000_000_000])
def test_an_address_is_like_its_neighbours_and_unlike_all_others(start):
    near, far = start + np.arange(300), start + np.array([3_000, 70_000, 5_000_000])
    code = np.asarray(address(jnp.asarray(np.concatenate([near, far]), jnp.int32)[None], 32)[0], np.float64)
    like = code @ code[0] / 32
    assert like[0] == pytest.approx(1, abs=1e-6) and (like[1:4] > 0.8).all() and (np.diff(like[:6]) < 0).all()
    assert np.abs(like[60:]).max() < 0.6 and np.abs(like[60:]).mean() < 0.25
    turn = 2 * np.pi * (near[:, None] % 17) / 17
    np.testing.assert_allclose(code[:300, [0]], np.cos(turn), atol=1e-6)


def test_rotary_tells_distances_only():
    q, k = normal(1, 1, 2, 8), normal(1, 1, 2, 8)
    at = lambda x, place: rotary(x, jnp.full((1, 1), place), 100.0)  # noqa: E731
    score = lambda i, j: (at(q, i) * at(k, j)).sum(-1)  # noqa: E731
    np.testing.assert_allclose(score(3, 1), score(502, 500), atol=1e-3)
    np.testing.assert_allclose(at(q, 0), q)
    np.testing.assert_allclose(jnp.linalg.norm(at(q, 77), axis=-1), jnp.linalg.norm(q, axis=-1), rtol=1e-5)
    assert abs(score(3, 1) - score(1, 3)).max() > 0.1 and abs(score(3, 1) - score(4, 1)).max() > 0.1


@pytest.mark.parametrize("length", [16, 20])  # banded, and dense
@pytest.mark.parametrize("shift", [1, 10_000_000])
def test_a_shift_of_all_positions_changes_nothing(length, shift):
    layer = LayerSpec(window=16)
    w = initial(weight_table(TINY), 0)["layers"]["0"]["attention"]
    x, conv = normal(1, length, TINY.width), normal(1, TINY.conv - 1, TINY.width)
    key, value = normal(1, 16, 1, TINY.head_dim), normal(1, 16, 1, TINY.head_dim)
    run = jax.jit(partial(attention, layer=layer, config=TINY))

    def at(first):
        before = jnp.arange(first - 16, first)[None]
        past = Past(key, value, value[..., :0], value[..., :0], jnp.zeros_like(before), before, conv)
        sight = Sight(jnp.arange(first, first + length)[None], jnp.zeros((1, length), jnp.int32))
        return run(x, w, row=Row(jnp.full((1, length), 40), sight), past=past)[0]

    here = at(100)
    np.testing.assert_allclose(at(100 + shift), here, atol=1e-6)
    assert jnp.abs(here).max() > 0.01


def test_the_convolution_is_a_sum_over_its_own_document():
    taps, length = 4, 9
    x, past, w = normal(2, length, 5), normal(2, taps - 1, 5), normal(taps, 5)
    segment = np.array([[0, 0, 0, 1, 1, 1, 1, 2, -1], [0] * 9])
    rows = np.concatenate([past, x], 1)
    documents = np.concatenate([np.zeros((2, taps - 1), int), segment], 1)
    same = np.stack([documents[:, taps - 1 - c : taps - 1 - c + length] == segment for c in range(taps)], -1)
    truth = np.zeros((2, length, 5))
    for b, t, c in np.ndindex(2, length, taps):
        if documents[b, t + taps - 1 - c] == segment[b, t]:
            truth[b, t] += rows[b, t + taps - 1 - c] * w[c]
    np.testing.assert_allclose(causal_conv(x, past, jnp.asarray(same, jnp.float32), w), truth, atol=1e-5)


def test_rms_norm_has_unit_mean_square():
    x = 1e4 * normal(3, 64)
    np.testing.assert_allclose(jnp.square(rms_norm(x)).mean(-1), 1.0, rtol=1e-4)
    np.testing.assert_allclose(rms_norm(x, 2.0 * jnp.ones(64)), 2 * rms_norm(x / 7), rtol=1e-4)
