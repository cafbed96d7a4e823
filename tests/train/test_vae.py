"""The autoencoder with discrete latent variables: its gradients against enumeration, its measurements, and runs that stop."""

import json
import signal
from dataclasses import replace
from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.base.errors import CheckpointError, ConfigError, TrainingError
from pollux.data.digits import split
from pollux.estimators import binary, categorical
from pollux.estimators.pairs import Draw
from pollux.train.vae import objectives, run
from pollux.train.vae.experiment import METHODS, Experiment, Shape
from pollux.train.vae.measure import make_evaluation, make_variance
from pollux.train.vae.net import begin, encode, log_weight
from pollux.train.vae.step import State, batches, mean_of, moving_variance, value_of

PIXELS, KEY = 6, jax.random.key(0)
MEAN = jnp.linspace(0.2, 0.8, PIXELS)
X = jnp.array([[1.0, 0, 0, 1, 1, 0]])
BITS = np.array(list(product((0, 1), repeat=3)), np.float32)
THREE, TWO = Shape("three bits", "", (4,), 3), Shape("two of three", "", (4,), 2, 3)


def weights(model):
    """Large enough that probabilities are anything but even."""
    return jax.tree.map(lambda x: x + 0.3 * jax.random.normal(KEY, x.shape), begin(model, np.asarray(MEAN), 1))


def pair(a, b, p):
    """The probability of two antithetic bits."""
    return [[max(0, 1 - 2 * p), min(p, 1 - p)], [min(p, 1 - p), max(0, 2 * p - 1)]][a][b]


def ways(n, ps, antithetic):
    """Every way n draws of bits may come out [W, n, 1, D], and how likely each is; antithetic ones in pairs."""
    alone = lambda bits, p: float(np.prod([p if b else 1 - p for b in bits]))  # noqa: E731
    paired = lambda bits, p: float(np.prod([pair(*bits[i : i + 2], p) for i in range(0, n, 2)]))  # noqa: E731
    found = list(product(product((0, 1), repeat=n), repeat=len(ps)))
    chance = [np.prod([(paired if antithetic else alone)(bits, p) for bits, p in zip(way, ps, strict=True)]) for way in found]
    return np.array(found, np.float32).swapaxes(1, 2)[:, :, None], np.array(chance)


def mean_gradient(model, n, chance, make, *outcomes):
    """The expectation, over outcomes that are as likely as that, of the gradient of ``make(*outcome)``, by all weights."""
    plan, given = Experiment(model, "loorf", n), (weights(model), X, MEAN, KEY)
    every = jax.jit(jax.vmap(lambda *outcome: jax.grad(partial(value_of, plan, make(*outcome)))(*given)))(*outcomes)
    return jax.tree.map(lambda g: np.tensordot(chance, np.asarray(g, np.float64), 1), every)


def exact_elbo(model, code, params):
    """By every value of the latent variables, [K, ...]."""
    logits = encode(params, model, X, MEAN)
    many = jnp.broadcast_to(logits, (len(code), *logits.shape[1:]))
    bits = model.categories is None
    own = (code * many - jax.nn.softplus(many)).sum(-1) if bits else (code * jax.nn.log_softmax(many)).sum((-1, -2))
    return (jnp.exp(own) * log_weight(params, logits, X, code[:, None])[:, 0]).sum()


def exact_bound(params):
    """Of two independent draws."""
    logits = encode(params, THREE, X, MEAN)
    q = jnp.exp((BITS * logits - jax.nn.softplus(logits)).sum(-1))
    log_r = log_weight(params, logits, X, BITS[:, None])[:, 0]
    return (q[:, None] * q[None] * (jnp.logaddexp(log_r[:, None], log_r[None]) - jnp.log(2))).sum()


def exact_gradient(function, model):
    return jax.jit(jax.grad(function))(weights(model))


def assert_same(found, wanted):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5, rtol=1e-4), found, wanted)


def probabilities():
    return np.asarray(jax.nn.sigmoid(encode(weights(THREE), THREE, X, MEAN)[0]), np.float64)


@pytest.mark.parametrize(("name", "n"), [("loorf", 2), ("loorf", 3), ("arms", 2), ("disarm", 4)])
def test_the_elbo_gradient_is_the_mean_over_all_outcomes(name, n):
    logits = encode(weights(THREE), THREE, X, MEAN)
    assert 0.05 < probabilities().min() < 0.4 < 0.6 < probabilities().max() < 0.97
    value, chance = ways(n, probabilities(), name != "loorf")
    ratio = getattr(binary, name)(KEY, logits, n).ratio
    found = mean_gradient(THREE, n, chance, lambda v: objectives.elbo(lambda *_: Draw(v, ratio)), value)
    assert_same(found, exact_gradient(partial(exact_elbo, THREE, BITS), THREE))


def test_antithetic_draws_taken_for_independent_ones_are_found_out():
    value, chance = ways(2, probabilities(), True)
    ratio = jnp.ones((1, 1, 1, 3))
    found = mean_gradient(THREE, 2, chance, lambda v: objectives.elbo(lambda *_: Draw(v, ratio)), value)
    wanted = exact_gradient(partial(exact_elbo, THREE, BITS), THREE)["encoder"]
    assert max(jax.tree.leaves(jax.tree.map(lambda a, b: np.abs(a - b).max(), found["encoder"], wanted))) > 0.01


