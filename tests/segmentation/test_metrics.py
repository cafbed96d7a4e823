"""Measures between segmentations: small cases by hand, scikit-image's own, and what names of labels do not change."""

import numpy as np
import pytest
from skimage import metrics as theirs

from pollux.segmentation.metrics import consistency_error, covering, overlap, rand_index, variation_of_information

HALVES = np.array([[0, 0, 1, 1]])
QUARTERS = np.array([[0, 1, 2, 3]])
WHOLE = np.zeros((1, 4), int)
ALL = (rand_index, variation_of_information, covering, consistency_error)


def random_maps():
    rng = np.random.default_rng(1)
    return rng.integers(0, 5, (20, 30)), rng.integers(0, 9, (20, 30)) // 2


@pytest.mark.parametrize(
    "first, second, rand, voi, cover, gce",
    [
        (HALVES, HALVES, 1, 0, 1, 0),
        (HALVES, WHOLE, 2 / 6, 1, 0.5, 0),  # two pairs of six are together in both; one bit tells the half
        (WHOLE, HALVES, 2 / 6, 1, 0.5, 0),
        (QUARTERS, HALVES, 4 / 6, 1, 0.5, 0),
        (HALVES, np.array([[0, 1, 1, 1]]), 3 / 6, 0.5 + 0.75 * np.log2(3) - 0.5, (1 * 0.5 + 3 * 2 / 3) / 4, 0.25),
    ],
)
def test_by_hand(first, second, rand, voi, cover, gce):
    table = overlap(first, second)
    assert [measure(table) for measure in ALL] == pytest.approx([rand, voi, cover, gce])


def test_as_scikit_image():
    first, second = random_maps()
    table = overlap(first, second)
    assert variation_of_information(table) == pytest.approx(sum(theirs.variation_of_information(first, second)))
    # its adapted Rand error is of pairs with themselves: 1 - F of the pairs that are together
    together = (table.astype(float) ** 2).sum()
    precision, recall = together / (table.sum(0) ** 2).sum(), together / (table.sum(1) ** 2).sum()
    error = theirs.adapted_rand_error(second, first, ignore_labels=())[0]
    assert error == pytest.approx(1 - 2 * precision * recall / (precision + recall), rel=0.02)


def test_rand_index_is_that_of_counted_pairs():
    first, second = (labels.ravel()[:60] for labels in random_maps())
    i, j = np.triu_indices(60, 1)
    agree = (first[i] == first[j]) == (second[i] == second[j])
    assert rand_index(overlap(first, second)) == pytest.approx(agree.mean())


def test_names_of_labels_do_not_matter():
    first, second = random_maps()
    renamed = np.array([40, 3, 17, 0, 8])[first]
    for measure in ALL:
        assert measure(overlap(first, second)) == pytest.approx(measure(overlap(renamed, second)), abs=1e-12)


def test_bad_maps():
    with pytest.raises(ValueError, match="one shape"):
        overlap(WHOLE, WHOLE.T)
    with pytest.raises(ValueError, match="one shape"):
        overlap(WHOLE[:0], WHOLE[:0])
    with pytest.raises(ValueError, match="whole numbers"):
        overlap(WHOLE.astype(float), WHOLE)
