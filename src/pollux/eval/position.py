"""Loss by position: how much easier the next token becomes as more stands before it.

As in the Gemini 1.5 report (Figure 7): the mean loss up to a position x, fitted by a power law L(x) = a x^b + c.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

from pollux.data.source import Corpus

# The fit begins here: before it, a mean is that of too few tokens.
_FIRST = 64
# Points of the fit per doubling of the length.
_POINTS = 4


class Fit(NamedTuple):
    """L(x) = a x^b + c, in nats, and how much of the points' variance it explains."""

    a: float
    b: float
    c: float
    r2: float


class Octave(NamedTuple):
    """The tokens from ``start`` to ``stop``: their mean loss in nats, with a 95% interval over the documents (Student's t)."""

    start: int
    stop: int
    mean: float
    low: float
    high: float


def documents(corpus: Corpus, kind: str, characters: int, count: int, seed: int) -> Iterator[str]:
    """``count`` texts of so many characters: the novels, or the files of code, one after another. Each begins with another one, as
    long as there are others; the rest follows in an order drawn anew."""
    texts = corpus.prose if kind == "prose" else [source for _, source in corpus.code]
    for number in range(count):
        first = number % len(texts)
        rest = [i for i in range(len(texts)) if i != first]
        order = [first, *Random(f"{seed}/{number}").sample(rest, len(rest))]
        yield "\n\n".join(texts[i] for i in order)[:characters]


class Curve(NamedTuple):
    """What is kept of a document's losses: the mean up to each of the `places` of its length, and of each of its `octaves`."""

    upto: list[float]
    within: list[float]


def places(length: int) -> np.ndarray:
    """Positions in a text of so many losses, evenly spaced by their logarithm: int64 [P]."""
    count = max(2, round(math.log2(length / _FIRST) * _POINTS) + 1)
    return np.unique(np.geomspace(_FIRST, length, count).round().astype(np.int64))


def _doublings(length: int) -> list[tuple[int, int]]:
    """From `_FIRST` on; the last one may be cut short."""
    starts = [_FIRST << n for n in range(length.bit_length()) if _FIRST << n < length]
    return [(start, min(2 * start, length)) for start in starts]


def curve(nll_T: np.ndarray) -> Curve:
    """Of one document's losses."""
    at, total = places(nll_T.size), np.cumsum(nll_T, dtype=np.float64)
    within = [float(nll_T[start:stop].mean(dtype=np.float64)) for start, stop in _doublings(nll_T.size)]
    return Curve((total[at - 1] / at).tolist(), within)


def fit(places: np.ndarray, means: np.ndarray) -> Fit:
    """The power law nearest to the points. With b given, a and c are a line's; so b alone is searched for."""
    from scipy.optimize import minimize_scalar

    x = places / places[0]

    def line(b: float) -> tuple[np.ndarray, float]:
        design = np.stack([x**b, np.ones_like(x)], axis=1)
        found = np.linalg.lstsq(design, means, rcond=None)[0]
        return found, float(((design @ found - means) ** 2).sum())

    grid = np.linspace(-3, 1, 81)
    near = min(grid[grid != 0], key=lambda b: line(b)[1])
    b = float(minimize_scalar(lambda b: line(b)[1], bounds=(near - 0.05, near + 0.05), method="bounded").x)
    (a, c), rest = line(b)
    return Fit(float(a) / float(places[0]) ** b, b, float(c), 1 - rest / float(((means - means.mean()) ** 2).sum()))


def octaves(curves: Sequence[Curve], length: int) -> list[Octave]:
    """Mean losses of documents of one length by doubling positions."""
    from scipy.stats import t

    found = []
    for (start, stop), column in zip(_doublings(length), zip(*(c.within for c in curves), strict=True), strict=True):
        means = np.array(column)
        half = t.ppf(0.975, means.size - 1) * means.std(ddof=1) / math.sqrt(means.size) if means.size > 1 else math.nan
        mean = float(means.mean())
        found.append(Octave(start, stop, mean, mean - half, mean + half))
    return found


def draw(path: Path, title: str, curves: Sequence[tuple[str, np.ndarray, np.ndarray, Fit]]) -> None:
    """A PNG of the points and the fitted laws, one curve for each (name, places, means, fit)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, places, means, law in curves:
        (line,) = axes.plot(places, means, "o", markersize=3, label=name)
        label = f"{law.a:.3g} x^{law.b:.3f} + {law.c:.3f}, R² {law.r2:.4f}"
        axes.plot(places, law.a * places.astype(float) ** law.b + law.c, color=line.get_color(), linewidth=1, label=label)
    axes.set_xscale("log")
    axes.set(xlabel="position, tokens", ylabel="mean loss up to there, nats a token", title=title)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)
