"""Estimates of binary gradients, by every outcome and its probability: unbiased, less varied, and neither by chance."""

from functools import partial
from itertools import product

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.estimators import binary
from pollux.estimators.copulas import dirichlet_ratio, gaussian_ratio
from pollux.estimators.pairs import Draw, gradient, surrogate

KEY = jax.random.key(0)
METHODS = {
    "loorf": (binary.loorf, exact.independent), "disarm": (binary.disarm, exact.pairs), "arms": (binary.arms, exact.antithetic),
}  # fmt: skip
# variances of f = (z - 0.49)^2 times 1e6, at p = 0.1, 0.25 and 0.5
VARIANCES = {
    "arms": {2: (12.96, 14.0625, 0), 4: (4.860, 1.8241, 0.6078), 6: (2.3911, 1.0370, 0.3324), 8: (1.5263, 0.8206, 0.1967),
             10: (1.1293, 0.6689, 0.1287)},
    "loorf": {2: (14.76, 23.4375, 25), 4: (6.300, 7.0313, 4.1667), 6: (4.0560, 4.0625, 1.6667), 8: (2.9957, 2.8460, 0.8929),
              10: (2.3760, 2.1875, 0.5556)},
    "disarm": {4: (6.48, 7.0313, 0), 6: (4.32, 4.6875, 0), 8: (3.24, 3.5156, 0), 10: (2.592, 2.8125, 0)},
}


def estimates(method, values, ps, f):
    """The estimate for each way the draws may come out [W, D], float64."""
    ratio = METHODS[method][0](KEY, jnp.asarray(exact.logit(ps), jnp.float32), values.shape[1]).ratio
    one = lambda value: gradient(Draw(value, ratio), f(value))  # noqa: E731
    return np.asarray(jax.jit(jax.vmap(one))(values), np.float64)


def any_function(rng, dims):
    """One value for each combination of so many bits, and it as a function of draws [N, D]."""
    table = rng.normal(size=(2,) * dims).astype(np.float32)
    return table, lambda value: jnp.asarray(table)[tuple(value[:, d].astype(int) for d in range(dims))]


def truth(table, ps):
    """The gradient of E[f] by the logits."""
    found = np.zeros(len(ps))
    for bits in product((0, 1), repeat=len(ps)):
        chance = np.prod([p if b else 1 - p for b, p in zip(bits, ps, strict=True)])
        found += chance * table[bits] * (np.array(bits) - ps)
    return found


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ps", [(0.3, 0.8), (0.5, 0.05), (0.97, 0.6)])
def test_the_mean_over_all_outcomes_is_the_gradient(method, ps):
    for n in (2, 4) if method == "disarm" else (2, 3, 4):
        values, chance = exact.outcomes(n, ps, METHODS[method][1])
        assert chance.sum() == pytest.approx(1, abs=1e-12)
        table, f = any_function(np.random.default_rng(n), 2)
        np.testing.assert_allclose(chance @ estimates(method, values, ps, f), truth(table, np.array(ps)), atol=2e-6)


def test_antithetic_draws_taken_for_independent_ones_are_biased():
    ps = (0.3, 0.8)
    values, chance = exact.outcomes(3, ps, exact.antithetic)
    table, f = any_function(np.random.default_rng(0), 2)
    assert np.abs(chance @ estimates("loorf", values, ps, f) - truth(table, np.array(ps))).max() > 0.01


@pytest.mark.parametrize(("method", "n"), [(method, n) for method, rows in VARIANCES.items() for n in rows])
def test_variances_are_those_of_the_reference(method, n):
    for p, wanted in zip((0.1, 0.25, 0.5), VARIANCES[method][n], strict=True):
        values, chance = exact.outcomes(n, (p,), METHODS[method][1])
        found = estimates(method, values, (p,), lambda value: (value[:, 0] - 0.49) ** 2)[:, 0]
        assert 1e6 * (chance @ found**2 - (chance @ found) ** 2) == pytest.approx(wanted, rel=2e-3, abs=2e-3)


