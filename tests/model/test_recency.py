"""How long before a question a key stands, and that the last of several can be told from the others by it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.kernels.attention import Sight
from pollux.kernels.coded import encode
from pollux.kernels.retrieval import Keys, retrieve
from pollux.kernels.signs import signs
from pollux.model.attention import first_of
from pollux.model.recency import ages, with_age, with_slope
from pollux.tokens.vocabulary import END, MODEL, USER

TEXT = 40


def test_ages_count_up_to_the_first_question_and_are_nothing_from_there_on():
    # two documents with questions, one without, padding
    row = [TEXT, TEXT, USER, TEXT, MODEL, TEXT, END, USER, TEXT, TEXT, TEXT, USER, TEXT, TEXT, TEXT, 0]
    segment = [0] * 9 + [1] * 4 + [2] * 2 + [-1]
    sight = Sight(jnp.arange(16)[None], jnp.array([segment]))
    found = np.expm1(np.asarray(ages(jnp.array([row]), sight, first_of(sight)))[0])
    np.testing.assert_allclose(found[:13], [2, 1, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0], atol=1e-5)
    assert (found[13:15] > 0).all()  # nobody asks about it, and it asks nothing


def test_what_is_asked_weighs_ages_and_text_does_not():
    rng = np.random.default_rng(0)
    q, key = rng.normal(size=(1, 3, 2, 8)).astype(np.float32), rng.normal(size=(1, 5, 1, 8)).astype(np.float32)
    slope = jnp.asarray(rng.normal(size=(1, 3, 2)), jnp.float32)
    age = jnp.asarray(rng.uniform(0, 16, (1, 5)), jnp.float32).at[0, 3:].set(0.0)
    wide_q = np.asarray(with_slope(q, slope, jnp.array([[1.0, 0.0, 0.0]])), np.float64)
    wide_key = np.asarray(with_age(key, age), np.float64)
    less = np.einsum("bmhd,bskd->mhs", q, key) - np.einsum("bmhd,bskd->mhs", wide_q, wide_key)
    wanted = np.asarray(slope)[0, :, :, None] * np.asarray(age)[0]
    wanted[0] = 0  # it has an age itself
    np.testing.assert_allclose(less, wanted, atol=1e-4)


def test_two_halves_of_an_age_are_exact_where_one_is_not():
    age = jnp.asarray(np.log1p(np.arange(1, 400, 7.0)), jnp.float32)[None]
    halves = -np.asarray(with_age(jnp.zeros((1, age.size, 1, 1)), age)[0, :, 0, 1:])
    rounded = np.asarray(jnp.asarray(halves, jnp.bfloat16), np.float64)
    assert np.abs(rounded.sum(-1) - age[0]).max() < 1e-4 < np.abs(rounded[:, 0] - age[0]).max()


@pytest.mark.parametrize("size", [4096, 131_072])  # every key scored; a shortlist by signs
@pytest.mark.parametrize("slope", [5.0, -5.0])
def test_of_equal_keys_the_last_or_the_first_is_found(size, slope):
    """Of more than a shortlist holds."""
    rng = np.random.default_rng(1)
    key, value = rng.normal(size=(1, size, 64)), rng.normal(size=(1, size, 8))
    places = np.sort(rng.choice(size - 100, 6 if size < 10_000 else 1000, replace=False))
    key[0, places] = 3 * np.sign(key[0, places[0]])
    q = jnp.asarray(key[:, places[:1]] / 3, jnp.float32)
    keys, coded = encode(jnp.asarray(key)), encode(jnp.asarray(value))
    kept = Keys(keys, jnp.swapaxes(signs(jnp.asarray(key)), 1, 2))
    values = lambda head, at: coded.decode()[head, at]  # noqa: E731
    length = jnp.int32(size - 50)
    find = lambda slope_KM: retrieve(q, kept, values, length, 32, 16, 1, slope_KM)[1]  # noqa: E731
    assert int(jax.jit(find)(jnp.full((1, 1), slope)).index[0, 0, 0]) == places[-1 if slope > 0 else 0]
    assert float(jax.jit(find)(None).weight[0, 0, 0]) < 0.4
