"""Gradients of the multi-sample bound against finite differences of its exact value."""

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.estimators import binary
from pollux.estimators.bounds import bound, local_arms, local_disarm, vimco
from pollux.estimators.pairs import Draw

JOINT = np.log([0.35, 0.08])  # log p(x, z = 0), log p(x, z = 1)
KEY = jax.random.key(0)


def log_r(values, phi):
    """log p(x, z) - log q(z) for draws [W, n, 1]."""
    p = 1 / (1 + np.exp(-phi))
    z = values[..., 0]
    return np.where(z > 0, JOINT[1] - np.log(p), JOINT[0] - np.log1p(-p))


def value(phi, n):
    p = 1 / (1 + np.exp(-phi))
    values, chance = exact.outcomes(n, (p,), exact.independent)
    r = log_r(values, phi)
    return chance @ (np.log(np.exp(r).mean(1)))


def slope(phi, n):
    return (value(phi + 1e-5, n) - value(phi - 1e-5, n)) / 2e-5


@pytest.mark.parametrize("phi", [-1.3, 0.4, 2.0])
@pytest.mark.parametrize("n", [2, 3, 4])
def test_vimco_is_unbiased(phi, n):
    p, logits = 1 / (1 + np.exp(-phi)), jnp.array([phi], jnp.float32)
    values, chance = exact.outcomes(n, (p,), exact.independent)
    one = lambda v, r: vimco(Draw(v, jnp.ones((1, 1, 1))), logits, r)[0]  # noqa: E731
    found = np.asarray(jax.vmap(one)(values, jnp.asarray(log_r(values, phi), jnp.float32)), np.float64)
    assert chance @ found == pytest.approx(slope(phi, n), abs=3e-6)


@pytest.mark.parametrize("phi", [-1.3, 0.4, 2.0])
@pytest.mark.parametrize("n", [2, 3, 4])
def test_local_arms_is_unbiased(phi, n):
    p, logits = 1 / (1 + np.exp(-phi)), jnp.array([phi], jnp.float32)
    own, own_chance = exact.outcomes(n, (p,), exact.independent)
    other, other_chance = exact.outcomes(n, (p,), exact.antithetic)
    ratio = binary.arms(KEY, logits, n).ratio
    one = lambda v, r, w, s: local_arms(Draw(v, ratio), r, Draw(w, ratio), s, logits)[0]  # noqa: E731
    every = jax.vmap(jax.vmap(one, (None, None, 0, 0)), (0, 0, None, None))
    logs = [jnp.asarray(log_r(values, phi), jnp.float32) for values in (own, other)]
    found = np.asarray(every(own, logs[0], other, logs[1]), np.float64)
    assert own_chance @ found @ other_chance == pytest.approx(slope(phi, n), abs=3e-6)


@pytest.mark.parametrize("phi", [-1.3, 0.4, 2.0])
@pytest.mark.parametrize("n", [2, 3])
def test_local_disarm_is_unbiased(phi, n):
    p, logits = 1 / (1 + np.exp(-phi)), jnp.array([phi], jnp.float32)
    values, chance = exact.outcomes(2 * n, (p,), exact.pairs)
    one = lambda v, r: local_disarm(Draw(v, jnp.ones((1, 1, 1))), logits, r)[0]  # noqa: E731
    found = np.asarray(jax.vmap(one)(values, jnp.asarray(log_r(values, phi), jnp.float32)), np.float64)
    assert chance @ found == pytest.approx(slope(phi, n), abs=3e-6)


def test_the_bound_is_the_log_of_the_mean_and_takes_any_size_of_number():
    assert float(bound(jnp.log(jnp.array([1.0, 3.0])))) == pytest.approx(np.log(2))
    assert float(bound(jnp.array([-900.0, -900.0]))) == pytest.approx(-900)


def test_a_draw_that_cannot_be_makes_nothing_undefined():
    logits = jnp.array([0.3, -1.0])
    log_r = jnp.array([0.1, -jnp.inf, 0.4, -0.2])
    pairs, own = binary.disarm(KEY, logits, 4), binary.loorf(KEY, logits, 4)
    for found in (vimco(own, logits, log_r), local_disarm(pairs, logits, log_r), local_arms(own, log_r, own, log_r, logits)):
        assert np.isfinite(found).all()


def test_bad_input_is_told():
    logits = jnp.zeros(3)
    one, two, three = (binary.loorf(KEY, logits, n) for n in (2, 2, 3))
    single = Draw(one.value[:1], one.ratio)
    with pytest.raises(ValueError, match="2 draws or more"):
        vimco(single, logits, jnp.zeros(1))
    with pytest.raises(ValueError, match="2 draws or more"):
        local_disarm(two, logits, jnp.zeros(2))
    with pytest.raises(ValueError, match="even number"):
        local_disarm(three, logits, jnp.zeros(3))
    for wrong in (jnp.zeros((2, 1)), jnp.zeros((2, 5, 1)), [0.0]):
        with pytest.raises(ValueError, match="a value for each draw"):
            vimco(two, logits, wrong)
    with pytest.raises(ValueError, match="binary variables"):
        vimco(two, jnp.zeros((3, 4)), jnp.zeros(2))
    with pytest.raises(ValueError, match="as many antithetic"):
        local_arms(two, jnp.zeros(2), three, jnp.zeros(3), logits)
    with pytest.raises(ValueError, match="a draw or more"):
        bound(jnp.zeros((0, 2)))
