"""How like a segmentation is to another, from the table of how many pixels each pair of their regions shares.

    table_RQ = overlap(mine_HW, human_HW)
    rand_index(table_RQ), variation_of_information(table_RQ), covering(table_RQ), consistency_error(table_RQ)

None of them looks at the numbers of the labels, only at which pixels have the same. (Arbeláez et al., "Contour detection and
hierarchical image segmentation", TPAMI 2011, section 3; the errors of Martin et al., ICCV 2001.)

Axis letters: H, W rows and columns of pixels; R regions of the first segmentation; Q regions of the second.
"""

from __future__ import annotations

import numpy as np


def overlap(first_HW: np.ndarray, second_HW: np.ndarray) -> np.ndarray:
    """Pixels that a region of one and a region of the other share: int64 [R, Q], regions in the order of their labels.

    Raises:
        ValueError: labels of different shapes, none at all, or labels that are no whole numbers.
    """
    first_HW, second_HW = np.asarray(first_HW), np.asarray(second_HW)
    if first_HW.shape != second_HW.shape or not first_HW.size:
        raise ValueError(f"two label maps of one shape are compared, got {first_HW.shape} and {second_HW.shape}")
    for labels in (first_HW, second_HW):
        if labels.dtype.kind not in "iub":
            raise ValueError(f"labels are whole numbers, got {labels.dtype}")
    first, i = np.unique(first_HW, return_inverse=True)
    second, j = np.unique(second_HW, return_inverse=True)
    counts = np.bincount(i.ravel() * second.size + j.ravel(), minlength=first.size * second.size)
    return counts.reshape(first.size, second.size).astype(np.int64)


def rand_index(table_RQ: np.ndarray) -> float:
    """The share of pixel pairs on which both agree (together in both, or apart in both), 0 to 1.

    Its mean over annotators is the probabilistic Rand index, PRI.
    """
    pairs = lambda counts: (counts * (counts - 1.0)).sum() / 2  # noqa: E731
    n = table_RQ.sum()
    if n < 2:
        return 1.0
    apart = pairs(table_RQ.sum(1)) + pairs(table_RQ.sum(0)) - 2 * pairs(table_RQ)
    return float(1 - apart / pairs(n))


def variation_of_information(table_RQ: np.ndarray) -> float:
    """H(first | second) + H(second | first), bits; 0 where they are the same (Meilă 2005)."""
    joint = table_RQ / table_RQ.sum()
    return _entropy(joint) * 2 - _entropy(joint.sum(0)) - _entropy(joint.sum(1))


def covering(table_RQ: np.ndarray) -> float:
    """How well the first's regions cover the second's: the mean over pixels of the best intersection over union that the second's
    region there has with a region of the first, 0 to 1."""
    either_RQ = table_RQ.sum(1, keepdims=True) + table_RQ.sum(0) - table_RQ
    return float((table_RQ.sum(0) * (table_RQ / either_RQ).max(0)).sum() / table_RQ.sum())


def consistency_error(table_RQ: np.ndarray) -> float:
    """Global consistency error, 0 to 1: 0 where one refines the other (so also for one region, and for a region per pixel)."""
    squares = table_RQ.astype(float) ** 2
    first = (table_RQ - squares / table_RQ.sum(1, keepdims=True)).sum()
    second = (table_RQ - squares / table_RQ.sum(0)).sum()
    return float(min(first, second) / table_RQ.sum())


def _entropy(p: np.ndarray) -> float:
    p = p[p > 0]
    return float(-(p * np.log2(p)).sum())
