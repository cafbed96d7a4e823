"""Probabilities of what is drawn, in float64 and by formulas of their own, for tests that enumerate instead of sampling."""

from itertools import product
from math import comb

import numpy as np
from scipy.special import ndtri_exp


def all_below(k: int, n: int, q: float) -> float:
    """That k given ones of n numbers of the Dirichlet copula are below q."""
    return max(0.0, k * q ** (1 / (n - 1)) - k + 1) ** (n - 1)


def independent(values, p: float) -> float:
    return float(np.prod([p if b else 1 - p for b in values]))


def antithetic(values, p: float) -> float:
    """Of n binary draws of ARMS: inclusion and exclusion over those that are not below."""
    n, q = len(values), min(p, 1 - p)
    k = sum(values) if p < 0.5 else n - sum(values)
    return sum((-1) ** j * comb(n - k, j) * all_below(k + j, n, q) for j in range(n - k + 1))


def pairs(values, p: float) -> float:
    return float(np.prod([antithetic(values[i : i + 2], p) for i in range(0, len(values), 2)]))


def outcomes(n: int, ps, chance):
    """Every way that n draws of latent variables with these probabilities may come out, [W, n, D], and how likely each is [W]."""
    ways = list(product(product((0, 1), repeat=n), repeat=len(ps)))
    values = np.array(ways, np.float32).swapaxes(1, 2)
    return values, np.array([np.prod([chance(row, p) for row, p in zip(way, ps, strict=True)]) for way in ways])


def gaussian_ratio(logits, n: int):
    """1 / (1 - correlation) of two bits of the Gaussian copula, in float64: the covariance's share of p q as an integral over the
    correlation, by a rule of a thousand points."""
    size = np.abs(logits)
    log_q, log_p = -np.logaddexp(0, size), -np.logaddexp(0, -size)
    h2 = ndtri_exp(log_q) ** 2
    points, weights = np.polynomial.legendre.leggauss(1000)
    low = np.arcsin(-1 / (n - 1))
    exponent = -h2[:, None] / (1 + np.sin(low / 2 * (1 - points))) - (log_q + log_p)[:, None]
    return 1 / (1 + (np.exp(exponent) * weights).sum(-1) * -low / 2 / (2 * np.pi))


def logit(p):
    return np.log(p) - np.log1p(-np.asarray(p))
