"""Estimates against other packages', at the very draws that those made.

    pip install 'pollux-lm[compare]'
    pytest -m compare

storchastic 0.3.7: its LOORF whole. Its DisARM by its parts (what a pair's difference is weighed with, and the mate's value): as
released it adds the mate's value where arXiv 2006.10680, equation 5, subtracts it, and what comes out is zero on average.
TensorFlow Probability 0.25: VIMCO.
"""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from pollux.estimators import binary
from pollux.estimators.bounds import bound, vimco
from pollux.estimators.pairs import Draw, gradient

pytestmark = pytest.mark.compare
LOGITS = np.array([0.3, -1.2, 2.0, 0.0], np.float32)
WEIGHT = np.array([1.0, -2.0, 0.7, 0.4], np.float32)
JOINT = np.array([0.2, -0.5, 0.1, 1.3], np.float32)


def square(z):
    """A function of all four bits, of numpy's or another package's."""
    return ((z * WEIGHT).sum(-1) - 0.3) ** 2


@pytest.fixture
def storch():
    torch = pytest.importorskip("torch")
    package = pytest.importorskip("storch")
    weight = torch.tensor(WEIGHT)
    square = package.deterministic(lambda z: ((z.float() * weight).sum(-1) - 0.3) ** 2)

    def estimate(method, seed):
        """The draws [N, D], the function of each [N], and the gradient by the logits."""
        torch.manual_seed(seed)
        logits = torch.tensor(LOGITS, requires_grad=True)
        draws = method(torch.distributions.Bernoulli(logits=logits))
        cost = square(draws)
        package.add_cost(cost, "f")
        package.backward()
        return draws._tensor.float().numpy(), cost._tensor.detach().numpy(), logits.grad.numpy()

    return SimpleNamespace(method=package.method, estimate=estimate, torch=torch)


@pytest.mark.parametrize("n", [2, 3, 8])
def test_loorf_is_that_of_storchastic(storch, n):
    for seed in range(20):
        method = storch.method.ScoreFunction("z", n_samples=n, baseline_factory="batch_average")
        value, f, theirs = storch.estimate(method, seed)
        np.testing.assert_allclose(square(value), f, rtol=1e-5, atol=1e-6)
        ours = gradient(Draw(jnp.asarray(value), binary.loorf(jnp.zeros(2, jnp.uint32), LOGITS, n).ratio), f)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("count", [1, 4])
def test_disarm_weighs_pairs_as_storchastic_does(storch, count):
    class Kept(storch.method.DisARM):
        def estimator(self, tensor, cost):
            logits = tensor.distribution.logits
            product, mates = self.comp_estimator(tensor, cost, logits, tensor.get_plate_dim_index(tensor.name), count)
            half = 0.5 * (cost._tensor[:count] - mates._tensor[:count].reshape(count)).detach()
            weighed = (product._tensor[:count] * half[:, None]).sum() / count
            self.kept = storch.torch.autograd.grad(weighed, logits, retain_graph=True)[0].numpy()
            return super().estimator(tensor, cost)

    differed = 0
    for seed in range(20):
        method = Kept("z", n_samples=count)
        value, f, released = storch.estimate(method, seed)
        ratio = binary.disarm(jnp.zeros(2, jnp.uint32), LOGITS, 2).ratio
        pairs = [Draw(jnp.asarray(value[[k, count + k]]), ratio) for k in range(count)]
        ours = np.mean([gradient(pair, f[[k, count + k]]) for k, pair in enumerate(pairs)], 0)
        np.testing.assert_allclose(ours, method.kept, rtol=1e-5, atol=1e-6)
        differed += not np.allclose(ours, released, atol=1e-5)
    assert differed, "a release whose whole estimate can be compared: do so"


@pytest.mark.parametrize("n", [2, 5])
def test_vimco_is_that_of_tensorflow_probability(n):
    tf = pytest.importorskip("tensorflow")
    tfp = pytest.importorskip("tensorflow_probability")
    for seed in range(20):
        value = np.random.default_rng(seed).integers(0, 2, (n, 1, 4)).astype(np.float32)
        logits = tf.Variable(LOGITS)
        log_q = lambda z, by=logits: tf.reduce_sum(z * by - tf.math.softplus(by), -1)  # noqa: E731
        log_joint = lambda z: tf.reduce_sum(z * JOINT, -1) - tf.reduce_sum(z * WEIGHT, -1) ** 2  # noqa: E731
        q = SimpleNamespace(sample=lambda sample_shape, seed, value=value: tf.constant(value), log_prob=log_q)
        with tf.GradientTape() as tape:
            theirs = tfp.vi.csiszar_vimco(f=lambda log_u: log_u, p_log_prob=log_joint, q=q, num_draws=n, seed=(0, seed))
        log_r = (log_joint(value) - log_q(value)).numpy()
        assert float(bound(jnp.asarray(log_r))[0]) == pytest.approx(float(theirs), rel=1e-5)
        ours = vimco(Draw(jnp.asarray(value), jnp.ones((1, 1, 1, 4))), jnp.asarray(LOGITS)[None], jnp.asarray(log_r))
        np.testing.assert_allclose(ours[0], tape.gradient(theirs, logits), rtol=1e-4, atol=1e-5)
