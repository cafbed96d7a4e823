"""Which label a superpixel looks like: linear discriminant analysis fitted to the image's own pixels, out of fold.

    samples = draw(features_HWD, superpixels_HW, pixels=50, seed=0)
    log_p_KK = log_posteriors(samples, labels_S)

Classes are the labels, each a Gaussian of its own mean and of the covariance that all share, likely alike at first. Of each
superpixel's pixels one half teaches and the other is judged, and the other way round, so that no label is kept for the pixels it
was learned from. A superpixel's posterior is the geometric mean of its pixels'. A mean of linear functions is the function of the
mean, so sums over superpixels are all that is kept, and fitting again after each round is a few matrices' work.

Axis letters: H, W rows and columns of pixels; D features; S superpixels; K labels; F the two folds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax

# Added to every feature's variance: that of rounding a colour to 8 bits and of blurring, so that flat areas have a scale too.
_FLOOR = 0.25
_SHRINKAGE = 0.05  # of the covariance towards its diagonal


class Samples(NamedTuple):
    """Pixels drawn from each superpixel, as sums.

    count: float64 [F, S]; total: float64 [F, S, D]; square: float64 [F, D, D], of all of a fold.
    """

    count: np.ndarray
    total: np.ndarray
    square: np.ndarray


def draw(features_HWD: np.ndarray, superpixels_HW: np.ndarray, pixels: int, seed: int) -> Samples:
    """At most ``pixels`` of each superpixel, half of them in each fold."""
    which, depth = superpixels_HW.ravel(), features_HWD.shape[-1]
    order = np.random.default_rng(seed).permutation(which.size)
    order = order[np.argsort(which[order], kind="stable")]
    size_S = np.bincount(which)
    rank = np.arange(which.size) - (np.cumsum(size_S) - size_S)[which[order]]
    order, rank = order[rank < pixels], rank[rank < pixels]
    alone = order[size_S[which[order]] == 1]  # a single pixel is in both folds
    folds = [order[rank % 2 == 0], np.concatenate([order[rank % 2 == 1], alone])]
    values = [features_HWD.reshape(-1, depth)[fold].astype(np.float64) for fold in folds]
    count = np.stack([np.bincount(which[fold], minlength=size_S.size) for fold in folds]).astype(np.float64)
    total = np.stack([_sums(which[fold], value, size_S.size) for fold, value in zip(folds, values, strict=True)])
    return Samples(count, total, np.stack([value.T @ value for value in values]))


def log_posteriors(samples: Samples, labels_S: np.ndarray, evidence_S: np.ndarray) -> np.ndarray:
    """How likely all that bears a label is to be of each label: float64 [K, K], logs, rows sum to 1.

    The posteriors of the superpixels that bear a label are multiplied: they are joined, or left, together.

    Args:
        labels_S: 0 to K - 1, each there.
        evidence_S: how many pixels' worth each superpixel's posterior counts.
    """
    scores_KK = sum(_scores(samples, labels_S, teach, judge) for teach, judge in ((0, 1), (1, 0))) / 2
    return log_softmax(np.bincount(labels_S, evidence_S)[:, None] * scores_KK, axis=1)


def means(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Mean features of each superpixel [S, D], and the variance of pixels around them [D]; float64."""
    count_S = samples.count.sum(0)
    mean_SD = samples.total.sum(0) / count_S[:, None]
    return mean_SD, np.diag(samples.square.sum(0) - (mean_SD * count_S[:, None]).T @ mean_SD) / count_S.sum()


def _scores(samples: Samples, labels_S: np.ndarray, teach: int, judge: int) -> np.ndarray:
    """Log posteriors but for what all labels share: [K, K], of one fold's pixels by the other's classes."""
    count_K = len(np.bincount(labels_S))
    known_K, mean_KD = _class_means(samples, labels_S, count_K, teach)
    spread_DD = (samples.square[teach] - (mean_KD * known_K[:, None]).T @ mean_KD) / known_K.sum()
    own = np.diag(np.diag(spread_DD))
    spread_DD = (1 - _SHRINKAGE) * spread_DD + _SHRINKAGE * own + _FLOOR * np.eye(len(own))
    seen_KD = _class_means(samples, labels_S, count_K, judge)[1]
    weight_KD = np.linalg.solve(spread_DD, mean_KD.T).T
    return seen_KD @ weight_KD.T - 0.5 * (weight_KD * mean_KD).sum(1)


def _class_means(samples: Samples, labels_S: np.ndarray, count: int, fold: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of each class [K] and their mean [K, D]."""
    known_K = np.bincount(labels_S, samples.count[fold], count)
    return known_K, _sums(labels_S, samples.total[fold], count) / known_K[:, None]


def _sums(index: np.ndarray, values_ND: np.ndarray, count: int) -> np.ndarray:
    """Rows with the same index, added: float64 [count, D]."""
    return np.stack([np.bincount(index, column, count) for column in values_ND.T], 1)
