"""Boundaries of regions, and how many of one map's boundary pixels lie on another's, one to one.

    found_HW = boundaries(labels_HW)
    precision, recall = boundary_precision_recall(found_HW, humans_JHW)

A boundary pixel may be matched with one not further than 0.0075 of the image's diagonal (4.3 pixels of 481x321), and with one
only. As many are matched as can be: a largest flow through the graph of all pairs near enough (Dinic's method). The Berkeley
benchmark takes the matching of least total distance with outliers that cost 100 times the tolerance, which in counts is the same
but where that price is not worth a match. (Martin, Fowlkes, Malik, TPAMI 2004, section 3 and appendix B.)

Axis letters: H, W rows and columns of pixels; J human segmentations.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow
from scipy.spatial import KDTree
from skimage.morphology import thin

TOLERANCE = 0.0075  # of the diagonal


def boundaries(labels_HW: np.ndarray) -> np.ndarray:
    """Pixels whose neighbour to the right, below, or right below has another label, made one pixel thin: bool [H, W]."""
    labels_HW = np.asarray(labels_HW)
    found = np.zeros(labels_HW.shape, bool)
    found[:, :-1] |= labels_HW[:, :-1] != labels_HW[:, 1:]
    found[:-1] |= labels_HW[:-1] != labels_HW[1:]
    found[:-1, :-1] |= labels_HW[:-1, :-1] != labels_HW[1:, 1:]
    return thin(found)


def matched(first_HW: np.ndarray, second_HW: np.ndarray, tolerance: float = TOLERANCE) -> tuple[np.ndarray, np.ndarray]:
    """Which pixels of two boundary maps find a partner: bool [H, W] of each.

    Args:
        tolerance: furthest distance of partners, a share of the diagonal.

    Raises:
        ValueError: maps of different shapes.
    """
    if first_HW.shape != second_HW.shape or first_HW.ndim != 2:
        raise ValueError(f"two boundary maps of one shape are matched, got {first_HW.shape} and {second_HW.shape}")
    out = np.zeros(first_HW.shape, bool), np.zeros(first_HW.shape, bool)
    points, others = np.argwhere(first_HW), np.argwhere(second_HW)
    if not len(points) or not len(others):
        return out
    near = KDTree(points).sparse_distance_matrix(
        KDTree(others), tolerance * np.hypot(*first_HW.shape), output_type="coo_matrix"
    )
    mine, theirs = _partners(near.row, near.col, *near.shape)
    out[0][tuple(points[mine].T)] = True
    out[1][tuple(others[theirs].T)] = True
    return out


def boundary_precision_recall(found_HW: np.ndarray, humans_JHW: np.ndarray, tolerance: float = TOLERANCE) -> tuple[float, float]:
    """Precision: the share of found pixels that at least one human drew too. Recall: of all that all humans drew, the share found.

    Both are 1 of nothing: no boundary found is none found wrongly.
    """
    right_HW, hits, drawn = np.zeros(found_HW.shape, bool), 0, 0
    for human_HW in humans_JHW:
        ours, theirs = matched(found_HW, human_HW, tolerance)
        right_HW |= ours
        hits, drawn = hits + theirs.sum(), drawn + human_HW.sum()
    found = found_HW.sum()
    return float(right_HW.sum() / found) if found else 1.0, float(hits / drawn) if drawn else 1.0


def f_measure(precision: float, recall: float) -> float:
    """Their harmonic mean; 0 where both are."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _partners(rows: np.ndarray, columns: np.ndarray, count: int, others: int) -> tuple[np.ndarray, np.ndarray]:
    """A largest matching of the pairs (row, column): the rows and the columns that are in it.

    scipy's maximum_bipartite_matching did not come back within a minute on a graph of 1,715 and 1,788 pixels that this takes
    2 ms for.
    """
    source, sink = count + others, count + others + 1
    begin = np.concatenate([rows, np.full(count, source), count + np.arange(others)])
    end = np.concatenate([columns + count, np.arange(count), np.full(others, sink)])
    graph = csr_array((np.ones(begin.size, np.int32), (begin, end)), shape=(sink + 1, sink + 1))
    flow = maximum_flow(graph, source, sink, method="dinic").flow.tocoo()
    used = (flow.data > 0) & (flow.row < count) & (flow.col < source)
    return flow.row[used], flow.col[used] - count
