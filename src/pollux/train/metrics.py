"""``metrics.jsonl``: what a training keeps of itself, a row for each step or every so many."""

from __future__ import annotations

import json
from pathlib import Path

NAME = "metrics.jsonl"


def read_metrics(path: Path) -> list[dict]:
    """The rows of a metrics file, none where there is no such file; a last one that a crash cut short is left out."""
    lines = path.read_text().split("\n") if path.exists() else [""]
    return [json.loads(line) for line in lines[:-1] if line]


def keep_rows(path: Path, before: int) -> list[dict]:
    """Drop the rows from step ``before`` on, which a run that goes on from there writes again; gives the others."""
    rows = [row for row in read_metrics(path) if row["step"] < before]
    part = path.with_suffix(".part")  # killed half-way through, the rows of the run so far are still there
    part.write_text("".join(json.dumps(row) + "\n" for row in rows))
    part.replace(path)
    return rows


def add_row(path: Path, row: dict) -> None:
    """One more row, there as soon as it is written."""
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")
