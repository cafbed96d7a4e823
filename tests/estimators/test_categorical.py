"""Estimates of categorical gradients: pairs come as often as their ratios say, and the means are the gradients."""

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.estimators import binary, categorical
from pollux.estimators.categorical import rectangle
from pollux.estimators.pairs import gradient

KEY = jax.random.key(0)
METHODS = {
    "stick-breaking": categorical.stick_breaking,
    "inverse": categorical.inverse,
    "cyclic": lambda *a: categorical.inverse(*a, orders="cyclic"),
}
PS = {"even": (0.25, 0.25, 0.25, 0.25), "uneven": (0.05, 0.6, 0.1, 0.25), "rare": (0.002, 0.9, 0.098)}


def logits_of(p, times):
    return jnp.broadcast_to(jnp.log(jnp.asarray(p)), (times, len(p)))


@pytest.mark.parametrize("p", PS.values(), ids=PS)
@pytest.mark.parametrize(("method", "n"), [(method, n) for method in METHODS for n in (2, 3, 5) if (method, n) != ("cyclic", 2)])
def test_two_categories_come_together_as_often_as_their_ratio_says(method, n, p):
    times = 60_000
    draw = jax.jit(METHODS[method], static_argnums=2)(KEY, logits_of(p, times), n)
    value, ratio = np.asarray(draw.value, np.float64), np.broadcast_to(draw.ratio, (n, n, times))
    np.testing.assert_allclose(value.mean((0, 1)), p, atol=4 * 0.5 / np.sqrt(times))
    met = np.einsum("td,tc->dc", value[0], value[1]) / times
    weighed = np.einsum("td,tc,t->dc", value[0], value[1], ratio[0, 1]) / times
    assert (met == met.T).all() or np.abs(met - met.T).max() < 5 * np.sqrt(met.max() / times)
    apart = ~np.eye(len(p), dtype=bool)
    wanted = np.outer(p, p)
    off = np.abs(weighed - wanted)[apart] / np.sqrt(np.maximum(wanted, 1e-9) * 1.6 / times)[apart]
    assert off.max() < 4.5, (weighed, wanted)
    np.testing.assert_allclose(ratio.swapaxes(0, 1), ratio, rtol=1e-6)
    assert ratio.max() < 2.5


def test_a_rectangle_is_what_the_distribution_says_and_all_of_them_are_one():
    rng = np.random.default_rng(0)
    for n in (2, 3, 4, 8, 12):
        m = n - 1
        copula = lambda x, y, m=m: np.maximum(0, x ** (1 / m) + y ** (1 / m) - 1) ** m  # noqa: E731
        p = rng.dirichlet(np.ones(6))
        low = np.cumsum(p) - p
        found = np.asarray(rectangle(*(jnp.asarray(v, jnp.float32) for v in (low[:, None], p[:, None], low[None], p[None])), n))
        x, y = np.meshgrid(low, low, indexing="ij")
        wanted = copula(x + p[:, None], y + p) + copula(x, y) - copula(x, y + p) - copula(x + p[:, None], y)
        np.testing.assert_allclose(found, wanted, atol=2e-6, rtol=2e-3)
        np.testing.assert_allclose(found.sum(1), p, atol=2e-6)


def test_small_rectangles_keep_their_digits():
    """Where differences of the distribution in float32 would be noise: against them in long double."""
    x, y, width = np.longdouble(0.7), np.longdouble(0.8), np.longdouble(1e-7)
    for n in (3, 4, 8):
        m = n - 1
        c = lambda a, b, m=m: (a ** (1 / np.longdouble(m)) + b ** (1 / np.longdouble(m)) - 1) ** m  # noqa: E731
        wanted = c(x + width, y + width) + c(x, y) - c(x, y + width) - c(x + width, y)
        found = rectangle(*(jnp.float32(v) for v in (x, width, y, width)), n)
        assert float(found) == pytest.approx(float(wanted), rel=2e-3)


def test_sticks_of_two_categories_are_arms():
    p = 0.3
    for n in (2, 3, 6):
        two = categorical.stick_breaking(KEY, jnp.log(jnp.array([[1 - p, p]])), n)
        arms = binary.arms(KEY, jnp.asarray([exact.logit(p)], jnp.float32), n)
        unlike = np.asarray(two.value[:, None] != two.value[None])[..., 0]
        np.testing.assert_allclose(np.asarray(two.ratio)[unlike], float(arms.ratio[0, 0, 0]), rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [3, 4])
def test_how_often_categories_meet_is_a_table_and_makes_up_for_it_exactly(method, n):
    """P(a, c), read off the ratios of what was drawn, is symmetric and sums to the marginals, and with the ratios it gives the
    gradient of any linear function to the last digits of float32."""
    p = np.array([0.1, 0.2, 0.3, 0.4])
    draw = jax.jit(METHODS[method], static_argnums=2)(KEY, logits_of(p, 3000), n)
    which, ratio = np.asarray(draw.value).argmax(-1), np.broadcast_to(draw.ratio, (n, n, 3000))
    met = np.full((4, 4), np.nan)
    for a, c in np.ndindex(4, 4):
        found = ratio[:, :][(which[:, None] == a) & (which[None] == c)] if a != c else np.zeros(0)
        if found.size:
            np.testing.assert_allclose(found, found[0], rtol=1e-5)  # the same, whenever these two meet
            met[a, c] = p[a] * p[c] / found[0]
    apart = ~np.eye(4, dtype=bool)
    assert (met[apart] > 0).all()
    np.testing.assert_allclose(met[apart], met.T[apart], rtol=1e-5)
    alike = p - np.where(apart, met, 0).sum(1)  # what is left of each marginal: that both draw the same
    assert (alike > -1e-6).all() and (alike < p**2).all()
    f = np.array([1.0, -2.0, 0.5, 3.0])
    change = (f[:, None] - f)[..., None] * (np.eye(4)[:, None] - np.eye(4))
    weighed = np.where(apart, met * np.where(apart, np.outer(p, p) / met, 0), 0)
    np.testing.assert_allclose((weighed[..., None] * change).sum((0, 1)) / 2, p * (f - p @ f), atol=1e-6)


