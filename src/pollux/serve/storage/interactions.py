"""Interactions: a row for each, and a row for each step of what was given and what was answered."""

from __future__ import annotations

import json
import sqlite3

from pollux.serve.errors import ApiError
from pollux.serve.interactions.record import Record
from pollux.serve.storage.database import Database, Row

_TABLE = """
CREATE TABLE interactions (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, model TEXT NOT NULL, previous TEXT NOT NULL,
    status TEXT NOT NULL, created TEXT NOT NULL, updated TEXT NOT NULL, settings TEXT NOT NULL, usage TEXT, error TEXT
)
"""
_STEPS = """
CREATE TABLE interaction_steps (
    interaction INTEGER NOT NULL REFERENCES interactions (number) ON DELETE CASCADE, given INTEGER NOT NULL,
    place INTEGER NOT NULL, step TEXT NOT NULL, PRIMARY KEY (interaction, given, place)
)
"""
# A conversation: an interaction, the one before it, and so on. What was given comes before what was answered.
_CHAIN = """
WITH RECURSIVE chain (number, previous, depth) AS (
    SELECT number, previous, 0 FROM interactions WHERE id = ?
    UNION ALL SELECT i.number, i.previous, depth + 1 FROM interactions i JOIN chain ON i.id = chain.previous
)
"""
_HISTORY = _CHAIN + """
SELECT step FROM interaction_steps JOIN chain ON interaction = number ORDER BY depth DESC, given DESC, place
"""
_BEGINNING = _CHAIN + "SELECT previous FROM chain ORDER BY depth DESC LIMIT 1"


class Interactions:
    """Those that were to be stored. All of it blocks: not for the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.table("interactions", _TABLE, _STEPS)

    def add(self, record: Record) -> None:
        """Store an interaction that begins, with what was given."""
        values = (record.id, record.model, record.previous, record.status, record.created, record.updated)
        sql = "INSERT INTO interactions (id, model, previous, status, created, updated, settings) VALUES (?, ?, ?, ?, ?, ?, ?)"

        def work(connection: sqlite3.Connection) -> None:
            number = connection.execute(sql, (*values, json.dumps(record.settings))).lastrowid
            _put(connection, number, record.input, given=True)

        self._database.write(work)

    def end(self, record: Record) -> None:
        """Store how an interaction ended, and its answer. One that was deleted meanwhile stays so."""
        texts = [json.dumps(each) if each else None for each in (record.usage, record.error)]
        sql = "UPDATE interactions SET status = ?, updated = ?, usage = ?, error = ? WHERE id = ? RETURNING number"

        def work(connection: sqlite3.Connection) -> None:
            found = connection.execute(sql, (record.status, record.updated, *texts, record.id)).fetchall()
            for (number,) in found:
                _put(connection, number, record.steps, given=False)

        self._database.write(work)

    def find(self, identity: str) -> Record:
        """An interaction.

        Raises:
            ApiError: 404 where there is none.
        """
        row = self._database.row("SELECT * FROM interactions WHERE id = ?", (identity,))
        if row is None:
            raise missing(identity)
        return self._record(row)

    def history(self, identity: str) -> list[dict]:
        """The steps of a conversation up to an interaction and with it, oldest first; none for "".

        Raises:
            ApiError: 404 where it, or one before it, was deleted or never stored.
        """
        if not identity:
            return []
        beginning = self._database.row(_BEGINNING, (identity,))
        if beginning is None or beginning["previous"]:
            raise missing(beginning["previous"] if beginning else identity)
        return [json.loads(row["step"]) for row in self._database.rows(_HISTORY, (identity,))]

    def delete(self, identity: str) -> None:
        """Raises ApiError 404 where there is none."""
        if not self._database.execute("DELETE FROM interactions WHERE id = ?", (identity,)):
            raise missing(identity)

    def _record(self, row: Row) -> Record:
        sql = "SELECT given, step FROM interaction_steps WHERE interaction = ? ORDER BY place"
        steps: dict[bool, list[dict]] = {True: [], False: []}
        for step in self._database.rows(sql, (row["number"],)):
            steps[bool(step["given"])].append(json.loads(step["step"]))
        usage, error = (json.loads(row[name]) if row[name] else None for name in ("usage", "error"))
        return Record(
            row["id"], row["model"], row["created"], row["updated"], row["previous"], row["status"], json.loads(row["settings"]),
            steps[True], steps[False], usage, error,
        )  # fmt: skip


def missing(identity: str) -> ApiError:
    return ApiError(404, f"The interaction {identity[:100]} is not found: it was deleted, or never stored (store: false).")


def _put(connection: sqlite3.Connection, number: int, steps: list[dict], *, given: bool) -> None:
    rows = [(number, given, place, json.dumps(step)) for place, step in enumerate(steps)]
    connection.executemany("INSERT INTO interaction_steps VALUES (?, ?, ?, ?)", rows)
