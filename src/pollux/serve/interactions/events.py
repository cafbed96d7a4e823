"""The events of an interaction's stream: a function of the interaction as it stands and of how much of it was told.

    interaction.created · interaction.status_update · (step.start · step.delta … · step.stop) … · interaction.completed | error

An event's id says how far it tells: which part, and how many characters of it. So a stream goes on behind any event that a
client names, also after a restart, and nothing has to be kept of what was sent.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from pollux.serve.errors import ApiError
from pollux.serve.gemini.wire import dumps
from pollux.serve.interactions.record import Record, outcome, summary

Position = tuple[int, int]
START: Position = (-1, 0)
DONE = b"event: done\ndata: [DONE]\n\n"
# Parts before the first step.
_BEFORE = 2


def position(event_id: str) -> Position:
    """What an event's id says; the stream's start for "".

    Raises:
        ApiError: 400 where it is none.
    """
    part, dot, count = event_id.partition(".")
    if not event_id:
        return START
    if not (dot and part.isdecimal() and count.isdecimal() and len(event_id) < 20):
        raise ApiError(400, f"last_event_id has to be an event's id of this interaction, got {event_id[:40]!r}.")
    return int(part), int(count)


def events(record: Record, after: Position) -> Iterator[tuple[Position, dict]]:
    """What is to be told of an interaction as it stands, behind a position; each event with its own."""
    for place, kind, data in _all(record, after):
        if place > after:
            yield place, {**data, "event_type": kind, "event_id": f"{place[0]}.{place[1]}"}


def sse(event: dict) -> bytes:
    return b"event: " + event["event_type"].encode() + b"\ndata: " + dumps(event) + b"\n\n"


def failure(error: ApiError) -> bytes:
    """What ends a stream that cannot go on."""
    told = {"code": str(error.code), "message": error.message}
    return sse({"error": told, "event_type": "error"}) + DONE


def _all(record: Record, after: Position) -> Iterator[tuple[Position, str, dict]]:
    yield (0, 0), "interaction.created", {"interaction": summary(record) | {"status": "in_progress"}}
    yield (1, 0), "interaction.status_update", {"interaction_id": record.id, "status": "in_progress"}
    for index, step in enumerate(record.steps):
        part = index + _BEFORE
        if part >= after[0]:
            yield from _step(part, index, step, after, record.finished or index + 1 < len(record.steps))
    if record.finished:
        part = len(record.steps) + _BEFORE
        if record.error:
            yield (part, 0), "error", {"error": record.error}
        yield (part, 1), "interaction.completed", {"interaction": outcome(record)}


def _step(part: int, index: int, step: dict, after: Position, whole: bool) -> Iterator[tuple[Position, str, dict]]:
    """The events of one step. ``whole``: nothing more comes of it."""
    told = max(after[1], 0) if part == after[0] else 0
    if step["type"] == "function_call":
        start, length = {**step, "arguments": {}}, 1
        deltas = [((part, 1), {"type": "arguments_delta", "arguments": orjson.dumps(step["arguments"]).decode()})]
    else:
        (content,) = step["content"]
        start, length = {"type": step["type"], "content": []}, len(content["text"])
        deltas = [((part, length), {"type": "text", "text": content["text"][told:]})] if told < length else []
        if whole and "annotations" in content:
            deltas.append(((part, length + 1), {"type": "text_annotation_delta", "annotations": content["annotations"]}))
    yield (part, 0), "step.start", {"index": index, "step": start}
    for place, delta in deltas:
        yield place, "step.delta", {"index": index, "delta": delta}
    if whole:
        yield (part, length + 2), "step.stop", {"index": index}