def test_two_draws_of_arms_are_a_pair_of_disarm():
    logits = jax.random.normal(KEY, (3, 5)) * 4
    for a, b in zip(binary.arms(KEY, logits, 2), binary.disarm(KEY, logits, 2), strict=True):
        np.testing.assert_allclose(jnp.broadcast_to(a, b.shape)[0, -1], b[0, -1], rtol=1e-6)


def test_ratios_are_those_of_the_reference():
    ps = exact.logit(np.array([0.1, 0.3, 0.5]))
    np.testing.assert_allclose(dirichlet_ratio(ps, 4), [0.9, 0.804327, 0.840836], atol=2e-6)
    np.testing.assert_allclose(gaussian_ratio(jnp.asarray(ps, jnp.float32), 4), [0.923017, 0.844346, 0.822134], atol=2e-6)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 16])
def test_far_logits_keep_their_digits(n):
    logits = np.linspace(-30, 30, 241)
    q, m = 1 / (1 + np.exp(np.abs(logits))), n - 1
    t = np.exp(np.log1p(np.exp(np.abs(logits))) / m)
    wanted = (1 - q) / (1 - np.maximum(0, 2 - t) ** m)
    found = np.asarray(dirichlet_ratio(jnp.asarray(logits, jnp.float32), n))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    other = np.asarray(gaussian_ratio(jnp.asarray(logits, jnp.float32), n))
    np.testing.assert_allclose(other, exact.gaussian_ratio(logits, n), rtol=1e-5)
    for make in (binary.loorf, binary.arms):
        draw = make(KEY, jnp.asarray(logits, jnp.float32), n)
        assert np.isfinite(gradient(draw, jnp.arange(n))).all()
        assert (draw.value[:, 0] == 0).all() and (draw.value[:, -1] == 1).all()


@pytest.mark.parametrize("copula", ["dirichlet", "gaussian"])
@pytest.mark.parametrize("n", [2, 3, 6])
def test_draws_come_as_often_as_they_should_alone_and_together(copula, n):
    ps = np.array([0.02, 0.3, 0.5, 0.9])
    logits = jnp.broadcast_to(jnp.asarray(exact.logit(ps), jnp.float32), (100_000, 4))
    draw = jax.jit(lambda key: binary.arms(key, logits, n, copula=copula))(KEY)
    value = np.asarray(draw.value, np.float64)
    np.testing.assert_allclose(value.mean((0, 1)), ps, atol=4 * 0.5 / np.sqrt(1e5))
    covariance = ((value[0] - ps) * (value[1] - ps)).mean(0)
    wanted = ps * (1 - ps) * (1 - 1 / np.asarray(draw.ratio, np.float64)[0, 0, 0])
    np.testing.assert_allclose(covariance, wanted, atol=4 * 0.25 / np.sqrt(1e5))


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_arms_varies_less_than_loorf_at_every_probability(n):
    """By enumeration: one variable, f = z; the reference's largest ratio is 0.990 (invariant 3)."""

    def variance(method, p):
        values, chance = exact.outcomes(n, (p,), METHODS[method][1])
        found = estimates(method, values, (p,), lambda value: value[:, 0])[:, 0]
        return chance @ found**2 - (chance @ found) ** 2

    for p in (0.01, 0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 0.99):
        assert variance("arms", p) < 0.9905 * variance("loorf", p)


def test_arms_varies_less_than_loorf_whatever_the_function():
    """By enumeration: two variables, three draws, any functions; the reference's largest ratio is 0.944."""
    ps, ratios = (0.3, 0.8), []
    for seed in range(20):
        _, f = any_function(np.random.default_rng(seed), 2)
        total = []
        for method in ("arms", "loorf"):
            values, chance = exact.outcomes(3, ps, METHODS[method][1])
            found = estimates(method, values, ps, f)
            total.append((chance @ found**2 - (chance @ found) ** 2).sum())
        ratios.append(total[0] / total[1])
    assert max(ratios) < 0.96 and np.median(ratios) < 0.8


