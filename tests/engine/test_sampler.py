"""Sampling against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollux.base.errors import ConfigError
from pollux.engine.request import Sampling
from pollux.engine.sampler import choose, penalised, probabilities

LOGITS = st.lists(st.floats(-20, 20), min_size=2, max_size=40).map(lambda row: np.array(row, np.float32))


@given(LOGITS, st.floats(0.1, 5), st.integers(0, 50), st.floats(0.05, 1))
def test_probabilities_keep_the_best_and_sum_to_one(logits, temperature, top_k, top_p):
    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p)
    p = probabilities(logits, sampling)
    assert p.sum() == pytest.approx(1)
    assert p[logits.argmax()] == p.max() > 0
    if top_k:
        assert (p > 0).sum() <= top_k
    # what is cut is never likelier than what is kept
    assert logits[p > 0].min() >= logits[p == 0].max(initial=-np.inf)


@given(LOGITS, st.floats(0.1, 5))
def test_without_cuts_it_is_a_softmax(logits, temperature):
    scaled = logits.astype(np.float64) / temperature
    want = np.exp(scaled - scaled.max())
    np.testing.assert_allclose(probabilities(logits, Sampling(temperature=temperature)), want / want.sum(), atol=1e-9)


def test_penalties_are_taken_off_what_was_said():
    logits = np.array([1, 2, 3, 4], np.float32)
    less = penalised(logits, [3, 1, 3], Sampling(presence=0.5, frequency=0.25))
    np.testing.assert_allclose(less, [1, 2 - 0.75, 3, 4 - 1.0])
    assert less.dtype == logits.dtype and logits.tolist() == [1, 2, 3, 4]
    assert penalised(logits, [3, 1, 3], Sampling()) is logits


def test_top_p_keeps_the_fewest_that_reach_it():
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05]))
    assert (probabilities(logits, Sampling(temperature=1, top_p=0.8 - 1e-6)) > 0).tolist() == [True, True, False, False]
    assert (probabilities(logits, Sampling(temperature=1, top_p=0.81)) > 0).tolist() == [True, True, True, False]


@given(LOGITS)
def test_greedy_is_the_likeliest_whatever_the_seed(logits):
    assert {choose(logits, Sampling(seed=seed), np.random.default_rng(seed)) for seed in range(3)} == {int(logits.argmax())}


def test_the_same_seed_chooses_the_same_and_frequencies_follow_the_probabilities():
    logits, sampling = np.log(np.array([0.7, 0.2, 0.1])), Sampling(temperature=1)
    draw = lambda seed: [choose(logits, sampling, rng) for rng in [np.random.default_rng(seed)] for _ in range(2000)]  # noqa: E731
    assert draw(1) == draw(1)
    np.testing.assert_allclose(np.bincount(draw(2)) / 2000, [0.7, 0.2, 0.1], atol=0.04)


BAD = [
    {"temperature": -1}, {"temperature": float("nan")}, {"top_p": 0}, {"top_p": 1.1}, {"top_k": -1}, {"limit": 0}, {"limit": 8193},
    {"seed": -1},
    {"stop": ("",)},
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_settings_that_cannot_be_are_refused(bad):
    with pytest.raises(ConfigError):
        Sampling(**bad)
