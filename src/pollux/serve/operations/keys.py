"""Who may ask: keys, kept as hashes only, in a file of the operator's or in the database.

    check(connection) ─ the key in it ─digest→ the name that it was given
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from pollux.base.errors import ConfigError
from pollux.serve.errors import ApiError

if TYPE_CHECKING:
    from pollux.serve.storage.database import Database

_TABLE = "CREATE TABLE keys (digest TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created REAL NOT NULL)"
_SERVICE = {"service": "generativelanguage.googleapis.com"}
_INFO = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "domain": "googleapis.com", "metadata": _SERVICE}
_NAME = re.compile(r"[\w.@-]{1,64}")
_LEAST = 16


def digest(key: str) -> str:
    """What is kept of a key. Keys are drawn at random, so that a plain hash cannot be searched."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def given(connection: HTTPConnection) -> str:
    """The key that came with a request: in a header or in the address, "" where there is none."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return connection.headers.get("x-goog-api-key") or connection.query_params.get("key") or bearer


def read(path: Path) -> dict[str, str]:
    """Names by digests of a file of keys: a line is a key, or a name and a key; # begins a remark.

    Raises:
        ConfigError: a line is neither, or a key is so short that it can be guessed.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the keys in {path} cannot be read: {error}", "give a text file with a key on each line") from error
    names: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) > 2 or len(words[-1]) < _LEAST:
            hint = f"write NAME KEY, the key of {_LEAST} characters or more, drawn at random (openssl rand -hex 24)"
            raise ConfigError(f"{path} line {number} holds no key", hint)
        names[digest(words[-1])] = words[0] if len(words) == 2 else f"key {number}"
    if not names:
        raise ConfigError(f"{path} holds no key", "write one on a line, such as what openssl rand -hex 24 gives")
    return names


class Keys:
    """Attributes: ``needed``: whether a key is asked for. ``names``: of a file's keys, by digest; the database's are looked up."""

    def __init__(self, needed: bool, names: dict[str, str] | None = None, database: Database | None = None) -> None:
        self.needed, self.names, self.database = needed, names or {}, database
        if database is not None:
            database.table("keys", _TABLE)

    def client(self, connection: HTTPConnection) -> str:
        """Who asks: the key's name; without keys the address.

        Raises:
            ApiError: 403 without a key, 400 with a wrong one (contract §2).
        """
        if not self.needed:
            return connection.client.host if connection.client else "local"
        key = given(connection)
        if not key:
            told = "Method doesn't allow unregistered callers (callers without established identity). "
            raise ApiError(403, told + "Please use API Key or other form of API consumer identity to call this API.")
        if name := self._name(digest(key)):
            return name
        details = ({**_INFO, "reason": "API_KEY_INVALID"},)
        raise ApiError(400, "API key not valid. Please pass a valid API key.", details=details)

    def draw(self, name: str) -> str:
        """A new key; only its hash is kept. Raises ConfigError where the name is taken, or is none."""
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{name!r} is no name for a key", "use letters, digits and . _ @ -, at most 64")
        if self.database.row("SELECT 1 FROM keys WHERE name = ?", (name,)):
            raise ConfigError(f"there is a key {name} already", "delete it first with --delete-key, or use another name")
        key = "pollux-" + secrets.token_urlsafe(32)
        self.database.execute("INSERT INTO keys VALUES (?, ?, ?)", (digest(key), name, time.time()))
        return key

    def delete(self, name: str) -> None:
        """A running server no longer takes it either. Raises ConfigError where there is none."""
        if not self.database.execute("DELETE FROM keys WHERE name = ?", (name,)):
            raise ConfigError(f"there is no key {name}", f"there are: {', '.join(self.drawn()) or 'none'}")

    def drawn(self) -> list[str]:
        """The names of the database's keys."""
        return [row["name"] for row in self.database.rows("SELECT name FROM keys ORDER BY name")]

    def _name(self, found: str) -> str:
        if found in self.names or self.database is None:
            return self.names.get(found, "")
        row = self.database.row("SELECT name FROM keys WHERE digest = ?", (found,))
        return row["name"] if row else ""