@pytest.mark.parametrize("make", [binary.loorf, binary.disarm, binary.arms, partial(binary.arms, copula="gaussian")])
def test_what_is_drawn_has_the_gradient_for_its_mean(make):
    """Sampled: of products of three variables, which draws of one copula for all of them would get wrong."""
    rng = np.random.default_rng(2)
    table, ps = rng.normal(size=(2, 2, 2)).astype(np.float32), np.array([0.3, 0.8, 0.5])
    logits = jnp.asarray(exact.logit(ps), jnp.float32)

    def estimate(key):
        draw = make(key, logits, 4)
        bits = draw.value.astype(int)
        return gradient(draw, jnp.asarray(table)[bits[:, 0], bits[:, 1], bits[:, 2]])

    found = np.asarray(jax.jit(jax.vmap(estimate))(jax.random.split(KEY, 100_000)), np.float64)
    assert (np.abs(found.mean(0) - truth(table, ps)) / (found.std(0) / np.sqrt(1e5))).max() < 4.5


def test_draws_have_no_derivative_and_nan_goes_through_jit():
    f = jnp.arange(4.0)
    for make in (binary.loorf, binary.disarm, binary.arms):
        through = jax.grad(lambda logits, make=make: gradient(make(KEY, logits, 4), f).sum())
        np.testing.assert_array_equal(through(jnp.array([0.3, -100.0, 100.0])), 0)
        found = jax.jit(lambda logits, make=make: gradient(make(KEY, logits, 4), f))(jnp.array([0.3, jnp.nan]))
        assert np.isfinite(found[0]) and np.isnan(found[1])


@pytest.mark.parametrize("copula", ["dirichlet", "gaussian"])
def test_arms_varies_less_than_loorf(copula):
    """With as many values of the function, sampled: a function of 8 latent variables, at a batch of probabilities."""
    rng = np.random.default_rng(0)
    weight = jnp.asarray(rng.normal(size=(8, 8)), jnp.float32)
    logits, f = jnp.asarray(rng.normal(size=8) * 1.5, jnp.float32), lambda z: jnp.einsum("...d,de,...e->...", z, weight, z)
    n = 6

    def variance(make):
        draw = lambda key: gradient(found := make(key, logits, n), f(found.value))  # noqa: E731
        return jax.jit(jax.vmap(draw))(jax.random.split(KEY, 20_000)).var(0).sum()

    assert variance(lambda *a: binary.arms(*a, copula=copula)) < 0.93 * variance(binary.loorf)


def test_a_batch_is_each_of_its_members_and_a_surrogate_has_the_estimate_for_a_gradient():
    logits = jax.random.normal(KEY, (3, 2, 5))
    draw = binary.arms(KEY, logits, 4)
    f = jax.random.normal(KEY, (4, 3, 2))
    every = gradient(draw, f)
    assert every.shape == logits.shape
    for i, j in np.ndindex(3, 2):
        alone = gradient(Draw(draw.value[:, i, j], draw.ratio[:, :, i, j]), f[:, i, j])
        np.testing.assert_allclose(every[i, j], alone, atol=1e-6)
    np.testing.assert_array_equal(jax.grad(surrogate)(logits, every), every)


def test_bad_input_is_told():
    zeros = jnp.zeros(3)
    for make in METHODS.values():
        with pytest.raises(ValueError, match="2 draws or more"):
            make[0](KEY, zeros, 1)
    with pytest.raises(ValueError, match="NaN"):
        binary.arms(KEY, jnp.array([0.0, jnp.nan]), 4)
    for infinite in (jnp.inf, -jnp.inf):
        with pytest.raises(ValueError, match="infinity"):
            binary.arms(KEY, jnp.array([0.0, infinite]), 4)
    for n in (4.0, "4"):
        with pytest.raises(ValueError, match="whole number"):
            binary.arms(KEY, zeros, n)
    with pytest.raises(ValueError, match="static"):
        jax.jit(binary.arms)(KEY, zeros, 4)
    with pytest.raises(ValueError, match="shaped like its logits"):
        surrogate(jnp.zeros((2, 3)), zeros)
    with pytest.raises(ValueError, match="even number"):
        binary.disarm(KEY, zeros, 3)
    with pytest.raises(ValueError, match="a copula is"):
        binary.arms(KEY, zeros, 3, copula="frank")
    with pytest.raises(ValueError, match="shape"):
        binary.arms(KEY, 0.5, 3)
    with pytest.raises(ValueError, match="a value for each draw"):
        gradient(binary.arms(KEY, zeros, 4), jnp.zeros(3))
