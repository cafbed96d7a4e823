"""All that the server keeps between two starts: a folder with a database, bytes of files, and contexts.

    pollux-data/
      library.sqlite   rows
      contents/        bytes of files and uploads
      contexts/        what cached contents hold
      lock             held by the server that uses the folder
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pollux.base.errors import ConfigError
from pollux.engine.many.service import Service
from pollux.serve.storage.auth_tokens import AuthTokens
from pollux.serve.storage.batches import Batches
from pollux.serve.storage.caches import Caches
from pollux.serve.storage.contents import Contents
from pollux.serve.storage.database import Database
from pollux.serve.storage.files import Files
from pollux.serve.storage.interactions import Interactions
from pollux.serve.storage.uploads import Uploads


@dataclass(frozen=True)
class Allowance:
    """How much is kept, and for how long.

    Attributes:
        file_seconds: After which a file is deleted. file_bytes: The largest file. total_bytes: All files together.
        cache_tokens: The least that may be cached.
    """

    file_seconds: float = 48 * 3600.0
    file_bytes: int = 2 << 30
    total_bytes: int = 20 << 30
    cache_tokens: int = 0


class Library:
    """Attributes: ``database``: for others' tables too. ``files``, ``uploads``, ``caches``, ``batches``, ``interactions``,
    ``auth_tokens``: what is kept."""

    def __init__(self, folder: Path, allowance: Allowance, lock: object) -> None:
        self._lock, self._sweeping = lock, threading.Lock()
        self.folder, self.allowance = folder, allowance
        self.database = Database(folder / "library.sqlite")
        contents = Contents(folder / "contents")
        self.files = Files(self.database, contents, allowance.file_seconds, allowance.total_bytes)
        self.uploads = Uploads(self.database, contents, self.files, allowance.file_bytes)
        self.caches = Caches(self.database, folder / "contexts", allowance.cache_tokens)
        self.batches = Batches(self.database, contents, self.files)
        self.interactions, self.auth_tokens = Interactions(self.database), AuthTokens(self.database)
        keys = "SELECT key FROM files UNION SELECT key FROM uploads WHERE file = ''"
        contents.clean({row["key"] for row in self.database.rows(keys)})

    @classmethod
    def open(cls, folder: Path, allowance: Allowance = Allowance()) -> Library:
        """The library of a folder, an empty one where there is none.

        Raises:
            ConfigError: when another server uses it, or it cannot be read or written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = open(folder / "lock", "a+b")  # noqa: SIM115 (held as long as the library is open)
        except OSError as error:
            raise ConfigError(f"{folder} cannot be used: {error.strerror}", "name another folder with --data") from error
        try:
            _hold(lock, folder)
            return cls(folder, allowance, lock)
        except BaseException:
            lock.close()
            raise

    def serve(self, services: Mapping[str, Service]) -> None:
        """Say which models there are: they read what is to be cached, and what was cached before."""
        self.caches.services = services

    def sweep(self) -> None:
        """Delete what has expired, and what belongs to nothing."""
        with self._sweeping:
            now = time.time()
            self.uploads.sweep(now)
            self.files.sweep(now)
            self.caches.sweep(now)
            self.batches.settle()

    def close(self) -> None:
        self.database.close()
        self._lock.close()


def _hold(lock: object, folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConfigError(f"another server uses {folder}", "stop it, or name another folder with --data") from error
    except OSError:  # some network disks know no locks
        return
