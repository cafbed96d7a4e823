"""Outcomes as counts with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from pollux.eval.run import Outcome

_Z = 1.959964  # two-sided 95%


@dataclass(frozen=True)
class Rate:
    """A mean score over n questions with its 95% Wilson interval (exact for 0/1 scores, conservative for scores between)."""

    name: str
    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.name}: {self.mean:.1%} [{self.low:.1%}, {self.high:.1%}], n={self.n}"


def wilson(mean: float, n: int) -> tuple[float, float]:
    """The 95% Wilson score interval of a rate seen n times (E. B. Wilson, 1927)."""
    if n == 0:
        return 0.0, 1.0
    middle = (mean + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(mean * (1 - mean) / n + _Z**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def rate(name: str, scores: Sequence[float]) -> Rate:
    mean = fmean(scores) if scores else 0.0
    return Rate(name, mean, *wilson(mean, len(scores)), len(scores))


def rates(outcomes: Sequence[Outcome]) -> list[Rate]:
    """Each score over all questions, and the citations over those that got the full score."""
    names = sorted({name for outcome in outcomes for name in outcome.scores})
    out = [rate(name, [o.scores[name] for o in outcomes if name in o.scores]) for name in names]
    right = [o.scores["cited"] for o in outcomes if o.scores["score"] == 1 and "cited" in o.scores]
    return out + ([rate("cited when right", right)] if right else [])


def mean_of(name: str, rates: Sequence[Rate]) -> Rate:
    """The mean of several tasks' rates, each counting alike. The tasks' intervals are added as those of independent means are: by
    their squares, below and above each on its own."""
    mean = fmean(row.mean for row in rates)
    below = math.hypot(*(row.mean - row.low for row in rates)) / len(rates)
    above = math.hypot(*(row.high - row.mean for row in rates)) / len(rates)
    return Rate(name, mean, mean - below, mean + above, sum(row.n for row in rates))


class Row(NamedTuple):
    """What was measured of a task at a length: tokens asked for (0: their own), mean score and its 95% interval, questions,
    contexts, and the share of places cited rightly, None where there is no telling."""

    task: str
    tokens: int
    score: float
    low: float
    high: float
    n: int
    contexts: int
    cited: float | None


def summary(groups: dict[tuple[str, int], Sequence[Sequence[Outcome]]]) -> list[Row]:
    """A row per task and length asked for. A group is the outcomes of each example."""
    rows = []
    for (task, asked), examples in groups.items():
        outcomes = [outcome for example in examples for outcome in example]
        row = rate(task, [outcome.scores["score"] for outcome in outcomes])
        cites = [outcome.scores["cited"] for outcome in outcomes if "cited" in outcome.scores]
        rows.append(Row(task, asked, row.mean, row.low, row.high, row.n, len(examples), fmean(cites) if cites else None))
    return rows


def table(title: str, rows: Sequence[Row]) -> str:
    """A title and the rows, in Markdown."""
    lines = [f"# {title}", "", "| task | tokens | score | 95% interval | n | contexts | cited |", f"|{' --- |' * 7}"]
    for row in rows:
        cited, length = "–" if row.cited is None else f"{row.cited:.1%}", f"{row.tokens:,}" if row.tokens else "their own"
        score = f"{row.score:.1%} | {row.low:.1%} to {row.high:.1%} | {row.n} | {row.contexts}"
        lines.append(f"| {row.task} | {length} | {score} | {cited} |")
    return "\n".join(lines) + "\n"


def by_kind(outcomes: Sequence[Outcome], part: int | None = None) -> dict[str, Rate]:
    """Exactness per kind of question, or per ``part`` of the kind's path, worst first."""
    kinds: dict[str, list[float]] = {}
    for outcome in outcomes:
        name = outcome.kind if part is None else outcome.kind.split("/")[part]
        kinds.setdefault(name, []).append(outcome.scores["score"])
    return {row.name: row for row in sorted((rate(k, s) for k, s in kinds.items()), key=lambda r: r.mean)}
