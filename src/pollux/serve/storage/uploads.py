"""Uploads that can be resumed: bytes on disk, how far they have come in the database.

    begin ──> upload ─take(offset)→ Writing ─write, write, close→ received ─finish→ StoredFile

What `Writing.close` has noted is on the disk and survives whatever happens to the process. A request that takes an upload takes
it from the one before, which may hang on a dead connection.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from pollux.serve.errors import ApiError
from pollux.serve.storage import kinds
from pollux.serve.storage.contents import Contents, digest
from pollux.serve.storage.database import Database
from pollux.serve.storage.files import Files, StoredFile, taken

# An upload that is not finished is given up after so many seconds (contract §6).
SECONDS = 24 * 3600.0
_TABLE = """
CREATE TABLE uploads (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, display TEXT NOT NULL, mime TEXT NOT NULL, size INTEGER, received INTEGER NOT NULL,
    key TEXT NOT NULL, created REAL NOT NULL, file TEXT NOT NULL
)
"""
_FIND = "SELECT * FROM uploads WHERE id = ? AND created > ?"


@dataclass(frozen=True)
class Wanted:
    """What a client says of a file before its bytes: ``name`` is ``files/…`` or "", ``size`` None where it is not known."""

    name: str = ""
    display_name: str = ""
    mime: str = ""
    size: int | None = None


@dataclass(frozen=True)
class Upload:
    """An upload as the database knows it. ``file``: the name of the file that it has become, "" while it goes on."""

    id: str
    wanted: Wanted
    received: int
    key: str
    file: str


@dataclass
class _Live:
    """What is known of an upload in this process alone. ``turn`` counts the requests that have taken it; the SHA-256 is that of its
    first ``hashed`` bytes, or None when these were written anew."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    turn: int = 0
    hashed: int = 0
    sha256: object | None = field(default_factory=hashlib.sha256)


