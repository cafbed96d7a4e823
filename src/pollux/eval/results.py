"""Results that are kept: a file to which every example's outcomes are appended as soon as they are there, and taken up again.

A line is a JSON object: what was measured (the settings that tell one measurement from another), the example's number, and its
outcomes. An example is one line, so it is there whole or not at all, and a measurement that was stopped goes on with the next.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pollux.base.errors import ConfigError
from pollux.eval.run import Outcome

NAME = "results.jsonl"


@dataclass
class Kept:
    """Outcomes of one measurement by the number of their example, those of earlier runs among them.

    Attributes:
        path: The file, None to keep nothing.
        about: What tells this measurement from others in the same file.
    """

    path: Path | None
    about: dict
    outcomes: dict[int, tuple[Outcome, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path is not None and self.path.exists():
            ours = json.loads(json.dumps(self.about))
            self.outcomes |= {number: outcomes for about, number, outcomes in rows(self.path) if about == ours}

    def add(self, number: int, outcomes: Sequence[Outcome]) -> None:
        """Keep an example's outcomes, on disk before anything else is done."""
        self.outcomes[number] = tuple(outcomes)
        if self.path is not None:
            row = {"about": self.about, "example": number, "outcomes": [asdict(outcome) for outcome in outcomes]}
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")

    def all(self) -> list[Outcome]:
        """Every outcome, by the number of its example."""
        return [outcome for number in sorted(self.outcomes) for outcome in self.outcomes[number]]


def rows(path: Path) -> Iterator[tuple[dict, int, tuple[Outcome, ...]]]:
    """What was measured, the example's number and its outcomes, line by line.

    Raises:
        ConfigError: a line is no result.
    """
    for number, line in enumerate(whole_lines(path), 1):
        try:
            row = json.loads(line)
            yield row["about"], row["example"], tuple(Outcome(**outcome) for outcome in row["outcomes"])
        except (ValueError, KeyError, TypeError) as error:
            hint = "name another folder with --out, or move the file away"
            raise ConfigError(f"line {number} of {path} is no result of this version's pollux eval", hint) from error


def whole_lines(path: Path) -> list[bytes]:
    """A file's lines. The last one may be torn where a machine went down; it is cut off, so that others can follow."""
    whole = path.read_bytes()
    if whole and not whole.endswith(b"\n"):
        whole = whole[: whole.rfind(b"\n") + 1]
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return whole.splitlines()
