"""The loss in blocks against log-softmax written out, with its gradients; and what a batch reports."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.kernels.attention import Sight
from pollux.tokens.stream import Batch
from pollux.tokens.vocabulary import MODEL
from pollux.train.losses import ROWS, _exact, cross_entropy, pointing


def plain(h, embedding, target, weight):
    nll = -jnp.take_along_axis(jax.nn.log_softmax(jnp.matmul(h, embedding.T, precision="highest")), target[:, None], 1)[:, 0]
    return (nll * weight).sum(), nll


@pytest.mark.parametrize("n", [2 * ROWS, 40, 1])
def test_cross_entropy_and_its_gradients(n):
    """Also when the loss is scaled, and when some positions weigh nothing."""
    rng = np.random.default_rng(n)
    low = lambda x: np.asarray(x, jnp.bfloat16).astype(np.float32)  # noqa: E731
    h, embedding = low(rng.normal(size=(n, 24))), low(rng.normal(size=(90, 24)))
    target, weight = rng.integers(0, 90, n), (rng.random(n) * (rng.random(n) < 0.8)).astype(np.float32) + (n == 1)

    def run(form):
        scaled = lambda h, e: ((out := form(h, e, target, weight))[0] * 2.5, out)  # noqa: E731
        return jax.jit(jax.grad(scaled, (0, 1), has_aux=True))(h, embedding)

    (dh, de), (loss, scores) = run(cross_entropy)
    (true_dh, true_de), (true_loss, nll) = run(plain)
    np.testing.assert_allclose(loss, true_loss, rtol=1e-5)
    np.testing.assert_allclose(scores.nll, nll, atol=1e-4)
    assert (scores.right == ((h @ embedding.T).argmax(1) == target)).all()
    for ours, truth in ((dh, true_dh), (de, true_de)):
        assert np.linalg.norm(ours - truth) < 0.01 * np.linalg.norm(truth)
    assert (dh[weight == 0] == 0).all()


def test_large_logits_stay_finite():
    h, embedding = jnp.array([[300.0, 0], [-300, 0]]), jnp.array([[1.0, 0], [-1, 0], [0, 0]])
    loss, scores = jax.jit(cross_entropy)(h, embedding, jnp.array([0, 0]), jnp.ones(2))
    np.testing.assert_allclose(scores.nll, [0, 600], atol=1e-3)
    assert loss == scores.nll.sum() and scores.right.tolist() == [True, False]


@pytest.mark.parametrize("kv_heads", [1, 2])
def test_pointing_is_the_softmax_written_out(kv_heads):
    """Mean over heads of attention's share on one token, among those that the query sees; documents apart, nothing from later."""
    rng, heads, length = np.random.default_rng(0), 4, 9
    low = lambda *shape: jnp.asarray(rng.normal(size=shape), jnp.bfloat16).astype(jnp.float32)  # noqa: E731
    query, key = low(2, length, heads, 8), low(2, length, kv_heads, 8)
    segment = np.array([[0] * 4 + [1] * 5, [0] * 9])
    index = np.array([[0, 1, 2, 3, 0, 1, 2, 3, 4], np.arange(9)])
    where, first, last = np.array([[3, 7], [1, 8]]), np.array([[0, 4], [1, 2]]), np.array([[0, 6], [1, 5]])
    sight = Sight(jnp.asarray(index), jnp.asarray(segment))
    rows = np.arange(2)[:, None]
    looking = Sight(*(x[rows, where] for x in sight))
    far = pointing(query[rows, where], key, looking, sight, jnp.asarray(first), jnp.asarray(last))
    for b in range(2):
        for m in range(2):
            at = where[b, m]
            seen = [s for s in range(at + 1) if segment[b, s] == segment[b, at]]
            shares = []
            for h in range(heads):
                scores = np.array([query[b, at, h] @ key[b, s, h * kv_heads // heads] for s in seen], np.float64)
                share = np.exp(scores) / np.exp(scores).sum()
                shares.append(share[seen.index(first[b, m]) : seen.index(last[b, m]) + 1].sum())
            np.testing.assert_allclose(far[b, m], -np.log(np.mean(shares)), rtol=1e-4)


def test_pointing_at_what_cannot_be_seen_costs_nothing():
    query, key = jnp.ones((1, 1, 2, 4)), jnp.ones((1, 6, 1, 4))
    sight = Sight(jnp.arange(6)[None] + 2, jnp.zeros((1, 6), int))  # each key is seen two tokens later
    looking = Sight(jnp.array([[4]]), jnp.array([[0]]))
    far = lambda at: float(pointing(query, key, looking, sight, jnp.array([[at]]), jnp.array([[at]]))[0, 0])  # noqa: E731
    assert far(2) == pytest.approx(np.log(3)) and far(3) == 0


def test_an_answer_is_exact_when_all_its_tokens_are_right():
    tokens = np.array([[MODEL, 40, 41, 50, MODEL, 42, 43, 44], [50, 51, MODEL, 45, 52, 52, 52, 52]])
    where = np.array([[0, 1, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5]])
    answer = np.array([[1, 1, 0, 1, 1, 1], [0, 0, 1, 1, 0, 0]], bool)
    right = np.array([[1, 1, 0, 1, 0, 1], [0, 0, 1, 1, 0, 0]], bool)
    blank = np.zeros_like(tokens)
    batch = Batch(tokens, blank, blank, where, blank, blank, answer, None, None)
    assert float(_exact(jnp.asarray(right), batch)) == pytest.approx(2 / 3)
