"""One bit of each number: what is counted is what the words say."""

import jax.numpy as jnp
import numpy as np
import pytest

from pollux.kernels.signs import rough_scores, signs, words


@pytest.mark.parametrize("size", [32, 64, 40, 7])
def test_bits_are_the_signs_in_order(size):
    x = np.random.default_rng(0).normal(size=(3, size))
    found = np.asarray(signs(jnp.asarray(x)))
    assert found.shape == (3, words(size)) and found.dtype == np.uint32
    bits = (found[:, :, None] >> np.arange(32)) & 1
    np.testing.assert_array_equal(bits.reshape(3, -1)[:, :size], x < 0)


@pytest.mark.parametrize("size", [64, 40])
def test_scores_count_agreement_by_how_large_a_query_is_there(size):
    rng = np.random.default_rng(1)
    q, key = rng.normal(size=(4, size)).astype(np.float32), rng.normal(size=(256, size))
    level = np.clip(np.rint(1.2 * np.abs(q) / np.abs(q).mean(-1, keepdims=True)), 0, 3)
    agree = (q[:, None] < 0) == (key < 0)
    truth = (agree * level[:, None]).sum(-1).reshape(4, -1, 8).max(-1)
    found = rough_scores(jnp.asarray(q), signs(jnp.asarray(key)).T, np.int32(200), 8)
    np.testing.assert_array_equal(found[:, :25], truth[:, :25])
    assert (found[:, 25:] < -1e29).all()
    less = rng.uniform(0, 40, (4, 32)).astype(np.float32)
    unit = 2 * 0.8 * np.abs(q).mean(-1, keepdims=True) / 1.2
    found = rough_scores(jnp.asarray(q), signs(jnp.asarray(key)).T, np.int32(200), 8, less)
    np.testing.assert_allclose(found[:, :25], (truth - less / unit)[:, :25], rtol=1e-5, atol=1e-3)
