"""How far one sequence is from another."""

from __future__ import annotations

from collections.abc import Sequence


def edits(ours: Sequence[str], theirs: Sequence[str]) -> int:
    """The fewest changes of one item that make one sequence the other (V. Levenshtein, 1965)."""
    row = list(range(len(theirs) + 1))
    for i, mine in enumerate(ours, 1):
        above, row = row, [i]
        for j, other in enumerate(theirs, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (mine != other)))
    return row[-1]


def error_rate(got: Sequence[str], wanted: Sequence[str]) -> float:
    """Items that are wrong, missing or too many, as a share of those that are wanted; 1 at the most."""
    return min(edits(got, wanted) / max(len(wanted), 1), 1.0)