def test_the_categorical_elbo_gradient_is_the_mean_over_all_outcomes():
    one_hot = np.eye(3, dtype=np.float32)
    code = np.array([one_hot[list(c)] for c in product(range(3), repeat=2)])
    logits = encode(weights(TWO), TWO, X, MEAN)
    q = np.exp(np.asarray((code * jax.nn.log_softmax(logits)).sum((-1, -2)), np.float64))
    value, chance = np.array([[a, b] for a in code for b in code])[:, :, None], np.outer(q, q).ravel()
    ratio = categorical.loorf(KEY, logits, 2).ratio
    found = mean_gradient(TWO, 2, chance, lambda v: objectives.elbo(lambda *_: Draw(v, ratio)), value)
    assert_same(found, exact_gradient(partial(exact_elbo, TWO, code), TWO))


@pytest.mark.parametrize("name", ["vimco", "local-disarm", "local-arms"])
def test_the_bound_gradient_is_the_mean_over_all_outcomes(name):
    logits, ps = encode(weights(THREE), THREE, X, MEAN), probabilities()
    ratio = binary.arms(KEY, logits, 2).ratio
    plain, pairs = (lambda v: lambda *_: Draw(v, jnp.ones((1, 1, 1, 3)))), (lambda v: lambda *_: Draw(v, ratio))
    if name == "vimco":
        value, chance = ways(2, ps, False)
        found = mean_gradient(THREE, 2, chance, lambda v: objectives.vimco(plain(v)), value)
    elif name == "local-disarm":
        value, chance = ways(4, ps, True)
        found = mean_gradient(THREE, 4, chance, lambda v: objectives.local_disarm(plain(v)), value)
    else:
        (own, own_chance), (other, other_chance) = ways(2, ps, False), ways(2, ps, True)
        every = np.repeat(own, len(other), 0), np.tile(other, (len(own), 1, 1, 1))
        chance = np.outer(own_chance, other_chance).ravel()
        found = mean_gradient(THREE, 4, chance, lambda v, w: objectives.local_arms(plain(v), pairs(w)), *every)
    assert_same(found, exact_gradient(exact_bound, THREE))


def test_a_batch_is_the_mean_of_its_pictures_and_every_method_has_its_objective():
    assert set(objectives.BITS) == {name for name, method in METHODS.items() if method.binary}
    assert set(objectives.CATEGORIES) == {name for name, method in METHODS.items() if method.categorical}
    two = jnp.concatenate([X, 1 - X])
    same = lambda logits: jnp.broadcast_to(BITS[2:5, None], (3, len(logits), 3))  # noqa: E731
    fixed = objectives.elbo(lambda key, logits, n: Draw(same(logits), jnp.ones((1, 1, 1, 3))))
    grad = jax.jit(jax.grad(partial(value_of, Experiment(THREE, "loorf", 3), fixed)))
    of = lambda x: grad(weights(THREE), x, MEAN, KEY)  # noqa: E731
    assert_same(of(two), jax.tree.map(lambda a, b: (a + b) / 2, of(two[:1]), of(two[1:])))


@pytest.mark.parametrize("name", ["loorf", "arms"])
def test_the_variance_is_that_of_all_outcomes(name):
    value, chance = ways(2, probabilities(), name == "arms")
    ratio = getattr(binary, name)(KEY, encode(weights(THREE), THREE, X, MEAN), 2).ratio
    plan = Experiment(THREE, "loorf", 2, estimates=20_000)
    one = lambda v: jax.grad(partial(value_of, plan, objectives.elbo(lambda *_: Draw(v, ratio))))(weights(THREE), X, MEAN, KEY)  # noqa: E731
    every = jax.tree.map(lambda g: np.asarray(g, np.float64), jax.jit(jax.vmap(one))(value)["encoder"])
    spread = lambda g: np.tensordot(chance, g**2, 1) - np.tensordot(chance, g, 1) ** 2  # noqa: E731
    assert make_variance(plan, name)(weights(THREE), X, MEAN, KEY) == pytest.approx(mean_of(jax.tree.map(spread, every)), rel=0.05)


def test_the_elbo_and_the_bound_are_those_of_all_outcomes():
    found = make_evaluation(THREE, 2)(weights(THREE), np.repeat(np.asarray(X), 40_010, 0), MEAN, KEY)
    assert found.elbo == pytest.approx(float(exact_elbo(THREE, BITS, weights(THREE))), abs=0.02)
    assert found.bound == pytest.approx(float(exact_bound(weights(THREE))), abs=0.02)
    many = make_evaluation(TWO, 3)(weights(TWO), np.repeat(np.asarray(X), 7, 0), MEAN, KEY)
    assert many.elbo < many.bound < 0


