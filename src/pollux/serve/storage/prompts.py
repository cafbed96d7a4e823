"""Prompts of the studio: a row for each, and a row for each of its turns, so that a long chat is never written or sent whole.

What a prompt and a turn hold is the page's: JSON that is kept as it comes, but for ids, titles and times.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
import time
from collections.abc import Sequence
from typing import Any

import orjson

from pollux.serve.errors import ApiError
from pollux.serve.storage.database import Database, Row

_TABLE = """
CREATE TABLE prompts (
    number INTEGER PRIMARY KEY AUTOINCREMENT, owner TEXT NOT NULL, id TEXT NOT NULL, title TEXT NOT NULL, head TEXT NOT NULL,
    created REAL NOT NULL, updated REAL NOT NULL, UNIQUE (owner, id)
)
"""
_TURNS = """
CREATE TABLE prompt_turns (
    prompt INTEGER NOT NULL REFERENCES prompts (number) ON DELETE CASCADE, id TEXT NOT NULL, place REAL NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (prompt, id)
)
"""
_PUT = """
INSERT INTO prompts (owner, id, title, head, created, updated) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (owner, id) DO UPDATE SET title = excluded.title, head = excluded.head, updated = excluded.updated
"""
_PUT_TURN = """
INSERT INTO prompt_turns (prompt, id, place, body) VALUES (?, ?, ?, ?)
ON CONFLICT (prompt, id) DO UPDATE SET place = excluded.place, body = excluded.body
"""
_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
_LONGEST = 16 << 20  # bytes of a turn or a head: material belongs into files
_MOST = 2000  # prompts listed, and three times as many turns of one
_TITLE = 200


class Prompts:
    """Each ``owner`` has a library of his own. All of it blocks: not for the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.table("prompts", _TABLE, _TURNS)

    def list(self, owner: str) -> list[dict]:
        """What is kept, last changed first: id, title, and the times, milliseconds since 1970."""
        sql = "SELECT id, title, created, updated FROM prompts WHERE owner = ? ORDER BY updated DESC, number DESC LIMIT ?"
        return [_summary(row) for row in self._database.rows(sql, (owner, _MOST))]

    def open(self, owner: str, identity: str) -> dict:
        """A prompt with its turns. Raises ApiError 404 where there is none."""
        row = self._row(owner, identity)
        turns = self._database.rows("SELECT body FROM prompt_turns WHERE prompt = ? ORDER BY place, id", (row["number"],))
        return orjson.loads(row["head"]) | _summary(row) | {"turns": [orjson.loads(turn["body"]) for turn in turns]}

    def save(self, owner: str, identity: str, head: dict) -> dict:
        """Keep what is not a turn; gives the summary. Raises ApiError 400."""
        values = _values(owner, identity, head, time.time())
        self._database.execute(_PUT, values)
        return _summary(self._row(owner, identity))

    def save_turn(self, owner: str, identity: str, turn: str, body: dict) -> None:
        """Keep one turn, new or changed. Raises ApiError 404 where its prompt is not there, and 400."""
        number, values = self._row(owner, identity)["number"], _turn_values(turn, body)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(_PUT_TURN, (number, *values))
            connection.execute("UPDATE prompts SET updated = ? WHERE number = ?", (time.time(), number))

        try:
            self._database.write(work)
        except sqlite3.IntegrityError as error:  # it was deleted just now
            raise _missing(identity) from error

    def delete(self, owner: str, identity: str) -> None:
        """Raises ApiError 404 where there is none."""
        self._database.execute("DELETE FROM prompts WHERE number = ?", (self._row(owner, identity)["number"],))

    def take(self, owner: str, head: dict, turns: Sequence[Any]) -> dict:
        """Keep a prompt that came as a file, under an id of its own; gives the summary. Raises ApiError 400."""
        if len(turns) > 3 * _MOST or not all(isinstance(turn, dict) for turn in turns):
            raise ApiError(400, f"The prompt's turns have to be objects, and {3 * _MOST} at most.")
        identity = secrets.token_hex(16)
        values = _values(owner, identity, head, time.time())
        rows = [_turn_values(str(turn.get("id", "")), turn) for turn in turns]

        def work(connection: sqlite3.Connection) -> None:
            number = connection.execute(_PUT, values).lastrowid
            connection.executemany(_PUT_TURN, [(number, *row) for row in rows])

        self._database.write(work)
        return _summary(self._row(owner, identity))

    def _row(self, owner: str, identity: str) -> Row:
        row = self._database.row("SELECT * FROM prompts WHERE owner = ? AND id = ?", (owner, identity))
        if row is None:
            raise _missing(identity)
        return row


def _summary(row: Row) -> dict:
    return {"id": row["id"], "title": row["title"], "created": round(row["created"] * 1e3), "updated": round(row["updated"] * 1e3)}


def _values(owner: str, identity: str, head: dict, now: float) -> tuple:
    _check(identity, "prompt")
    title = head.get("title")
    if title is not None and not isinstance(title, str):
        raise ApiError(400, "A prompt's title has to be a text.")
    kept = {name: value for name, value in head.items() if name not in ("id", "title", "created", "updated", "turns")}
    return owner, identity, (title or "Untitled")[:_TITLE], _text(kept, "prompt"), now, now


def _turn_values(identity: str, body: dict) -> tuple[str, float, str]:
    _check(identity, "turn")
    born = body.get("born")
    return identity, float(born) if isinstance(born, int | float) else 0.0, _text(body | {"id": identity}, "turn")


def _check(identity: str, what: str) -> None:
    if not _ID.fullmatch(identity):
        raise ApiError(400, f"{identity[:80]!r} is no id of a {what}: it takes up to 64 letters, digits, - and _.")


def _text(value: dict, what: str) -> str:
    text = orjson.dumps(value)
    if len(text) > _LONGEST:
        told = f"A {what} may have {_LONGEST >> 20} MiB, this has {len(text) / 2**20:.1f}. Upload long texts as files."
        raise ApiError(413, told)
    return text.decode()


def _missing(identity: str) -> ApiError:
    return ApiError(404, f"There is no prompt {identity[:80]}: it was deleted, or belongs to another key.")
