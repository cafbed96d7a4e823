"""Boundaries and their matching, one to one, within a tolerance."""

import numpy as np
import pytest

from pollux.segmentation.boundaries import boundaries, boundary_precision_recall, f_measure, matched


def column(at: int, shape=(30, 40)) -> np.ndarray:
    out = np.zeros(shape, bool)
    out[:, at] = True
    return out


def test_boundaries_of_halves():
    labels = np.zeros((10, 10), int)
    labels[:, 5:] = 7
    assert np.array_equal(boundaries(labels), column(4, (10, 10)))
    assert not boundaries(np.ones((10, 10), int)).any()


def test_within_the_tolerance_only():
    for shift, share in ((0, 1), (3, 1), (4, 0)):  # 0.07 of a diagonal of 50 is 3.5 pixels
        ours, theirs = matched(column(10), column(10 + shift), 0.07)
        assert ours.sum() == theirs.sum() == 30 * share


def test_one_to_one():
    """Two lines beside one: half of them has no partner left."""
    both = column(9) | column(11)
    ours, theirs = matched(both, column(10), 0.05)
    assert ours.sum() == theirs.sum() == 30 and not (ours & ~both).any()


def most(near: list[set[int]], taken: frozenset = frozenset()) -> int:
    """Pixels that find a partner, by every way there is."""
    if not near:
        return 0
    return max([most(near[1:], taken), *(1 + most(near[1:], taken | {j}) for j in near[0] - taken)])


def test_as_many_as_can_be():
    rng = np.random.default_rng(0)
    for _ in range(30):
        first, second = rng.random((2, 4, 6)) < 0.3
        others = np.argwhere(second)
        near = [set(np.flatnonzero(np.hypot(*(others - point).T) <= 1.5)) for point in np.argwhere(first)]
        assert matched(first, second, 1.5 / np.hypot(4, 6))[0].sum() == most(near)


def test_precision_and_recall():
    humans = np.stack([column(10), column(10) | column(30)])
    assert boundary_precision_recall(column(10), humans) == (1, pytest.approx(2 / 3))
    assert boundary_precision_recall(column(10) | column(20), humans) == (0.5, pytest.approx(2 / 3))
    assert boundary_precision_recall(column(30), humans) == (1, pytest.approx(1 / 3))  # one human is enough
    assert boundary_precision_recall(np.zeros((30, 40), bool), humans) == (1, 0)
    assert boundary_precision_recall(column(1), np.zeros((1, 30, 40), bool)) == (0, 1)
    assert f_measure(0.5, 1) == pytest.approx(2 / 3) and f_measure(0, 0) == 0


def test_maps_of_two_shapes():
    with pytest.raises(ValueError, match="one shape"):
        matched(column(3), column(3).T)
