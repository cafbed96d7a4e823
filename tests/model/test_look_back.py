"""How far back tokens of a lesson look: as far as they will when read, until something is asked."""

import jax.numpy as jnp
import numpy as np

from pollux.kernels.attention import Sight
from pollux.model.attention import windows
from pollux.tokens.vocabulary import USER


def test_text_looks_back_over_the_window_and_what_follows_a_question_over_everything():
    tokens = jnp.array([[100, 101, USER, 102, 103, 104, 105, 106, USER, 107]])
    segment = jnp.array([[0, 0, 0, 0, 0, 1, 1, 2, 2, -1]])
    found = windows(tokens, Sight(jnp.arange(10)[None], segment), 3)
    np.testing.assert_array_equal(found, [[3, 3, 10, 10, 10, 3, 3, 3, 10, 3]])
