"""Files that clients uploaded, or that batches made: rows of the database, and bytes beside it.

    find("files/…") ──> StoredFile ─read→ bytes, checked against what was stored
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from pollux.serve.errors import ApiError
from pollux.serve.storage.contents import Contents, digest
from pollux.serve.storage.database import Database, Row
from pollux.serve.storage.names import fresh

_TABLE = """
CREATE TABLE files (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, key TEXT NOT NULL UNIQUE, display TEXT NOT NULL,
    mime TEXT NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL, created REAL NOT NULL, expires REAL NOT NULL,
    source TEXT NOT NULL, state TEXT NOT NULL, error TEXT NOT NULL
)
"""
_INSERT = """
INSERT INTO files (name, key, display, mime, size, sha256, created, expires, source, state, error)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'ACTIVE', '')
"""
_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_DAMAGED = "it is damaged on the server's disk: its checksum does not match. Delete it and upload it again"


@dataclass(frozen=True)
class StoredFile:
    """A file.

    Attributes:
        name: ``files/…``. path: Where its bytes are. display_name: What its owner calls it, "" for nothing.
        sha256: Of its bytes, hexadecimal. created, expires: Seconds since 1970.
        source: "UPLOADED" or "GENERATED". state: "ACTIVE", or "FAILED", then ``error`` says why.
    """

    name: str
    path: Path
    display_name: str
    mime: str
    size: int
    sha256: str
    created: float
    expires: float
    source: str
    state: str
    error: str

    def read(self) -> bytes:
        """All of its bytes.

        Raises:
            ApiError: 400 where it is damaged, or failed before; 403 where it was deleted just now.
        """
        self.check_state()
        try:
            data = self.path.read_bytes()
        except FileNotFoundError as error:
            raise missing(self.name) from error
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise ApiError(400, f"The File {self.name} cannot be used: {_DAMAGED}.")
        return data

    def check_state(self) -> None:
        """Raises ApiError 400 where it cannot be used."""
        if self.state != "ACTIVE":
            why = f" ({self.error})" if self.error else ""
            raise ApiError(400, f"The File {self.name} is not in an ACTIVE state and usage is not allowed{why}.")


class Files:
    """Attributes: ``seconds``: how long a file is kept. ``most``: bytes of all files together."""

    def __init__(self, database: Database, contents: Contents, seconds: float, most: int) -> None:
        self.database, self.contents, self.seconds, self.most = database, contents, seconds, most
        database.table("files", _TABLE)

    def find(self, name: str) -> StoredFile:
        """The file of a name, ``files/…`` or without.

        Raises:
            ApiError: 403 where there is none, or no more (contract §2).
        """
        full = "files/" + name.removeprefix("files/")
        row = self.database.row("SELECT * FROM files WHERE name = ? AND expires > ?", (full, time.time()))
        if row is None:
            raise missing(full)
        return self._stored(row)

    def check(self, name: str) -> None:
        """Read a file through, a block at a time, before it is served. A damaged one is marked as such.

        Raises:
            ApiError: 400 where it is damaged, or failed before.
        """
        file = self.find(name)
        file.check_state()
        try:
            sound = digest(file.path) == file.sha256
        except FileNotFoundError:
            sound = False
        if not sound:
            self.database.execute("UPDATE files SET state = 'FAILED', error = ? WHERE name = ?", (_DAMAGED, file.name))
            raise ApiError(400, f"The File {file.name} cannot be used: {_DAMAGED}.")

    def list(self, size: int, token: str) -> tuple[list[StoredFile], str]:
        """A page of files, newest first, and the token of the next page."""
        rows, following = self.database.page("files", size, token, "expires > ?", (time.time(),))
        return [self._stored(row) for row in rows], following

    def delete(self, name: str) -> None:
        """Raises ApiError 403 where there is no such file."""
        file = self.find(name)
        self.database.execute("DELETE FROM files WHERE name = ?", (file.name,))
        file.path.unlink(missing_ok=True)

    def sweep(self, now: float) -> None:
        """Delete what has expired."""
        gone = self.database.rows("SELECT key FROM files WHERE expires <= ?", (now,))
        self.database.execute("DELETE FROM files WHERE expires <= ?", (now,))
        for row in gone:
            self.contents.remove(row["key"])

    def taken(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return self.database.row("SELECT 1 FROM files WHERE name = ? AND expires > ?", (name, time.time())) is not None

    def room(self) -> int:
        """Bytes that may still be stored."""
        used = self.database.row("SELECT coalesce(sum(size), 0) FROM files")
        return max(0, min(self.most - used[0], self.contents.free()))

    def insert(
        self, connection: sqlite3.Connection, name: str, key: str, display: str, mime: str, size: int, sha256: str,
        source: str = "UPLOADED",
    ) -> str:  # fmt: skip
        """Within a write: the row of a file whose bytes are sealed; gives its name, a new one where ``name`` is "".

        Raises:
            ApiError: 409 where the name is taken.
        """
        now = time.time()
        name = name or f"files/{fresh()}"
        try:
            connection.execute(_INSERT, (name, key, display, mime, size, sha256, now, now + self.seconds, source))
        except sqlite3.IntegrityError as error:
            raise taken(name) from error
        return name

    def _stored(self, row: Row) -> StoredFile:
        values = {name: row[name] for name in ("name", "mime", "size", "sha256", "created", "expires", "source", "state", "error")}
        return StoredFile(path=self.contents.path(row["key"]), display_name=row["display"], **values)


def check_name(name: str) -> str:
    """The full name that a client wants for a file, "" for none of its own. Raises ApiError 400."""
    if not name:
        return ""
    if not _ID.fullmatch(name.removeprefix("files/")):
        told = "File ID can contain only lowercase alphanumeric characters or dashes (-), at most 40 of them"
        told += f", and must not begin or end with a dash; got {name[:100]}."
        raise ApiError(400, f"* CreateFileRequest.file.name: {told}")
    return "files/" + name.removeprefix("files/")


def missing(name: str) -> ApiError:
    """What is told of a file that is not there, or belongs to somebody else."""
    shown = name.removeprefix("files/")[:100]
    return ApiError(403, f"You do not have permission to access the File {shown} or it may not exist.")


def taken(name: str) -> ApiError:
    return ApiError(409, f"The File {name} exists already. Delete it first, or choose another name.")
