"""The log: one JSON object a line on stderr. Never what was asked or answered, nor keys: not even where something broke."""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

import orjson

_log = logging.getLogger("pollux.serve")


class Lines(logging.Formatter):
    """A record as JSON; of an exception its type and where it was raised, not its words, which may be a user's."""

    def format(self, record: logging.LogRecord) -> str:
        out: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(), "message": record.getMessage(),
        }  # fmt: skip
        out |= getattr(record, "facts", {})
        if record.exc_info and record.exc_info[1]:
            error = record.exc_info[1]
            frames = traceback.extract_tb(error.__traceback__)
            out["error"] = type(error).__qualname__
            out["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-12:]]
        return orjson.dumps(out, default=str).decode()


def configure(level: int = logging.INFO) -> None:
    """Write the server's log, and uvicorn's warnings, to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    for name, least in (("pollux.serve", level), ("uvicorn", logging.WARNING), ("uvicorn.error", logging.WARNING)):
        log = logging.getLogger(name)
        log.handlers, log.propagate = [handler], False
        log.setLevel(least)


def note_request(**facts: Any) -> None:
    """A request that is over: id, client, method, route, status, milliseconds."""
    _log.info("request", extra={"facts": facts})
