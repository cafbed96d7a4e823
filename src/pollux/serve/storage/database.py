"""One SQLite file: any thread reads, one thread writes.

    database.table("files", "CREATE TABLE files (…)", "ALTER TABLE …")    the owner's steps, each done once in the file's life
    database.execute(sql, values)    returns when it is on the disk
    database.write(work)             the same for several statements: all of them, or none
    database.rows(sql, values)       sees every write that has returned
"""

from __future__ import annotations

import queue
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pollux.base.errors import BusyError, ConfigError
from pollux.serve.errors import ApiError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
Row = sqlite3.Row

# How the file as a whole is laid out: the table of steps, and the owners' tables.
_LAYOUT = 1
_STEPS = "CREATE TABLE IF NOT EXISTS steps (name TEXT PRIMARY KEY, done INTEGER NOT NULL)"
# Writes that wait are made durable together, so many at most: a disk waits for a flush as long as for one of them.
_TOGETHER = 100
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
_TOKEN = re.compile(r"[0-9a-f]{1,15}")


class Database:
    """Raises ConfigError when the file is none of ours, damaged, or written by a newer version."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        self._jobs: queue.SimpleQueue[tuple[Work, Future] | None] = queue.SimpleQueue()
        self._closed = False
        try:
            self._writer = self._connect()
            self._prepare()
        except sqlite3.Error as error:
            told = f"{path} cannot be used: {error}"
            raise ConfigError(told, "check the folder's permissions, put back a copy, or name another folder") from error
        self._thread = threading.Thread(target=self._work, name="pollux-database", daemon=True)
        self._thread.start()

    def table(self, name: str, *steps: str) -> None:
        """Bring a table, and what belongs to it, up to date. Steps that a version has shipped never change; new ones are added.

        Raises:
            ConfigError: a newer version has done more steps than there are.
        """

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR IGNORE INTO steps VALUES (?, 0)", (name,))
            (done,) = connection.execute("SELECT done FROM steps WHERE name = ?", (name,)).fetchone()
            if done > len(steps):
                raise self._newer()
            for step in steps[done:]:
                connection.execute(step)
            connection.execute("UPDATE steps SET done = ? WHERE name = ?", (len(steps), name))

        self.write(work)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one statement; gives how many rows it changed."""
        return self.write(lambda connection: connection.execute(sql, values).rowcount)

    def write(self, work: Work[T]) -> T:
        """Run ``work`` in the thread that writes, and give what it gives once that is on the disk. What it raises undoes it.

        Raises:
            BusyError: the disk is full.
        """
        if self._closed:
            raise ConfigError(f"{self._path} is closed")
        future: Future = Future()
        self._jobs.put((work, future))
        return future.result()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows that a question gives."""
        with self._reader() as connection:
            return connection.execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        """The first row, None where there is none."""
        with self._reader() as connection:
            return connection.execute(sql, values).fetchone()

    def page(self, table: str, size: int, token: str, where: str = "1", values: Sequence[Any] = ()) -> tuple[list[Row], str]:
        """Rows of a table newest first, by its column ``number``, and the token of the next page, "" at the end.

        Raises:
            ApiError: 400 for a token that is none.
        """
        if token and not _TOKEN.fullmatch(token):
            raise ApiError(400, f"Invalid page token: {token[:60]}. Give the nextPageToken of an earlier answer, or none.")
        below = int(token, 16) if token else 1 << 62
        sql = f"SELECT * FROM {table} WHERE ({where}) AND number < ? ORDER BY number DESC LIMIT ?"
        rows = self.rows(sql, (*values, below, size + 1))
        return rows[:size], format(rows[size - 1]["number"], "x") if len(rows) > size else ""

    def close(self) -> None:
        """Finish what is being written. Not to be used any more."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        self._thread.join()
        while not self._idle.empty():
            self._idle.get().close()
        self._writer.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=30.0, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        return connection

    def _prepare(self) -> None:
        version = self._writer.execute("PRAGMA user_version").fetchone()[0]
        if version > _LAYOUT:
            raise self._newer()
        self._writer.execute("PRAGMA journal_mode = WAL")
        self._writer.execute("PRAGMA synchronous = FULL")
        self._writer.execute("PRAGMA foreign_keys = ON")
        self._writer.execute(_STEPS)
        self._writer.execute(f"PRAGMA user_version = {_LAYOUT}")

    def _newer(self) -> ConfigError:
        return ConfigError(f"{self._path} was written by a newer version", "install that version, or name another folder")

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = self._connect()
            connection.execute("PRAGMA query_only = 1")
        try:
            yield connection
        finally:
            self._idle.put(connection)

    def _work(self) -> None:
        """The thread that writes."""
        while (first := self._jobs.get()) is not None:
            jobs, last = [first], False
            while len(jobs) < _TOGETHER and not self._jobs.empty() and not last:
                job = self._jobs.get()
                jobs, last = (jobs, True) if job is None else ([*jobs, job], False)
            self._commit(jobs)
            if last:
                return

    def _commit(self, jobs: Sequence[tuple[Work, Future]]) -> None:
        """Do jobs as one transaction, in which each is whole or not at all, and tell their callers."""
        told: list[Callable[[], None]] = []
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            told = [self._one(work, future) for work, future in jobs]
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            for _, future in jobs:
                future.set_exception(_told(error))
            return
        for tell in told:
            tell()

    def _one(self, work: Work, future: Future) -> Callable[[], None]:
        """Do one job; gives what tells its caller how it went."""
        self._writer.execute("SAVEPOINT job")
        try:
            given = work(self._writer)
        except BaseException as error:
            if isinstance(error, sqlite3.Error) and not self._writer.in_transaction:
                raise  # the disk is full, say: the whole transaction is gone
            failure = _told(error)
            self._writer.execute("ROLLBACK TO job")
            self._writer.execute("RELEASE job")
            return lambda: future.set_exception(failure)
        self._writer.execute("RELEASE job")
        return lambda: future.set_result(given)


def _told(error: BaseException) -> BaseException:
    """An error as callers are told it: a full disk is no bug."""
    if isinstance(error, sqlite3.OperationalError) and (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _FULL:
        return BusyError("the disk that the server keeps its files on is full", "delete files, then try again", seconds=60.0)
    return error
