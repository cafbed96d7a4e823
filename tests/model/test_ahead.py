"""Looking ahead is softmax attention over the tokens behind, and a key waits until it has seen all that it looks at."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.kernels.attention import Sight
from pollux.model.ahead import look_ahead, settled, stretches
from pollux.model.layers import rms_norm, rotary
from pollux.tokens.vocabulary import SPECIAL

RNG = np.random.default_rng(0)
LENGTH = 21
# two rows of words and tokens of the template (0); in the first a new document begins at 12 without one, and ends at 18
TOKENS = np.full((2, LENGTH), SPECIAL + 3)
TOKENS[0, [0, 6, 7, 15]] = 0
SEGMENT = np.zeros((2, LENGTH), int)
SEGMENT[0, 12:18], SEGMENT[0, 18:] = 1, -1
INDEX = np.arange(LENGTH)[None] + np.array([[0], [10_000_000]])


def stands_with(b, t, s):
    """Whether nothing between the tokens t and s, and neither of them, closes or belongs to another document."""
    between = slice(min(t, s), max(t, s) + 1)
    return (TOKENS[b, between] >= SPECIAL).all() and (SEGMENT[b, between] == SEGMENT[b, t]).all() and SEGMENT[b, t] >= 0


def test_stretches_lie_between_tokens_of_the_template_and_ends_of_documents():
    found = np.asarray(stretches(jnp.asarray(TOKENS), Sight(jnp.asarray(INDEX), jnp.asarray(SEGMENT))))
    for b, t, s in np.ndindex(2, LENGTH, LENGTH):
        assert stands_with(b, t, s) == (found[b, t] == found[b, s] >= 0)


@pytest.mark.parametrize("span", [1, 4, 16])
def test_a_key_holds_what_follows_it_in_its_stretch(span):
    kv, heads, size = 2, 4, 8
    columns = RNG.normal(size=(2, LENGTH, kv, 3 * size)).astype(np.float32)
    temperature = jnp.asarray(RNG.uniform(1, 2, kv * heads), jnp.float32)
    sight = Sight(jnp.asarray(INDEX), stretches(jnp.asarray(TOKENS), Sight(jnp.asarray(INDEX), jnp.asarray(SEGMENT))))
    found = look_ahead(jnp.asarray(columns), sight, temperature, span, 10_000.0)
    q, k, v = (x.reshape(2, LENGTH, kv * heads, -1) for x in np.split(columns, 3, axis=-1))
    near = sight.index - sight.index[:, :1]
    q, k = (np.asarray(rotary(rms_norm(jnp.asarray(x)), near, 10_000.0)) for x in (q, k))
    truth = np.zeros((2, LENGTH, kv * heads, size // heads), np.float32)
    for b, t, h in np.ndindex(2, LENGTH, kv * heads):
        near = [s for s in range(t, min(t + span, LENGTH)) if stands_with(b, t, s)]
        if near:
            score = temperature[h] * (k[b, near, h] @ q[b, t, h]) * (size // heads) ** -0.5
            truth[b, t, h] = np.asarray(jax.nn.softmax(score)) @ v[b, near, h]
    truth = np.asarray(rms_norm(jnp.asarray(truth.reshape(2, LENGTH, kv, size))))
    np.testing.assert_allclose(found, truth, atol=0.05)  # products are bf16
    assert np.abs(truth).max() > 1


@pytest.mark.parametrize("span", [1, 4, 16])
def test_a_key_is_seen_once_all_that_it_looks_at_is_past(span):
    stretch = stretches(jnp.asarray(TOKENS), Sight(jnp.asarray(INDEX), jnp.asarray(SEGMENT)))
    until = INDEX.copy()
    for b, t in np.ndindex(2, LENGTH):
        if stretch[b, t] >= 0:
            ends = [s for s in range(t, LENGTH) if not stands_with(b, t, s)]
            until[b, t] += min([span - 1, *(s - t for s in ends[:1])])
    np.testing.assert_array_equal(settled(jnp.asarray(INDEX), stretch, span), until)
