"""A few bits stand for what was encoded, to within half a step."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pollux.kernels.coded import encode, layout

# Rows whose steps are smaller than any normal number become zeros: XLA flushes what is smaller.
FLUSHED = 7 * np.finfo(np.float32).tiny
FLOATS = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)


@given(arrays(np.float32, (3, 6), elements=FLOATS), st.sampled_from([(4, 7), (8, 127)]))
def test_no_number_is_off_by_more_than_half_a_step(x, kind):
    bits, most = kind
    coded = encode(jnp.asarray(x), bits)
    assert (coded.code.dtype, coded.code.shape[-1]) == layout(6, bits) and coded.scale.shape == (3,) and coded.bits == bits
    assert np.abs(np.asarray(coded.numbers(), int)).max() <= most
    step = np.abs(x).max(-1, keepdims=True) / most
    assert (np.abs(np.asarray(coded.decode()) - x) <= step * 0.5001 + FLUSHED).all()


@pytest.mark.parametrize("bits", [4, 8])
def test_a_product_is_that_of_what_the_code_stands_for(bits):
    rng = np.random.default_rng(0)
    coded, x = encode(jnp.asarray(rng.normal(size=(7, 192))), bits), jnp.asarray(rng.normal(size=192), jnp.float32)
    np.testing.assert_allclose(coded.times(x), np.asarray(coded.decode(), np.float64) @ np.asarray(x), atol=1e-4)


def test_a_row_of_zeros_stays_one():
    assert (encode(jnp.zeros((2, 4))).decode() == 0).all()


def test_a_row_whose_steps_are_no_normal_numbers_becomes_zeros():
    decoded = encode(jnp.full((1, 4), np.finfo(np.float32).tiny)).decode()
    assert np.isfinite(decoded).all() and (np.abs(decoded) <= FLUSHED).all()
