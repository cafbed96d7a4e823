"""Bytes of files on disk, each under a random name of its own: what they are is for the database to say.

A file that the database does not know is one whose making was cut short; it is deleted at the next start.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Collection
from contextlib import contextmanager, suppress
from pathlib import Path

from pollux.base.errors import BusyError

_BLOCK = 1 << 20


class Contents:
    """A folder of them. Used from any thread; the file of one key by one of them at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def create(self) -> str:
        """The key of a new and empty file."""
        key = secrets.token_hex(16)
        with _disk():
            os.close(os.open(self.path(key), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            flush(self.folder)
        return key

    def path(self, key: str) -> Path:
        return self.folder / key

    def write(self, key: str, offset: int, data: bytes) -> None:
        """Write bytes from an offset on. Raises BusyError when the disk is full."""
        with _disk(), _opened(self.path(key), os.O_WRONLY) as file:
            while data:
                written = os.pwrite(file, data, offset)
                data, offset = data[written:], offset + written

    def seal(self, key: str, size: int) -> None:
        """Have so many bytes, and no more, on the disk."""
        with _disk(), _opened(self.path(key), os.O_WRONLY) as file:
            os.ftruncate(file, size)
            os.fsync(file)

    def head(self, key: str, count: int) -> bytes:
        with open(self.path(key), "rb") as file:
            return file.read(count)

    def remove(self, key: str) -> None:
        self.path(key).unlink(missing_ok=True)

    def clean(self, known: Collection[str]) -> None:
        """Delete the files of all other keys."""
        for path in self.folder.iterdir():
            if path.name not in known:
                path.unlink(missing_ok=True)

    def free(self) -> int:
        """Bytes of the disk that are left."""
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def flush(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk."""
    with _opened(path, os.O_RDONLY) as file, suppress(OSError):  # some disks know no flush of folders
        os.fsync(file)


@contextmanager
def _opened(path: Path, flags: int):
    file = os.open(path, flags)
    try:
        yield file
    finally:
        os.close(file)


@contextmanager
def _disk():
    """A full disk, told as such."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        told = "the disk that the server keeps its files on is full"
        raise BusyError(told, "delete files, then try again", seconds=60.0) from error
