"""The classifier: out of fold, and the same as scikit-learn's where both can be asked."""

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from pollux.segmentation import classifier
from pollux.segmentation.classifier import draw, log_posteriors, means


@pytest.fixture
def patches():
    """Features [H, W, D] of twelve patches of 8x8 with means of their own, and the patches' map."""
    rng = np.random.default_rng(0)
    which = np.kron(np.arange(12).reshape(3, 4), np.ones((8, 8), int))
    return (rng.normal(size=(12, 3))[which] + rng.normal(size=(24, 32, 3))).astype(np.float32), which


def test_draw_counts_and_sums(patches):
    features, which = patches
    samples = draw(features, which, 40, 0)
    assert np.array_equal(samples.count, np.full((2, 12), 20))
    whole = draw(features, which, 10_000, 0)
    mean, variance = means(whole)
    assert np.allclose(mean, [features[which == s].mean(0) for s in range(12)], atol=1e-5)
    assert np.allclose(variance, (features - mean[which]).var((0, 1)), atol=1e-4)


def test_a_single_pixel_is_in_both_folds():
    which = np.zeros((4, 4), int)
    which[0, 0] = 1
    assert draw(np.ones((4, 4, 2), np.float32), which, 6, 0).count.tolist() == [[3, 1], [3, 1]]


def test_as_scikit_learn(patches, monkeypatch):
    """One fold teaches, the other is judged: the mean log posterior of a superpixel's pixels, for each label."""
    monkeypatch.setattr(classifier, "_FLOOR", 0.0)
    monkeypatch.setattr(classifier, "_SHRINKAGE", 0.0)
    features, which = patches
    labels = np.arange(12) // 2  # two patches each
    samples = draw(features, which, 64, 0)
    folds = folds_of(which, 64, 0)
    expected = np.zeros((6, 6))
    for teach, judge in (folds, folds[::-1]):
        x, y = features.reshape(-1, 3).astype(float), labels[which.ravel()]
        fitted = LinearDiscriminantAnalysis(solver="lsqr", priors=np.full(6, 1 / 6)).fit(x[teach], y[teach])
        found = fitted.predict_log_proba(x[judge])
        expected += np.stack([found[y[judge] == k].mean(0) for k in range(6)]) / 2
    ours = log_posteriors(samples, labels, np.full(12, 1.5))
    assert np.allclose(ours, log_softmax(3 * expected, axis=1), atol=1e-4)  # two superpixels of each label


def folds_of(which, pixels, seed):
    order = np.random.default_rng(seed).permutation(which.size)
    order = order[np.argsort(which.ravel()[order], kind="stable")]
    rank = np.arange(which.size) % pixels
    return [order[rank % 2 == 0], order[rank % 2 == 1]]


def test_names_of_labels_do_not_matter(patches):
    samples = draw(*patches, 40, 0)
    labels = np.arange(12) % 4
    order = np.array([2, 0, 3, 1])
    found, renamed = (log_posteriors(samples, y, np.ones(12)) for y in (labels, np.argsort(order)[labels]))
    assert np.allclose(found[np.ix_(order, order)], renamed)
