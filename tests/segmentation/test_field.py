"""The field: what its inference promises, the classifier alone, and what names and order do not change."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from pollux.segmentation.field import apart, free_energy, infer, similarity


def problem(seed=0, sites=40, labels=6):
    rng = np.random.default_rng(seed)
    log_p = log_softmax(3 * rng.normal(size=(sites, labels)), axis=1)
    weights = np.triu(rng.random((sites, sites)) * (rng.random((sites, sites)) < 0.1), 1)
    return log_p, weights + weights.T, rng.integers(0, labels, sites)


@pytest.mark.parametrize("binding", [0.5, 3, 20, 100])
def test_energy_never_grows(binding):
    for seed in range(5):
        log_p, weights, labels = problem(seed)
        q, energies = infer(log_p, weights, binding, labels)
        assert np.all(np.diff(energies) <= 1e-9 * np.abs(energies[0])) and len(energies) > 2
        assert energies[-1] == pytest.approx(free_energy(q, log_p, weights, binding))
        assert np.allclose(q.sum(1), 1)


def test_energy_of_certain_labels_is_that_of_the_labels():
    log_p, weights, labels = problem()
    torn = labels[:, None] != labels
    expected = -log_p[np.arange(len(labels)), labels].sum() + 2.5 * np.triu(weights * torn).sum()
    assert free_energy(np.eye(6)[labels], log_p, weights, 2.5) == pytest.approx(expected)


def test_without_binding_it_is_the_classifier():
    log_p, weights, labels = problem()
    q, _ = infer(log_p, weights, 0.0, labels)
    assert np.allclose(q, np.exp(log_p)) and np.array_equal(q.argmax(1), log_p.argmax(1))


def test_it_ends_where_its_equation_holds():
    log_p, weights, labels = problem()
    q, _ = infer(log_p, weights, 1.0, labels)
    assert np.allclose(q, softmax(log_p + 1.0 * weights @ q, axis=1), atol=5e-3)


def test_names_of_labels_do_not_matter():
    log_p, weights, labels = problem()
    order = np.array([3, 0, 5, 1, 4, 2])  # new label k was order[k]
    q, _ = infer(log_p, weights, 3.0, labels)
    renamed, _ = infer(log_p[:, order], weights, 3.0, np.argsort(order)[labels])
    assert np.allclose(renamed, q[:, order])


def test_sites_updated_together_do_not_touch():
    _, weights, _ = problem()
    sets = apart(weights)
    assert sorted(np.concatenate(sets)) == list(range(40)) and len(sets) < 12
    assert all(not weights[np.ix_(sites, sites)].any() for sites in sets)


def test_the_more_alike_the_stronger():
    borders = np.array([[0, 10, 10], [10, 0, 0], [10, 0, 0]], float)
    weights = similarity(np.array([[0.0], [1.0], [3.0]]), np.array([1.0]), borders, 1.0)
    assert weights[0, 1] > weights[0, 2] > 0 and weights[1, 2] == 0 and np.array_equal(weights, weights.T)
    assert not similarity(np.zeros((1, 2)), np.ones(2), np.zeros((1, 1)), 1.0).any()
