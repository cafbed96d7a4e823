"""The loss in blocks against log-softmax written out, with its gradients; and what a batch reports."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.kernels.attention import HIDDEN, Sight, sees
from pollux.model.attention import Seen
from pollux.tokens.stream import Batch
from pollux.tokens.vocabulary import MODEL
from pollux.train.losses import ROWS, Copied, _exact, cross_entropy, pointing


def plain(h, embedding, target, weight, copied):
    own = jnp.take_along_axis(jax.nn.log_softmax(jnp.matmul(h, embedding.T, precision="highest")), target[:, None], 1)[:, 0]
    nll = -jnp.log(jnp.exp(copied.keep + own) + jnp.exp(copied.log_p))
    return (nll * weight).sum(), nll


@pytest.mark.parametrize("n", [2 * ROWS, 40, 1])
def test_cross_entropy_and_its_gradients(n):
    """Also when the loss is scaled, when some positions weigh nothing, and where all is copied, much of it or nothing."""
    rng = np.random.default_rng(n)
    low = lambda x: np.asarray(x, jnp.bfloat16).astype(np.float32)  # noqa: E731
    h, embedding = low(rng.normal(size=(n, 24))), low(rng.normal(size=(90, 24)))
    target, weight = rng.integers(0, 90, n), (rng.random(n) * (rng.random(n) < 0.8)).astype(np.float32) + (n == 1)
    take = np.array([0.5, 0, 0.999, 0.1])[np.arange(n) % 4]
    copied = Copied(np.log(1 - take).astype(np.float32), np.log(take * rng.random(n) + 1e-30).astype(np.float32))

    def run(form):
        scaled = lambda h, e, c: ((out := form(h, e, target, weight, c))[0] * 2.5, out)  # noqa: E731
        return jax.jit(jax.grad(scaled, (0, 1, 2), has_aux=True))(h, embedding, copied)

    (dh, de, dc), (loss, found) = run(cross_entropy)
    (true_dh, true_de, true_dc), (true_loss, nll) = run(plain)
    np.testing.assert_allclose(loss, true_loss, rtol=1e-5)
    np.testing.assert_allclose(found, nll, atol=1e-4)
    for ours, truth in ((dh, true_dh), (de, true_de), (dc.keep, true_dc.keep), (dc.log_p, true_dc.log_p)):
        assert np.linalg.norm(ours - truth) < 0.01 * np.linalg.norm(truth)
    assert (dh[weight == 0] == 0).all()


def test_large_logits_stay_finite():
    h, embedding = jnp.array([[300.0, 0], [-300, 0]]), jnp.array([[1.0, 0], [-1, 0], [0, 0]])
    nothing = Copied(jnp.zeros(2), jnp.full(2, HIDDEN))
    loss, nll = jax.jit(cross_entropy)(h, embedding, jnp.array([0, 0]), jnp.ones(2), nothing)
    np.testing.assert_allclose(nll, [0, 600], atol=1e-3)
    assert loss == nll.sum()


def saw(query, key, looking: Sight, sight: Sight) -> Seen:
    """What an attention layer with these queries and keys hands back."""
    visible = sees(looking, sight, None)[:, :, None]
    scores = jnp.einsum("bmhd,bshd->bmhs", query, jnp.repeat(key, query.shape[2] // key.shape[2], axis=2))
    lse = jax.nn.logsumexp(jnp.where(visible, scores, HIDDEN), axis=-1)
    return Seen(query, looking, None, key, sight, lse)


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
    far = pointing(saw(query[rows, where], key, looking, sight), jnp.asarray(first), jnp.asarray(last))
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
    seen = saw(query, key, looking, sight)
    far = lambda at: float(pointing(seen, jnp.array([[at]]), jnp.array([[at]]))[0, 0])  # noqa: E731
    assert far(2) == pytest.approx(np.log(3)) and far(3) == 0


def test_an_answer_is_exact_when_all_its_tokens_are_right():
    tokens = np.array([[MODEL, 40, 41, 50, MODEL, 42, 43, 44], [50, 51, MODEL, 45, 52, 52, 52, 52]])
    where = np.array([[0, 1, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5]])
    answer = np.array([[1, 1, 0, 1, 1, 1], [0, 0, 1, 1, 0, 0]], bool)
    right = np.array([[1, 1, 0, 1, 0, 1], [0, 0, 1, 1, 0, 0]], bool)
    blank = np.zeros_like(tokens)
    batch = Batch(tokens, blank, blank, where, blank, blank, answer, None, None)
    assert float(_exact(jnp.asarray(right), batch)) == pytest.approx(2 / 3)
