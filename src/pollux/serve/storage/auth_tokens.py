"""Ephemeral tokens, by the digests of their secrets."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from pollux.serve.storage.database import Database

_TABLE = """
CREATE TABLE auth_tokens (
    digest TEXT PRIMARY KEY, expires REAL NOT NULL, begins REAL NOT NULL, uses INTEGER, setup TEXT, mask TEXT NOT NULL
)
"""


@dataclass(frozen=True)
class Token:
    """Attributes: ``setup``: what it fixes of a session, None for nothing. ``mask``: paths of these fields, none for all."""

    setup: dict | None
    mask: list[str]


class AuthTokens:
    def __init__(self, database: Database) -> None:
        self._database = database
        database.table("auth_tokens", _TABLE)

    def add(self, digest: str, uses: int, expires: datetime, begins: datetime, setup: dict | None, mask: list[str]) -> None:
        """Keep a token. ``uses``: 0 for any number. Those that have expired go."""
        times = expires.timestamp(), begins.timestamp()
        fixed = None if setup is None else json.dumps(setup)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM auth_tokens WHERE expires < ?", (datetime.now(expires.tzinfo).timestamp(),))
            values = (digest, *times, uses or None, fixed, json.dumps(mask))
            connection.execute("INSERT INTO auth_tokens VALUES (?, ?, ?, ?, ?, ?)", values)

        self._database.write(work)

    def use(self, digest: str, now: datetime, *, resumed: bool) -> Token | None:
        """Begin a session with a token, None where it is good for none. One that is resumed is no new one: it takes no use."""
        moment = now.timestamp()
        new = "" if resumed else " AND begins >= ? AND (uses IS NULL OR uses > 0)"
        change = f"UPDATE auth_tokens SET uses = uses - {int(not resumed)}"
        sql = f"{change} WHERE digest = ? AND expires >= ?{new} RETURNING setup, mask"
        values = (digest, moment) if resumed else (digest, moment, moment)
        rows = self._database.write(lambda connection: connection.execute(sql, values).fetchall())
        if not rows:
            return None
        ((setup, mask),) = rows
        return Token(None if setup is None else json.loads(setup), json.loads(mask))
