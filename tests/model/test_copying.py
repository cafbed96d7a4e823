"""Copying: probabilities are those written out, of every token and of a target alone, from the turn and from what was read."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.base.weights import initial
from pollux.kernels.attention import Sight
from pollux.model.copying import gates, log_copied, log_target
from pollux.model.sizes import family
from pollux.model.transformer import forward, logits, predict, weight_table
from pollux.tokens.stream import Batch
from pollux.train.losses import next_token

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
    seen = output.seen[-1]
    found = np.exp(predict(params, CONFIG, output))
    own, index, segment = logits(params, CONFIG, output.hidden), np.asarray(seen.sight.index), np.asarray(seen.sight.segment)
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


def test_a_target_has_its_own_probability(passed):
    params, tokens, output = passed
    target = jnp.roll(tokens, -1, axis=1)
    at = lambda x: jnp.take_along_axis(x, target[..., None], axis=-1)[..., 0]  # noqa: E731
    own = logits(params, CONFIG, output.hidden)
    log_p = log_target(params, own, output.hidden, output.seen[-1], target)
    # of the two softmaxes one rounds its weights to bf16
    np.testing.assert_allclose(log_p, at(predict(params, CONFIG, output)), atol=0.01)
    assert (log_p > at(jax.nn.log_softmax(own)) + 1).any()


def test_what_is_trained_on_is_that_probability(passed):
    """With two documents in a row, padding, some positions scored, and answers that are copied."""
    params, tokens, _ = passed
    segment = np.array([[0] * LENGTH, [0] * 10 + [1] * 8 + [-1] * 6], np.int32)
    index = np.stack([np.arange(LENGTH), np.r_[np.arange(10), np.arange(14)]]).astype(np.int32)
    where, target = np.array([[3, 7, 22], [4, 12, 16]]), np.asarray(tokens)[:, [4, 9, 5]]
    weight = np.array([[1, 3, 0.3], [1, 1, 0]], np.float32)
    none = np.full((2, 3), -1, np.int32)
    batch = Batch(tokens, index, segment, where, target, weight, weight == 3, none, np.stack([none, none], -1))
    loss, report = next_token(params, CONFIG, jax.tree.map(jnp.asarray, batch))
    output = forward(params, CONFIG, tokens, Sight(jnp.asarray(index), jnp.asarray(segment)))
    log_p = np.take_along_axis(np.asarray(predict(params, CONFIG, output)), where[..., None], axis=1)
    nll = -np.take_along_axis(log_p, target[..., None], axis=2)[..., 0]
    assert float(loss) == pytest.approx((nll * weight).sum() / weight.sum(), abs=0.01)
    assert float(report.answer) == pytest.approx(nll[weight == 3].mean(), abs=0.01)
    grads = jax.grad(lambda p: next_token(p, CONFIG, jax.tree.map(jnp.asarray, batch), 1.0)[0])(params)
    assert all(bool(jnp.isfinite(g).all()) for g in jax.tree.leaves(grads)) and jnp.abs(grads["copy"]).max() > 0


def test_the_gates_share_out_everything(passed):
    params, _, output = passed
    keep, take = gates(params, output.hidden, output.seen[-1])
    np.testing.assert_allclose(jnp.exp(keep) + jnp.exp(take).sum(-1), 1.0, atol=1e-5)


def test_what_nobody_sees_is_not_copied(passed):
    """A token of another document, and for padding, which sees nothing, any."""
    params, tokens, output = passed
    seen = output.seen[-1]
    nothing = seen._replace(looking=seen.looking._replace(segment=jnp.full_like(seen.looking.segment, 7)), lse=seen.lse * 0 - 1e30)
    take = gates(params, output.hidden, seen)[1]
    assert (log_copied(take, nothing, tokens) < -1e29).all()
    unique = tokens.at[1, 2].set(99)
    other = seen._replace(past=seen.past._replace(token=unique))
    assert (log_copied(take, other, jnp.full_like(tokens, 99))[1, 10:] < -1e29).all()
    assert (log_copied(take, other, jnp.full_like(tokens, 99))[1, 6:10] > -20).any()


def test_only_a_retrieval_layer_at_the_end_can_be_copied_from():
    with pytest.raises(ValueError, match="last layer"):
        replace(CONFIG, layers=CONFIG.layers[::-1])
    assert "copy" not in weight_table(replace(CONFIG, copies=False))
