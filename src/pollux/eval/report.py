"""Outcomes as counts with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

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


def table(title: str, groups: dict[tuple[str, int], Sequence[Sequence[Outcome]]]) -> str:
    """Markdown: a title, and a row per task and length asked for: its mean score, the interval, how many questions and contexts,
    and how many of the places cited were right. A group is the outcomes of each example."""
    rows = [f"# {title}", "", "| task | tokens | score | 95% interval | n | contexts | cited |", f"|{' --- |' * 7}"]
    for (task, asked), examples in groups.items():
        outcomes = [outcome for example in examples for outcome in example]
        row = rate(task, [outcome.scores["score"] for outcome in outcomes])
        cites = [outcome.scores["cited"] for outcome in outcomes if "cited" in outcome.scores]
        cited, length = f"{fmean(cites):.1%}" if cites else "–", f"{asked:,}" if asked else "their own"
        score = f"{row.mean:.1%} | {row.low:.1%} to {row.high:.1%} | {row.n} | {len(examples)}"
        rows.append(f"| {task} | {length} | {score} | {cited} |")
    return "\n".join(rows) + "\n"


def by_kind(outcomes: Sequence[Outcome], part: int | None = None) -> dict[str, Rate]:
    """Exactness per kind of question, or per ``part`` of the kind's path, worst first."""
    kinds: dict[str, list[float]] = {}
    for outcome in outcomes:
        name = outcome.kind if part is None else outcome.kind.split("/")[part]
        kinds.setdefault(name, []).append(outcome.scores["score"])
    return {row.name: row for row in sorted((rate(k, s) for k, s in kinds.items()), key=lambda r: r.mean)}
