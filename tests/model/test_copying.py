"""Copying: probabilities are those written out, of every token and of a target alone, from the turn and from what was read."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.base.weights import initial
from pollux.kernels.attention import Sight
from pollux.model.copying import copying_layer, gates, log_copied, mixed
from pollux.model.sizes import LOCAL, family
from pollux.model.transformer import forward, logits, predict, weight_table

CONFIG = replace(family()["tiny"], heads=4, kv_heads=2)
LENGTH = 24


@pytest.fixture(scope="module")
def passed():
    """Weights whose gates differ from row to row, tokens of which many come twice, and one pass over them."""
    params = initial(weight_table(CONFIG), 0)
    params["copy"] = params["copy"] * 3
    tokens = jnp.asarray(np.random.default_rng(0).integers(20, 30, (2, LENGTH))).at[:, 0].set(1)
    sight = Sight(jnp.arange(LENGTH)[None].repeat(2, 0), jnp.asarray([[0] * LENGTH, [0] * 10 + [1] * (LENGTH - 10)]))
    return params, tokens, forward(params, CONFIG, tokens, sight)


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def test_probabilities_are_those_written_out(passed):
    params, tokens, output = passed
    seen = output.seen[copying_layer(CONFIG)]
    found = np.exp(predict(params, CONFIG, output))
    own, index, segment = logits(params, output.hidden), np.asarray(seen.sight.index), np.asarray(seen.sight.segment)
    columns = np.asarray(output.hidden @ params["copy"], np.float64)
    for b, m in ((0, 3), (0, LENGTH - 1), (1, 9), (1, 11), (1, LENGTH - 1)):
        visible = (index[b] <= seen.looking.index[b, m]) & (segment[b] == seen.looking.segment[b, m])
        keep = 1 / (1 + np.exp(-columns[b, m, 0])) if visible.any() else 1
        truth = keep * softmax(np.asarray(own[b, m], np.float64))
        for h, share in enumerate(softmax(columns[b, m, 1:])):
            scores = np.asarray(seen.key[b, :, h // 2] @ seen.query[b, m, h], np.float64)
            looked = softmax(np.where(visible, scores, -np.inf)) if visible.any() else np.zeros(LENGTH)
            np.add.at(truth, np.asarray(tokens[b]), (1 - keep) * share * looked)
        np.testing.assert_allclose(found[b, m], truth, atol=2e-3)
    np.testing.assert_allclose(found.sum(-1), 1.0, atol=5e-3)


def test_a_targets_loss_is_its_probability(passed):
    params, tokens, output = passed
    target = jnp.roll(tokens, -1, axis=1)
    at = lambda x: jnp.take_along_axis(x, target[..., None], axis=-1)[..., 0]  # noqa: E731
    own = -at(jax.nn.log_softmax(logits(params, output.hidden)))
    both = mixed(params, own, output.hidden, output.seen[copying_layer(CONFIG)], target)
    np.testing.assert_allclose(both, -at(predict(params, CONFIG, output)), atol=1e-4)
    assert (both != own).any()


def test_the_gates_share_out_everything(passed):
    params, _, output = passed
    keep, take = gates(params, output.hidden, output.seen[copying_layer(CONFIG)])
    np.testing.assert_allclose(jnp.exp(keep) + jnp.exp(take).sum(-1), 1.0, atol=1e-5)


def test_what_nobody_sees_is_not_copied(passed):
    """A token of another document, and for padding, which sees nothing, any."""
    params, tokens, output = passed
    seen = output.seen[copying_layer(CONFIG)]
    nothing = seen._replace(looking=seen.looking._replace(segment=jnp.full_like(seen.looking.segment, 7)), lse=seen.lse * 0 - 1e30)
    take = gates(params, output.hidden, seen)[1]
    assert (log_copied(take, nothing, tokens) < -1e29).all()
    unique = tokens.at[1, 2].set(99)
    other = seen._replace(past=seen.past._replace(token=unique))
    assert (log_copied(take, other, jnp.full_like(tokens, 99))[1, 10:] < -1e29).all()
    assert (log_copied(take, other, jnp.full_like(tokens, 99))[1, 6:10] > -20).any()


def test_only_the_last_retrieval_layer_is_copied_from():
    layer = copying_layer(CONFIG)
    assert CONFIG.layers[layer].reach != LOCAL and all(spec.reach == LOCAL for spec in CONFIG.layers[layer + 1 :])
    assert copying_layer(replace(CONFIG, copies=False)) is None
    assert "copy" not in weight_table(replace(CONFIG, copies=False))
