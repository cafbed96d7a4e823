"""Batches of requests: each request a row, with what came of it once that is known.

    create ──> PENDING ──> RUNNING ──> SUCCEEDED           next() gives rows that are to be run, record() keeps what came of one
                                └────> CANCELLED, EXPIRED   a row that has an outcome is never run again

Requests and outcomes are bytes of JSON here; what they say is for others to know.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import orjson

from pollux.serve.errors import ApiError
from pollux.serve.storage.contents import Contents
from pollux.serve.storage.database import Database, Row
from pollux.serve.storage.files import Files
from pollux.serve.storage.names import fresh

# A batch that is not finished after so many seconds is given up, as Google does.
SECONDS = 48 * 3600.0
GOING = ("PENDING", "RUNNING")
# Rows that are written, or read, in one go.
_SOME = 500
_BATCHES = """
CREATE TABLE batches (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, model TEXT NOT NULL,
    service TEXT NOT NULL, display TEXT NOT NULL, source TEXT NOT NULL, priority INTEGER NOT NULL, state TEXT NOT NULL,
    created REAL NOT NULL, updated REAL NOT NULL, ended REAL, results TEXT NOT NULL
)
"""
_ROWS = """
CREATE TABLE batch_rows (
    batch INTEGER NOT NULL REFERENCES batches (number) ON DELETE CASCADE, number INTEGER NOT NULL, about BLOB NOT NULL,
    request BLOB NOT NULL, response BLOB, error BLOB, PRIMARY KEY (batch, number)
)
"""
_OPEN = "CREATE INDEX batch_rows_open ON batch_rows (batch, number) WHERE response IS NULL AND error IS NULL"
_INSERT = """
INSERT INTO batches (name, kind, model, service, display, source, priority, state, created, updated, results)
VALUES (?, ?, ?, ?, ?, ?, ?, 'MAKING', ?, ?, '')
"""
_NEXT = """
SELECT r.batch, r.number, r.request, b.kind, b.service FROM batch_rows r JOIN batches b ON b.number = r.batch
WHERE r.response IS NULL AND r.error IS NULL AND b.state IN ('PENDING', 'RUNNING')
ORDER BY b.priority DESC, b.number, r.number LIMIT ?
"""
_COUNTS = "SELECT count(*), count(response), count(error) FROM batch_rows WHERE batch = ?"
_OPEN_ROW = "SELECT 1 FROM batch_rows WHERE batch = ? AND response IS NULL AND error IS NULL"


@dataclass(frozen=True)
class Batch:
    """A batch.

    Attributes:
        number: The database's for it. name: ``batches/…``. kind: "generate" or "embed".
        model: As the client named it. service: the local name. source: the file that its requests came from, "" for none.
        state: "PENDING", "RUNNING", "SUCCEEDED", "CANCELLED" or "EXPIRED".
        created, updated, ended: Seconds since 1970; ``ended`` is None while it goes on.
        results: The file of what came of it, "" where that is told inline. total, good, bad: its requests.
    """

    number: int
    name: str
    kind: str
    model: str
    service: str
    display_name: str
    source: str
    priority: int
    state: str
    created: float
    updated: float
    ended: float | None
    results: str
    total: int
    good: int
    bad: int


@dataclass(frozen=True)
class Todo:
    """A request that is to be run: that of row ``number`` of a batch."""

    batch: int
    number: int
    kind: str
    service: str
    request: bytes


class Batches:
    """Used from any thread."""

    def __init__(self, database: Database, contents: Contents, files: Files) -> None:
        self.database, self.contents, self.files = database, contents, files
        database.table("batches", _BATCHES, _ROWS, _OPEN)
        database.execute("DELETE FROM batches WHERE state = 'MAKING'")

    def create(
        self, kind: str, model: str, service: str, display: str, requests: Iterable[tuple[bytes, bytes]], *, source: str = "",
        priority: int = 0,
    ) -> Batch:  # fmt: skip
        """A batch of requests, each with what its outcome is told with (its key or metadata).

        Raises:
            ApiError: 400 where there is no request; what ``requests`` raises. Nothing is kept then.
        """
        now = time.time()
        values = (f"batches/{fresh(20)}", kind, model, service, display, source, priority, now, now)
        number = self.database.write(lambda connection: connection.execute(_INSERT, values).lastrowid)
        try:
            rows = ((number, at, about, request) for at, (about, request) in enumerate(requests))
            while some := list(itertools.islice(rows, _SOME)):
                sql = "INSERT INTO batch_rows (batch, number, about, request) VALUES (?, ?, ?, ?)"
                self.database.write(lambda connection, sql=sql, some=some: connection.executemany(sql, some))
            if self.database.row(_COUNTS, (number,))[0] == 0:
                raise ApiError(400, "A batch needs at least one request; there is none.")
        except BaseException:
            self.database.execute("DELETE FROM batches WHERE number = ?", (number,))
            raise
        self.database.execute("UPDATE batches SET state = 'PENDING' WHERE number = ?", (number,))
        return self.find(values[0])

    def find(self, name: str) -> Batch:
        """Raises ApiError 404 where there is no such batch."""
        row = self.database.row("SELECT * FROM batches WHERE name = ? AND state != 'MAKING'", (name,))
        if row is None:
            raise ApiError(404, f"{name[:100]} is not found. Call ListBatches to see the batches that there are.")
        return self._batch(row)

    def list(self, size: int, token: str) -> tuple[list[Batch], str]:
        """A page, newest first, and the token of the next page."""
        rows, following = self.database.page("batches", size, token, "state != 'MAKING'")
        return [self._batch(row) for row in rows], following

    def next(self, count: int, but: Sequence[tuple[int, int]]) -> list[Todo]:
        """The next requests that are to be run, by priority, then oldest first; less those of ``but``, (batch, row)."""
        rows = self.database.rows(_NEXT, (count + len(but),))
        todo = [Todo(row["batch"], row["number"], row["kind"], row["service"], row["request"]) for row in rows]
        return [each for each in todo if (each.batch, each.number) not in but][:count]

    def begin(self, batch: int) -> None:
        """One of its requests is being run."""
        sql = "UPDATE batches SET state = 'RUNNING', updated = ? WHERE number = ? AND state = 'PENDING'"
        self.database.execute(sql, (time.time(), batch))

    def record(self, todo: Todo, *, response: bytes | None = None, error: bytes | None = None) -> None:
        """Keep what came of a request, and end its batch where that was the last one."""

        def work(connection) -> bool:
            sql = "UPDATE batch_rows SET response = ?, error = ? WHERE batch = ? AND number = ?"
            connection.execute(sql, (response, error, todo.batch, todo.number))
            connection.execute("UPDATE batches SET updated = ? WHERE number = ?", (time.time(), todo.batch))
            return connection.execute(_OPEN_ROW, (todo.batch,)).fetchone() is None

        if self.database.write(work):
            self._succeed(todo.batch)

    def settle(self) -> None:
        """End batches whose last outcome was kept when the process died, and give up those that take too long."""
        for row in self.database.rows("SELECT * FROM batches WHERE state IN ('PENDING', 'RUNNING')"):
            if self.database.row(_OPEN_ROW, (row["number"],)) is None:
                self._succeed(row["number"])
            elif row["created"] + SECONDS < time.time():
                self._end(row["number"], "EXPIRED")

    def cancel(self, name: str) -> Batch:
        """No more of its requests are run; one that has ended stays as it is. Raises ApiError 404 as `find`."""
        batch = self.find(name)
        if batch.state in GOING:
            self._end(batch.number, "CANCELLED")
        return batch

    def delete(self, name: str) -> Batch:
        """Forget it; a file of results stays until that expires. Raises ApiError 404 as `find`."""
        batch = self.find(name)
        self.database.execute("DELETE FROM batches WHERE number = ?", (batch.number,))
        return batch

    def outcomes(self, batch: int) -> Iterator[tuple[dict, bytes | None, bytes | None]]:
        """What each request's outcome is told with, its response and its error, in order."""
        at = -1
        sql = "SELECT number, about, response, error FROM batch_rows WHERE batch = ? AND number > ? ORDER BY number LIMIT ?"
        while rows := self.database.rows(sql, (batch, at, _SOME)):
            for row in rows:
                yield orjson.loads(row["about"]), row["response"], row["error"]
            at = rows[-1]["number"]

    def _batch(self, row: Row) -> Batch:
        total, good, bad = self.database.row(_COUNTS, (row["number"],))
        values = {name: row[name] for name in row.keys() if name != "display"}  # noqa: SIM118 (a Row iterates its values)
        return Batch(**values, display_name=row["display"], total=total, good=good, bad=bad)

    def _end(self, number: int, state: str) -> None:
        now = time.time()
        sql = "UPDATE batches SET state = ?, ended = ?, updated = ? WHERE number = ? AND state IN ('PENDING', 'RUNNING')"
        self.database.execute(sql, (state, now, now, number))

    def _succeed(self, number: int) -> None:
        """End a batch all of whose requests have outcomes. The file of these appears together with the end."""
        row = self.database.row("SELECT source, name FROM batches WHERE number = ?", (number,))
        if row is None or not row["source"]:
            self._end(number, "SUCCEEDED")
            return
        key = self.contents.create()
        size, sha256 = self._write(number, key)
        self.contents.seal(key, size)
        name = f"files/{fresh(20)}"

        def work(connection) -> bool:
            sql = """
            UPDATE batches SET state = 'SUCCEEDED', ended = ?1, updated = ?1, results = ?2
            WHERE number = ?3 AND state IN ('PENDING', 'RUNNING')
            """
            ended = connection.execute(sql, (time.time(), name, number)).rowcount > 0
            if ended:
                about = (f"results of {row['name']}", "application/jsonl", size, sha256)
                self.files.insert(connection, name, key, *about, source="GENERATED")
            return ended

        if not self.database.write(work):
            self.contents.remove(key)

    def _write(self, number: int, key: str) -> tuple[int, str]:
        """Write outcomes as JSON Lines; gives the size and the SHA-256."""
        found, size = hashlib.sha256(), 0
        lines = (self._line(*outcome) for outcome in self.outcomes(number))
        while some := b"".join(itertools.islice(lines, _SOME)):
            self.contents.write(key, size, some)
            found.update(some)
            size += len(some)
        return size, found.hexdigest()

    @staticmethod
    def _line(about: dict, response: bytes | None, error: bytes | None) -> bytes:
        outcome = {"response": orjson.Fragment(response)} if response is not None else {"error": orjson.Fragment(error)}
        return orjson.dumps(about | outcome) + b"\n"