@pytest.mark.parametrize("alpha", [1.0, 10.0, 100.0, 1000.0])
@pytest.mark.parametrize("method", ["loorf", *METHODS])
def test_the_mean_is_the_gradient_and_antithetic_draws_vary_less(method, alpha):
    """The toy of the paper's repository: 3 variables of 3 categories, a linear function of all, 3 draws."""
    table = 3.0 * np.arange(1, 10).reshape(3, 3)
    p = np.random.default_rng(1).dirichlet(np.full(3, alpha), 3)
    logits = jnp.asarray(np.log(p), jnp.float32)
    f = lambda z: (z * table).sum((-1, -2))  # noqa: E731

    def estimate(key, make):
        draw = make(key, logits, 3)
        return gradient(draw, f(draw.value))

    keys = jax.random.split(KEY, 40_000)
    of = lambda make: np.asarray(jax.jit(jax.vmap(lambda key: estimate(key, make)))(keys), np.float64)  # noqa: E731
    found, plain = of(METHODS.get(method, categorical.loorf)), of(categorical.loorf)
    wanted = p * (table - (p * table).sum(-1, keepdims=True))
    assert (np.abs(found.mean(0) - wanted) / (found.std(0) / 200)).max() < 4.5
    if method != "loorf":
        assert found.var(0).sum() < 0.9 * plain.var(0).sum()


def test_gumbel_is_near_and_its_bias_is_what_its_docstring_says():
    p = np.array([0.1, 0.2, 0.7])
    logits = jnp.asarray(np.log(p), jnp.float32)[None]
    f = jnp.array([1.0, -2.0, 0.5])

    def estimate(key):
        draw = categorical.gumbel(key, logits, 3, trials=200)
        return gradient(draw, (draw.value * f).sum((-1, -2)))[0]

    found = np.asarray(jax.lax.map(estimate, jax.random.split(KEY, 30_000), batch_size=500), np.float64)
    wanted = p * (np.asarray(f) - p @ np.asarray(f))
    assert np.linalg.norm(found.mean(0) - wanted) < 0.05 * np.linalg.norm(wanted)


def test_gumbel_loses_most_of_the_gradient_of_many_categories():
    """As its docstring says: pairs that meet less often than once in all trials count for less than they should."""
    f = jnp.asarray(np.random.default_rng(0).normal(size=64), jnp.float32)
    wanted = np.asarray(f - f.mean()) / 64

    def share(make):
        one = lambda key: gradient(draw := make(key, jnp.zeros((1, 64)), 3), (draw.value * f).sum((-1, -2)))[0]  # noqa: E731
        found = np.asarray(jax.lax.map(one, jax.random.split(KEY, 4000), batch_size=100), np.float64).mean(0)
        return found @ wanted / (wanted @ wanted)

    assert share(categorical.gumbel) < 0.5 and share(categorical.stick_breaking) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("method", METHODS)
def test_draws_have_no_derivative_and_nan_goes_through_jit(method):
    estimate = lambda logits: gradient(METHODS[method](KEY, logits, 4), jnp.arange(4.0))  # noqa: E731
    np.testing.assert_array_equal(jax.grad(lambda logits: estimate(logits).sum())(jnp.array([[0.3, -2.0, 1.0]])), 0)
    found = jax.jit(estimate)(jnp.array([[0.3, jnp.nan, 1.0], [0.0, 1.0, 2.0]]))
    assert np.isnan(found[0]).all() and np.isfinite(found[1]).all()


@pytest.mark.parametrize("method", METHODS)
def test_far_logits_are_finite(method):
    logits = jnp.array([[-30.0, 0.0, 30.0], [30.0, 30.0, -30.0], [0.0, -30.0, -30.0]])
    for n in (3, 4, 7):
        draw = METHODS[method](KEY, logits, n)
        assert np.isfinite(draw.ratio).all() and np.isfinite(gradient(draw, jnp.arange(n))).all()
        np.testing.assert_array_equal(draw.value.sum(-1), 1)


def test_a_batch_is_jitted_and_bad_input_is_told():
    logits = jax.random.normal(KEY, (2, 4, 5))
    for make in (categorical.loorf, *METHODS.values(), categorical.gumbel):
        draw = jax.jit(make, static_argnums=2)(KEY, logits, 3)
        assert draw.value.shape == (3, 2, 4, 5) and gradient(draw, jnp.zeros((3, 2))).shape == logits.shape
        with pytest.raises(ValueError, match="2 categories or more"):
            make(KEY, jnp.zeros((4, 1)), 3)
        with pytest.raises(ValueError, match="2 draws or more"):
            make(KEY, jnp.zeros((4, 2)), 1)
        with pytest.raises(ValueError, match="infinity"):
            make(KEY, jnp.array([[0.0, jnp.inf]]), 3)
        with pytest.raises(ValueError, match="no category"):
            make(KEY, jnp.full((4, 2), -jnp.inf), 3)
    with pytest.raises(ValueError, match="3 draws or more"):
        categorical.inverse(KEY, logits, 2, orders="cyclic")
    with pytest.raises(ValueError, match="orders are"):
        categorical.inverse(KEY, logits, 3, orders="all")
    with pytest.raises(ValueError, match="trials"):
        categorical.gumbel(KEY, logits, 3, trials=0)
