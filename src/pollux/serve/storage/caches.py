"""Cached contents: what a model has read, kept in a file until it expires.

    create(service, wanted) ─Service.keep→ a file ─→ a row: from then on it is there, not before
    find(name) ──> StoredCache, its file reopened where this process has not had it open
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import orjson

from pollux.base.errors import ContextError, PolluxError
from pollux.engine.many.service import Service
from pollux.engine.request import Ask, Done
from pollux.media.segment import Document
from pollux.serve.errors import ApiError
from pollux.serve.material.arrange import Message
from pollux.serve.storage.contents import flush
from pollux.serve.storage.database import Database, Row
from pollux.serve.storage.names import fresh
from pollux.serve.web.bridge import heard

T = TypeVar("T")
_TABLE = """
CREATE TABLE caches (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, kept TEXT, model TEXT NOT NULL, service TEXT NOT NULL,
    display TEXT NOT NULL, tokens INTEGER NOT NULL, created REAL NOT NULL, updated REAL NOT NULL, expires REAL NOT NULL,
    about BLOB NOT NULL
)
"""
_INSERT = """
INSERT INTO caches (name, kept, model, service, display, tokens, created, updated, expires, about)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_SUFFIX = ".pollux"


@dataclass(frozen=True)
class Cached:
    """What is to be cached.

    Attributes:
        model: As the client named it. service: the local name of the model. display_name: what the client calls it.
        expires: When it ends, in seconds since 1970.
        documents: What is read. messages: what is said beside that, which comes with each request.
        tools, tool_config: As on the wire. uris: addresses of its files by the names that evidence has for them.
    """

    model: str
    service: str
    display_name: str
    expires: float
    documents: tuple[Document, ...]
    messages: tuple[Message, ...] = ()
    tools: list[dict] = field(default_factory=list)
    tool_config: dict = field(default_factory=dict)
    uris: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredCache:
    """A cached content.

    Attributes:
        name: ``cachedContents/…``. kept: The service's name for what was read, None where nothing had to be.
        model, service, display_name, messages, tools, tool_config, uris: As in `Cached`. tokens: What it holds.
        created, updated, expires: Seconds since 1970.
    """

    name: str
    kept: str | None
    model: str
    service: str
    display_name: str
    tokens: int
    created: float
    updated: float
    expires: float
    messages: tuple[Message, ...]
    tools: list[dict]
    tool_config: dict
    uris: Mapping[str, str]


