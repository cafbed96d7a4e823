"""The loss in blocks against log-softmax written out, with its gradients; and what a batch reports."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.train.losses import ROWS, cross_entropy


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
