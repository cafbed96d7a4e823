"""Eight bits stand for what was encoded, to within half a step."""

import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pollux.kernels.coded import encode

# Rows whose steps are smaller than any normal number become zeros: XLA flushes what is smaller.
FLUSHED = 127 * np.finfo(np.float32).tiny
FLOATS = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)


@given(arrays(np.float32, (3, 5), elements=FLOATS))
def test_no_number_is_off_by_more_than_half_a_step(x):
    coded = encode(jnp.asarray(x))
    assert coded.code.dtype == jnp.int8 and coded.scale.shape == (3,) and np.abs(np.asarray(coded.code, int)).max() <= 127
    step = np.abs(x).max(-1, keepdims=True) / 127
    assert (np.abs(np.asarray(coded.decode()) - x) <= step * 0.5001 + FLUSHED).all()


def test_a_row_of_zeros_stays_one():
    assert (encode(jnp.zeros((2, 4))).decode() == 0).all()


def test_a_row_whose_steps_are_no_normal_numbers_becomes_zeros():
    decoded = encode(jnp.full((1, 4), np.finfo(np.float32).tiny)).decode()
    assert np.isfinite(decoded).all() and (np.abs(decoded) <= FLUSHED).all()
