"""A Markov random field over superpixels in which neighbours that are alike hold each other to one label.

    E(y) = - sum over s of log P_s(y_s) + binding * sum over s < t of w_st [y_s != y_t]

Inference is mean field. Q_s is made proportional to P_s exp(binding sum over t of w_st Q_t), for a set of sites at a time of which
no two touch. Each such step is the exact minimum over those sites of the field's free energy,

    F(Q) = sum over s, k of Q_s(k) (log Q_s(k) - log P_s(k)) + binding * sum over s < t of w_st (1 - sum over k of Q_s(k) Q_t(k)),

so F never grows. It begins with Q certain of the present labels, where F is E. What is not promised is that the E of the likeliest
labels at the end is below that F: it may be above it by their uncertainty.

Axis letters: S sites, each a superpixel or several that go together; K labels; D features.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.special import softmax, xlogy

_SWEEPS = 15
_NATURAL = (1.0, 12.0)  # what m may be: photographs have 3 to 13, and drawings, where all neighbours differ, much more
_STILL = 3e-3  # no probability changed by more: the end


def similarity(mean_SD: np.ndarray, variance_D: np.ndarray, borders_SS: np.ndarray, likeness: float) -> np.ndarray:
    """w_st = shared border * exp(-|h_s - h_t|^2 / (2 likeness^2 m)): float64 [S, S], symmetric, 0 where none is shared.

    h are mean features in deviations of pixels from their superpixels' means; m is the median squared distance of neighbours,
    within bounds, so that what counts as alike follows the image. Lengths are in the mean superpixel's circumferences.
    """
    h_SD = mean_SD / np.sqrt(variance_D + 0.05)  # no feature counts for more because it hardly varies
    s, t = np.nonzero(borders_SS)
    out_SS = np.zeros_like(borders_SS)
    if not s.size:
        return out_SS
    distance = ((h_SD[s] - h_SD[t]) ** 2).sum(1)
    scale = likeness**2 * np.clip(np.median(distance), *_NATURAL)
    out_SS[s, t] = borders_SS[s, t] * np.exp(-distance / (2 * scale))
    return out_SS / borders_SS.sum(1).mean()


def infer(log_p_SK: np.ndarray, weights_SS: np.ndarray, binding: float, labels_S: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Q [S, K] where it stands still, and F before the first sweep and after each (nats), never growing.

    Args:
        log_p_SK: classifier's log posteriors.
        weights_SS: symmetric, 0 on the diagonal.
        labels_S: where it begins.
    """
    q_SK = np.eye(log_p_SK.shape[1])[labels_S]
    near_SS = csr_array(weights_SS)
    sets = [(sites, near_SS[sites]) for sites in apart(weights_SS)]
    energies = [free_energy(q_SK, log_p_SK, near_SS, binding)]
    for _ in range(_SWEEPS):
        moved = 0.0
        for sites, near_TS in sets:
            new = softmax(log_p_SK[sites] + binding * (near_TS @ q_SK), axis=1)
            moved = max(moved, float(np.abs(new - q_SK[sites]).max()))
            q_SK[sites] = new
        energies.append(free_energy(q_SK, log_p_SK, near_SS, binding))
        if moved < _STILL:
            break
    return q_SK, energies


def free_energy(q_SK: np.ndarray, log_p_SK: np.ndarray, weights_SS: np.ndarray | csr_array, binding: float) -> float:
    """F(Q), nats."""
    torn = weights_SS.sum() - (q_SK * (weights_SS @ q_SK)).sum()
    return float((xlogy(q_SK, q_SK) - q_SK * log_p_SK).sum() + binding * torn / 2)


def apart(weights_SS: np.ndarray) -> list[np.ndarray]:
    """The sites in sets of which no two touch, few of them: each site, those with most neighbours first, in the first set that
    takes it."""
    touching, which = weights_SS > 0, np.full(len(weights_SS), -1)
    for s in np.argsort(-touching.sum(1), kind="stable"):
        taken = set(which[touching[s]].tolist())
        which[s] = next(number for number in range(len(which)) if number not in taken)
    return [np.flatnonzero(which == number) for number in range(which.max() + 1)]