def test_a_gradient_that_is_always_the_same_has_no_moving_variance():
    kept = 1 - 0.999**7
    state = State({}, None, {"a": jnp.full(3, 2 * kept)}, {"a": jnp.full(3, 4 * kept)}, jnp.zeros(()), jnp.int32(7))
    assert moving_variance(state) == pytest.approx(0, abs=1e-5)
    assert moving_variance(state._replace(second={"a": jnp.full(3, 5 * kept)})) == pytest.approx(1, abs=1e-5)


def test_rivals_take_as_many_draws_and_teach_the_same():
    assert Experiment(THREE, "arms", 4).rivals == ("loorf", "disarm", "arms", "gumbel-st")
    assert Experiment(THREE, "arms", 3).rivals == ("loorf", "arms", "gumbel-st")
    assert Experiment(THREE, "vimco", 4).rivals == ("vimco", "vimco-halves", "local-disarm", "local-arms")
    assert Experiment(TWO, "carms-i", 4).rivals == ("loorf", "carms-i", "carms-sb", "gumbel-st")


def test_each_epoch_is_a_shuffle_and_batches_follow_from_the_step_alone():
    every = batches(3, 23, 5, 0, 8)
    assert every.shape == (8, 5) and len(set(every[:4].ravel())) == len(set(every[4:].ravel())) == 20
    assert (every[:4] != every[4:]).any() and (batches(4, 23, 5, 0, 4) != every[:4]).any()
    np.testing.assert_array_equal(batches(3, 23, 5, 3, 3), every[3:6])


PLAN = Experiment(THREE, "arms", 4, every=20, batch=10, estimates=4, drawn=4, final=4, rate=1e-2, compared=("arms",))


@pytest.fixture(scope="module")
def data():
    """Two kinds of pictures and noise."""
    rng = np.random.default_rng(0)
    kinds = np.array([[230, 230, 20, 20, 120, 20], [20, 20, 230, 230, 20, 120]])
    return split(np.clip(kinds[rng.integers(0, 2, 270)] + rng.integers(-20, 20, (270, PIXELS)), 0, 255).astype(np.uint8))


def outcome(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()], (folder / run.SUMMARY).read_text()


def test_stopped_and_gone_on_is_as_if_never_stopped(data, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "_CALL", 8)
    run.train(PLAN, data, tmp_path / "whole", 50)
    rows, summary = outcome(tmp_path / "whole")
    assert [row["step"] for row in rows] == [20, 40] and rows[1]["train"]["elbo"] > rows[0]["train"]["elbo"]

    def stop(done, last):
        if done > 25:
            signal.raise_signal(signal.SIGTERM)

    run.train(PLAN, data, tmp_path / "parts", 13)
    with pytest.raises(KeyboardInterrupt):
        run.train(PLAN, data, tmp_path / "parts", 50, stop)
    assert [row["step"] for row in outcome(tmp_path / "parts")[0]] == [20, 40][: 1 + (len(outcome(tmp_path / "parts")[0]) > 1)]
    run.train(PLAN, data, tmp_path / "parts", 50)
    assert outcome(tmp_path / "parts") == (rows, summary)
    assert json.loads(summary)["steps"] == 50 and json.loads(summary)["pictures"] == {"train": 210, "valid": 30, "test": 30}
    with pytest.raises(CheckpointError, match=r"another estimator \(arms, this one has loorf\)"):
        run.train(replace(PLAN, estimator="loorf"), data, tmp_path / "whole", 50)
    with pytest.raises(CheckpointError, match="50 steps, past the 40"):
        run.train(PLAN, data, tmp_path / "whole", 40)


@pytest.mark.parametrize(("model", "name"), [(THREE, "gumbel-st"), (TWO, "loorf")])
def test_it_learns(model, name, data, tmp_path):
    plan = replace(PLAN, model=model, estimator=name, compared=(name,), every=150)
    before = run.train(plan, data, tmp_path, 1)["test"]
    assert run.train(plan, data, tmp_path, 150)["test"]["bound"] > before["bound"] + 0.1


def test_bad_input_is_told(data, tmp_path):
    for wrong, told in {
        "there is no estimator": {"estimator": "rebar"}, "2 draws or more": {"n": 1},
        "even number": {"estimator": "disarm", "n": 3}, "4 draws or more, got n=2": {"estimator": "local-arms", "n": 2},
        "not for categorical": {"model": TWO}, "not for bits": {"estimator": "carms-sb"},
        "2 estimates or more": {"estimates": 1}, "batch must be 1": {"batch": 0}, "a variance": {"estimates": 0},
    }.items():  # fmt: skip
        with pytest.raises(ConfigError, match=wrong):
            Experiment(**told)
    with pytest.raises(ConfigError, match="2 categories or more, got 1"):
        Shape("one", "", (), 20, 1)
    with pytest.raises(ConfigError, match="0 latent variables"):
        Shape("none", "", (), 0)
    with pytest.raises(ConfigError, match="fewer than a batch"):
        run.train(replace(PLAN, batch=1000), data, tmp_path / "a", 1)
    with pytest.raises(TrainingError, match="objective is nan between steps 0 and 20"):
        run.train(replace(PLAN, rate=float("nan")), data, tmp_path / "b", 40)
