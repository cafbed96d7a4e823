"""An interaction: who was asked what, the steps of the answer, how it ended. Grows while it is answered, and is stored as rows."""

from __future__ import annotations

from dataclasses import dataclass, field

# What an interaction ends as; one that asks for a function waits for the caller, in another interaction.
FINISHED = ("completed", "requires_action", "incomplete", "failed", "cancelled")


@dataclass
class Record:
    """Attributes:
    id, model, previous: ``previous`` is the id of the interaction before, "" where there is none.
    created, updated: RFC 3339. status: "in_progress" or one of `FINISHED`.
    settings: The request's fields that are shown again, such as ``system_instruction``.
    input, steps: What was given, and what the answer consists of.
    usage: Counts of tokens once they are known. error: ``code`` and ``message`` of one that failed.
    """

    id: str
    model: str
    created: str
    updated: str
    previous: str = ""
    status: str = "in_progress"
    settings: dict = field(default_factory=dict)
    input: list[dict] = field(default_factory=list)
    steps: list[dict] = field(default_factory=list)
    usage: dict | None = None
    error: dict | None = None

    @property
    def finished(self) -> bool:
        return self.status in FINISHED


def summary(record: Record) -> dict:
    """An interaction without what it says."""
    head = {"id": record.id, "object": "interaction", "model": record.model, "status": record.status}
    tail = {"created": record.created, "updated": record.updated}
    return head | tail | ({"previous_interaction_id": record.previous} if record.previous else {})


def outcome(record: Record) -> dict:
    """An interaction with its answer."""
    whole = summary(record) | {"steps": record.steps} | ({"usage": record.usage} if record.usage else {})
    return whole | ({"errors": [record.error]} if record.error else {})


def shown(record: Record, *, with_input: bool = False) -> dict:
    """An interaction with its answer and what it was made with."""
    return outcome(record) | record.settings | ({"input": record.input} if with_input else {})