class Uploads:
    """Attributes: ``most``: bytes of one file. ``media``: whether pictures, sound and films can be read."""

    def __init__(self, database: Database, contents: Contents, files: Files, most: int) -> None:
        self.database, self.contents, self.files, self.most = database, contents, files, most
        self.media = False
        self._lives: dict[str, _Live] = {}
        self._lock = threading.Lock()
        database.table("uploads", _TABLE)

    def begin(self, wanted: Wanted) -> Upload:
        """Start an upload.

        Raises:
            ApiError: 400 for a type that cannot be read or a file too large, 409 for a name that is taken, 429 where there is
                no room for it.
        """
        kinds.check(wanted.mime)
        self._check_size(wanted.size or 0)
        if wanted.name and self.files.taken(wanted.name):
            raise taken(wanted.name)
        if (wanted.size or 0) > self._room():
            raise self._no_room()
        upload = Upload(secrets.token_urlsafe(32), wanted, 0, self.contents.create(), "")
        values = (upload.id, wanted.name, wanted.display_name, wanted.mime, wanted.size, 0, upload.key, time.time(), "")
        self.database.execute("INSERT INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        return upload

    def find(self, id: str) -> Upload:
        """Raises ApiError 404 where there is no such upload, or no more."""
        row = self.database.row(_FIND, (id, time.time() - SECONDS))
        if row is None:
            raise _unknown()
        wanted = Wanted(row["name"], row["display"], row["mime"], row["size"])
        return Upload(id, wanted, row["received"], row["key"], row["file"])

    def take(self, id: str, offset: int) -> Writing:
        """Go on with an upload from an offset: what was received behind it is written anew.

        Raises:
            ApiError: 404 as `find`; 400 where bytes before the offset are missing.
        """
        live = self._live(id)
        with live.lock:
            upload = self.find(id)
            if upload.file:
                return Writing(self, upload, live, offset)
            if offset > upload.received:
                raise ApiError(400, f"The upload has received {upload.received} bytes, so that it cannot go on at byte {offset}.")
            if offset < upload.received:
                self._note(id, offset)
            if offset != live.hashed:
                live.sha256, live.hashed = (hashlib.sha256(), 0) if offset == 0 else (None, offset)
            live.turn += 1
            return Writing(self, upload, live, offset)

    def finish(self, id: str) -> StoredFile:
        """Make a file of what was received. Asked again it gives the same one.

        Raises:
            ApiError: 404 as `find`; 400 where bytes are missing, and where the file cannot be read: then the upload is gone, as
                it is with 409, where its name was taken meanwhile.
        """
        live = self._live(id)
        with live.lock:
            upload = self.find(id)
            if not upload.file:
                upload = self._finished(upload, live)
            try:
                return self.files.find(upload.file)
            except ApiError as error:
                raise ApiError(404, f"The File {upload.file} that was uploaded so is deleted.") from error

    def cancel(self, id: str) -> None:
        """Forget an upload and its bytes, if it is no file yet."""
        row = self.database.row("SELECT key FROM uploads WHERE id = ? AND file = ''", (id,))
        self.database.execute("DELETE FROM uploads WHERE id = ?", (id,))
        with self._lock:
            self._lives.pop(id, None)
        if row is not None:
            self.contents.remove(row["key"])

    def sweep(self, now: float) -> None:
        """Forget uploads that have expired."""
        for row in self.database.rows("SELECT id FROM uploads WHERE created <= ?", (now - SECONDS,)):
            self.cancel(row["id"])

    def _live(self, id: str) -> _Live:
        upload = self.find(id)
        with self._lock:
            # bytes of an earlier process are hashed when the file is finished
            fresh = _Live() if not upload.received else _Live(hashed=upload.received, sha256=None)
            return self._lives.setdefault(id, fresh)

    def _finished(self, upload: Upload, live: _Live) -> Upload:
        wanted, size = upload.wanted, upload.received
        if wanted.size is not None and size != wanted.size:
            raise ApiError(400, f"The upload has received {size} of {wanted.size} bytes, so that it cannot be finished.")
        try:
            self.contents.seal(upload.key, size)
            sha256 = live.sha256.hexdigest() if live.sha256 and live.hashed == size else digest(self.contents.path(upload.key))
            head = self.contents.head(upload.key, kinds.HEAD)
            mime = self._mime(head, wanted)
            self.files.sweep(time.time())

            def work(connection) -> str:
                about = (wanted.name, upload.key, wanted.display_name, mime, size, sha256)
                name = self.files.insert(connection, *about)
                connection.execute("UPDATE uploads SET file = ? WHERE id = ?", (name, upload.id))
                return name

            name = self.database.write(work)
        except ApiError:
            self.cancel(upload.id)
            raise
        with self._lock:
            self._lives.pop(upload.id, None)
        return Upload(upload.id, wanted, size, upload.key, name)

    def _note(self, id: str, received: int) -> None:
        self.database.execute("UPDATE uploads SET received = ? WHERE id = ?", (received, id))

    def _room(self) -> int:
        """Bytes that may be begun: what other uploads have announced is theirs."""
        row = self.database.row("SELECT coalesce(sum(coalesce(size, received)), 0) FROM uploads WHERE file = ''")
        return self.files.room() - row[0]

    def _mime(self, head: bytes, wanted: Wanted) -> str:
        return kinds.mime_of(head, wanted.display_name or wanted.name, wanted.mime, media=self.media)

    def _check_size(self, size: int) -> None:
        if size > self.most:
            raise ApiError(400, f"The file is too large: {size} bytes, and {self.most} are the most.")

    def _no_room(self) -> ApiError:
        told = f"You exceeded your quota of stored files, {self.files.most} bytes together, or the server's disk is full."
        return ApiError(429, f"{told} Delete files, or wait until some expire.")


class Writing:
    """One request's bytes of an upload. Its methods wait for the disk."""

    def __init__(self, uploads: Uploads, upload: Upload, live: _Live, offset: int) -> None:
        self.uploads, self.upload, self._live, self._turn = uploads, upload, live, live.turn
        self.start = self.at = offset

    def write(self, data: bytes) -> None:
        """The next bytes; nothing happens where the upload is a file already, as then they are sent a second time.

        Raises:
            ApiError: 400 for more bytes than were announced or are allowed, for a file whose first ones say that it cannot be
                read, and where another request has taken the upload. 429 where there is no room.
        """
        with self._live.lock:
            if self.upload.file:
                return
            self._check(data)
            try:
                self.uploads.contents.write(self.upload.key, self.at, data)
            except FileNotFoundError as error:
                raise _unknown() from error
            if self._live.sha256 is not None and self._live.hashed == self.at:
                self._live.sha256.update(data)
                self._live.hashed += len(data)
            self.at += len(data)

    def close(self) -> int:
        """Note what has come, once it is on the disk; gives how many bytes of the file that is."""
        with self._live.lock:
            if self.upload.file:
                return self.upload.received
            if self._turn == self._live.turn and self.at > self.start:
                with suppress(FileNotFoundError):  # it was cancelled
                    self.uploads.contents.seal(self.upload.key, self.at)
                    self.uploads._note(self.upload.id, self.at)
            return self.at

    def _check(self, data: bytes) -> None:
        wanted, end = self.upload.wanted, self.at + len(data)
        if self._turn != self._live.turn:
            raise ApiError(400, "Another request goes on with this upload.")
        if wanted.size is not None and end > wanted.size:
            raise ApiError(400, f"More bytes than were announced: {end} instead of {wanted.size}.")
        self.uploads._check_size(end)
        if wanted.size is None and len(data) > self.uploads._room():
            raise self.uploads._no_room()
        if self.at == 0 and data:
            try:
                self.uploads._mime(data[: kinds.HEAD], wanted)
            except ApiError:
                self.uploads.cancel(self.upload.id)
                raise


def _unknown() -> ApiError:
    return ApiError(404, "This upload is not known, or has expired. Start a new one.")
