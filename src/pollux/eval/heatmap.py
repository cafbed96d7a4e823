"""Scores where people look: length of the context against depth of what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from pollux.eval.run import Outcome


def cells(outcomes: Sequence[Outcome], score: str, depths: int) -> dict[int, list[list[float]]]:
    """By length asked for, in order: for each of ``depths`` depths from 0 to 1 the scores of what stands nearest to it."""
    found: dict[int, list[list[float]]] = {}
    for outcome in sorted((o for o in outcomes if o.depth is not None and score in o.scores), key=lambda o: o.asked):
        row = found.setdefault(outcome.asked, [[] for _ in range(depths)])
        row[round(outcome.depth * (depths - 1))].append(outcome.scores[score])
    return found


def draw(outcomes: Sequence[Outcome], path: Path, title: str, score: str = "score", depths: int = 10) -> bool:
    """A PNG with a square per length and depth, each with its mean score and how many questions that is the mean of.

    Returns:
        Whether there was anything to draw: questions without a place have no depth.
    """
    found = cells(outcomes, score, depths)
    if not found:
        return False
    # matplotlib takes half a second to import, and most measurements draw nothing
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.6 + 0.9 * len(found), 1.2 + 0.42 * depths), layout="constrained")
    axes = figure.subplots()
    means = [[100 * fmean(row[depth]) if row[depth] else float("nan") for row in found.values()] for depth in range(depths)]
    colours = LinearSegmentedColormap.from_list("recall", ("#b2182b", "#f4a582", "#f7f7f7", "#a6dba0", "#1b7837"))
    image = axes.imshow(means, vmin=0, vmax=100, cmap=colours, aspect="auto")
    for x, row in enumerate(found.values()):
        for y, scores in enumerate(row):
            if scores:
                text = f"{100 * fmean(scores):.0f}\nn={len(scores)}"
                axes.text(x, y, text, ha="center", va="center", fontsize=7, color="white" if _dark(fmean(scores)) else "black")
    axes.set_xticks(range(len(found)), [_short(length) for length in found])
    axes.set_yticks(range(depths), [f"{100 * y / max(depths - 1, 1):.0f}%" for y in range(depths)])
    axes.set(xlabel="tokens", ylabel="depth", title=title)
    figure.colorbar(image, label="mean score, %")
    figure.savefig(path, dpi=150)
    return True


def _dark(score: float) -> bool:
    return score < 0.15 or score > 0.9


def _short(length: int) -> str:
    """A length as people write it: 128k, 1M. Powers of two count as their round name."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if length >= size:
            binary = length / {"M": 1 << 20, "k": 1 << 10}[unit]
            is_binary = length % size and binary == int(binary)
            return f"{binary if is_binary else length / size:.3g}{unit}"
    return str(length)