class Caches:
    """Attributes: ``services``: those that read and reopen, by local name. ``least``: tokens that are worth to be kept."""

    def __init__(self, database: Database, folder: Path, least: int = 0) -> None:
        self.database, self.folder, self.least = database, folder, least
        self.services: Mapping[str, Service] = {}
        self._making: set[str] = set()
        self._open: dict[str, threading.Lock] = {}
        self._opened: set[str] = set()
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        database.table("caches", _TABLE)

    async def create(self, wanted: Cached, client: str = "", deadline: float | None = None) -> StoredCache:
        """Read and keep; what is given is on the disk. Cancelled or failed, it leaves nothing.

        Raises:
            ApiError: 400 for less than the least tokens. PolluxError: as `Service.keep` says.
        """
        service, id = self.services[wanted.service], fresh()
        with self._lock:
            self._making.add(id)
        try:
            tokens = await self._read(service, id, Ask("", wanted.documents, client=client, deadline=deadline))
            tokens += sum(service.vocabulary.encode(part).size for message in wanted.messages for part in message.parts)
            if tokens < self.least:
                told = f"Cached content is too small. total_token_count={tokens}, min_total_token_count={self.least}"
                raise ApiError(400, told)
            return await _to_the_end(lambda: self._insert(id, wanted, tokens))
        except BaseException:
            await _to_the_end(lambda: self._discard(id, service))
            raise
        finally:
            with self._lock:
                self._making.discard(id)

    def look(self, name: str) -> StoredCache:
        """What a name stands for, as it is on the disk.

        Raises:
            ApiError: 403 where there is nothing, or no more (contract §2).
        """
        row = self.database.row("SELECT * FROM caches WHERE name = ? AND expires > ?", (name, time.time()))
        if row is None:
            raise ApiError(403, "CachedContent not found (or permission denied)")
        return _stored(row)

    def find(self, name: str) -> StoredCache:
        """The same, ready to be named in `Ask.kept`; the first time it waits for its file to be read.

        Raises:
            ApiError: 403 as `look`; 400 where its file is of no more use.
        """
        cache = self.look(name)
        if cache.kept is None or cache.kept in self._opened:
            return cache
        with self._lock:
            opening = self._open.setdefault(cache.kept, threading.Lock())
        with opening:
            if cache.kept not in self._opened:
                self._reopen(cache)
        return cache

    def list(self, size: int, token: str) -> tuple[list[StoredCache], str]:
        """A page, newest first, and the token of the next page."""
        rows, following = self.database.page("caches", size, token, "expires > ?", (time.time(),))
        return [_stored(row) for row in rows], following

    def prolong(self, name: str, expires: float) -> StoredCache:
        """Have it expire at another time. Raises ApiError 403 as `look`."""
        sql = "UPDATE caches SET expires = ?, updated = ? WHERE name = ? AND expires > ?"
        now = time.time()
        self.database.execute(sql, (expires, now, name, now))
        return self.look(name)

    def delete(self, name: str) -> None:
        """Raises ApiError 403 as `look`."""
        cache = self.look(name)
        self._discard(cache.name.removeprefix("cachedContents/"), self.services.get(cache.service))

    def sweep(self, now: float) -> None:
        """Delete what has expired, and files that belong to nothing: a reading may have come to its end when nobody waited."""
        for row in self.database.rows("SELECT name, service FROM caches WHERE expires <= ?", (now,)):
            self._discard(row["name"].removeprefix("cachedContents/"), self.services.get(row["service"]))
        with self._lock:
            known = set(self._making)
            files = list(self.folder.iterdir())
        known |= {row["name"].removeprefix("cachedContents/") for row in self.database.rows("SELECT name FROM caches")}
        for id in {path.name.partition(".")[0] for path in files} - known:
            for service in self.services.values():
                self._discard(id, service)
            self._remove(id)

    async def _read(self, service: Service, id: str, ask: Ask) -> int:
        """Have the material read and kept; gives its tokens."""
        if not ask.documents:
            return 0
        tokens = 0
        async with aclosing(heard(lambda listener: service.keep(id, ask, self._path(id), listener))) as events:
            async for event in events:
                tokens = event.usage.prompt if isinstance(event, Done) else tokens
        return tokens

    def _insert(self, id: str, wanted: Cached, tokens: int) -> StoredCache:
        name, now = f"cachedContents/{id}", time.time()
        kept = id if wanted.documents else None
        if kept is not None:
            flush(self._path(id))
            flush(self.folder)
        about = {
            "messages": [[message.role, message.parts] for message in wanted.messages], "tools": wanted.tools,
            "tool_config": wanted.tool_config, "uris": dict(wanted.uris),
        }  # fmt: skip
        values = (name, kept, wanted.model, wanted.service, wanted.display_name, tokens, now, now, wanted.expires)
        self.database.execute(_INSERT, (*values, orjson.dumps(about)))
        with self._lock:
            self._opened |= {kept} if kept else set()
        return _stored(self.database.row("SELECT * FROM caches WHERE name = ?", (name,)))

    def _reopen(self, cache: StoredCache) -> None:
        service = self.services.get(cache.service)
        if service is None:
            raise ApiError(400, f"{cache.name} was read by the model {cache.service}, which is not served now.")
        try:
            service.reopen(cache.kept, self._path(cache.kept))
        except ContextError as error:
            told = f"{cache.name} cannot be used any more: {error.message}. Delete it and create it again."
            raise ApiError(400, told) from error
        with self._lock:
            self._opened.add(cache.kept)

    def _discard(self, id: str, service: Service | None) -> None:
        """Delete a row, if there is one, and what belongs to it, in this order."""
        self.database.execute("DELETE FROM caches WHERE name = ?", (f"cachedContents/{id}",))
        if service is not None:
            with suppress(PolluxError):  # it is shutting down, and forgets all
                service.forget(id)
        with self._lock:
            self._opened.discard(id)
            self._open.pop(id, None)
        self._remove(id)

    def _remove(self, id: str) -> None:
        for path in self.folder.glob(f"{id}{_SUFFIX}*"):
            path.unlink(missing_ok=True)

    def _path(self, id: str) -> Path:
        return self.folder / (id + _SUFFIX)


def _stored(row: Row) -> StoredCache:
    about = orjson.loads(row["about"])
    about["messages"] = tuple(Message(role, tuple(parts)) for role, parts in about["messages"])
    values = {name: row[name] for name in ("name", "kept", "model", "service", "tokens", "created", "updated", "expires")}
    return StoredCache(display_name=row["display"], **values, **about)


async def _to_the_end(work: Callable[[], T]) -> T:
    """Run in a thread, and go on only when it has ended, also where nobody waits any more."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
