"""Results that are kept: a file to which every example's outcomes are appended as soon as they are there, and taken up again.

A line is a JSON object: what was measured (the settings that tell one measurement from another), the example's number, and the
outcome. All lines of an example are written at once, so that a measurement that was stopped goes on with the next example.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
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
            for row in _rows(self.path):
                if row["about"] == json.loads(json.dumps(self.about)):
                    number = row["example"]
                    self.outcomes[number] = (*self.outcomes.get(number, ()), Outcome(**row["outcome"]))

    def add(self, number: int, outcomes: Sequence[Outcome]) -> None:
        """Keep an example's outcomes, on disk before anything else is done."""
        self.outcomes[number] = tuple(outcomes)
        if self.path is not None:
            rows = ({"about": self.about, "example": number, "outcome": asdict(outcome)} for outcome in outcomes)
            with self.path.open("a", encoding="utf-8") as file:
                file.write("".join(json.dumps(row) + "\n" for row in rows))

    def all(self) -> list[Outcome]:
        """Every outcome, by the number of its example."""
        return [outcome for number in sorted(self.outcomes) for outcome in self.outcomes[number]]


def _rows(path: Path) -> Iterable[dict]:
    """The file's lines. The last one may be torn where a machine went down; it is cut off, so that others can follow.

    Raises:
        ConfigError: another line is no result.
    """
    whole = path.read_bytes()
    if whole and not whole.endswith(b"\n"):
        whole = whole[: whole.rfind(b"\n") + 1]
        with path.open("r+b") as file:
            file.truncate(len(whole))
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            row = json.loads(line)
            row["about"], row["example"], row["outcome"]
        except (ValueError, KeyError, TypeError) as error:
            hint = "name another folder with --out, or move the file away"
            raise ConfigError(f"line {number} of {path} is no result of pollux eval", hint) from error
        yield row
