"""Arrays on disk with checksums: one safetensors file, filled through the memory that it is mapped to, and used so as well.

    Part(path, about, specs) ─fill its arrays─> seal() ─> path          load(path) ─> about, arrays

A file that is being filled stands beside its place with ``.part`` behind its name. It outlives the process: who comes again with
the same ``about`` finds the arrays as they were left.
"""

from __future__ import annotations

import json
import logging
import mmap
import os
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import ml_dtypes  # noqa: F401  (numpy knows bfloat16 by it)
import numpy as np
from safetensors import SafetensorError, safe_open

from pollux.base.errors import ContextError
from pollux.engine.contexts.store import Specs, claim, cut, nbytes

log = logging.getLogger("pollux")

_PAGE = 4096
# Linux's number for it, which Python 3.11 has no name for.
_NO_RESERVE = 0x4000 if sys.platform == "linux" else 0
# What safetensors calls the types that numpy calls so.
_NAMES = {"int8": "I8", "uint8": "U8", "int32": "I32", "uint32": "U32", "int64": "I64", "float32": "F32", "bfloat16": "BF16"}
_TYPES = {theirs: np.dtype(ours) for ours, theirs in _NAMES.items()}
_AGAIN = "read the files again and save anew"


def check_target(path: Path) -> None:
    """Refuse what no file can be put in the place of, and a file that holds anything but a saved context. Raises ContextError."""
    if not path.name or (path.exists() and not path.is_file()):
        raise ContextError(f"{path} is not a file that a context can be saved to", "name a file, such as book.pollux")
    if path.exists() and path.stat().st_size and not _is_context(path):
        raise ContextError(f"{path} holds something else, which saving would destroy", "name another file, such as book.pollux")


class Part:
    """A file that is being filled, by one process at a time.

    Attributes:
        arrays: Its arrays, to be written to. Zeros at first, or what an earlier process left.
        note: The number that process noted last, and the arrays that it gave with it; None where there was no such process.
    """

    def __init__(self, path: Path, about: dict, specs: Specs) -> None:
        """Raises ContextError when ``path`` is no place for a file, the disk has no room, or another process fills the same."""
        check_target(path)
        self._path, self._specs, self._about = path, specs, json.dumps(about)
        self._part, self._notes, self._fresh = (path.with_name(path.name + end) for end in (".part", ".part.note", ".part.note~"))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _only_one(self._part, path)
            self._open()
        except OSError as error:
            raise ContextError(f"{path} cannot be written: {error}", "check the folder and its permissions") from error

    def _open(self) -> None:
        header = _header(self._specs, self._about, dict.fromkeys(self._specs, 0))
        size = len(header) + sum(map(nbytes, self._specs.values()))
        before = _described(self._file.read(len(header)))
        length = os.fstat(self._file.fileno()).st_size
        if length and before is None:
            self.close()
            raise ContextError(f"{self._part} is in the way: no reading left it", "move it away, or save to another name")
        self.note = self._noted() if length == size and before == _described(header) else None
        if self.note is None:
            self._begin(header, size)
        self.arrays = _mapped(self._part, self._specs, len(header), shared=True)

    def _begin(self, header: bytes, size: int) -> None:
        self._notes.unlink(missing_ok=True)
        self._file.truncate(0)
        self._file.seek(0)
        self._file.write(header)
        self._file.flush()
        try:
            claim(self._file.fileno(), size, self._path.parent)
        except ContextError:
            self.discard()
            raise

    def write_note(self, number: int, arrays: dict[str, np.ndarray]) -> None:
        """Note how far the arrays are filled, and what is needed to go on, in place of the last note: whole or not at all, and
        not before what it speaks of is on the disk. Where it cannot be written the last one stays."""
        whole = {name: np.ascontiguousarray(x) for name, x in arrays.items()}
        specs = {name: (x.dtype, x.shape) for name, x in whole.items()}
        try:
            os.fsync(self._file.fileno())
            with open(self._fresh, "wb") as file:
                file.write(_header(specs, json.dumps({"of": self._about, "number": number}), _checks(whole)))
                file.writelines(x.reshape(-1).view(np.uint8) for x in whole.values())
                file.flush()
                os.fsync(file.fileno())
            self._fresh.replace(self._notes)
        except OSError as error:
            log.warning("how far the reading has come cannot be noted: %s", error)

    def _noted(self) -> tuple[int, dict[str, np.ndarray]] | None:
        """The last note and its arrays, if it is sound and belongs to what is to be filled now."""
        try:
            about, arrays = load(self._notes, lambda about: None)
        except ContextError:
            return None
        return (about["number"], arrays) if about.get("of") == self._about else None

    def seal(self) -> None:
        """Write the checksums and put the file in its place.

        Raises:
            ContextError: when the file cannot be written.
        """
        header = _header(self._specs, self._about, _checks(self.arrays))
        try:
            os.fsync(self._file.fileno())
            self._file.seek(0)
            self._file.write(header)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._part.replace(self._path)
        except OSError as error:
            raise ContextError(f"{self._path} cannot be written: {error}", "check the folder and its permissions") from error
        self._forget()
        self.close()

    def close(self) -> None:
        """Leave the file to whoever comes next; its arrays must not be written to any more."""
        self._file.close()

    def discard(self) -> None:
        """Delete it and close it, in this order: nobody else can have it before it is gone."""
        self._part.unlink(missing_ok=True)
        self._forget()
        self.close()

    def _forget(self) -> None:
        for path in (self._notes, self._fresh):
            path.unlink(missing_ok=True)


def load(path: Path, wanted: Callable[[dict], None]) -> tuple[dict, dict[str, np.ndarray]]:
    """What a file is about, and its arrays: mapped, read as they are used, and shared by all processes that use it. Changes to
    them stay in this process.

    Args:
        wanted: Called with what the file is about before its arrays are looked at; raises ContextError where it is of no use.

    Raises:
        ContextError: when the file is missing, or not as it was written.
    """
    try:
        with safe_open(str(path), framework="numpy") as file:
            header = file.metadata() or {}
            text, checks = header["about"], {name: int(check) for name, check in json.loads(header["checks"]).items()}
        if header["check"] != _check_text(text):
            raise ContextError(f"{path} is damaged: its checksum does not match", _AGAIN)
        about = json.loads(text)
        wanted(about)
        arrays = _arrays_of(path)
        sound = _checks(arrays) == checks
    except FileNotFoundError as error:
        raise ContextError(f"there is no saved context at {path}", "save one with: pollux ask FILES… --save FILE") from error
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise ContextError(f"{path} is not a sound saved context: {error}", _AGAIN) from error
    if not sound:
        raise ContextError(f"{path} is damaged: its checksum does not match", _AGAIN)
    return about, arrays


def _is_context(path: Path) -> bool:
    """Whether a file says that it is a saved context; it may be damaged, or of another version."""
    try:
        with safe_open(str(path), framework="numpy") as file:
            return {"about", "checks"} <= (file.metadata() or {}).keys()
    except (SafetensorError, OSError):
        return False


def _header(specs: Specs, about: str, checks: dict[str, int]) -> bytes:
    """The first bytes of a safetensors file, up to a whole page; as many for any checksums."""
    fixed = {name: f"{check:010}" for name, check in checks.items()}
    rows: dict = {"__metadata__": {"about": about, "check": _check_text(about), "checks": json.dumps(fixed)}}
    at = 0
    for name, (dtype, shape) in specs.items():
        stop = at + nbytes((dtype, shape))
        rows[name] = {"dtype": _NAMES[dtype.name], "shape": shape, "data_offsets": (at, stop)}
        at = stop
    text = json.dumps(rows).encode()
    text += b" " * (-(8 + len(text)) % _PAGE)
    return len(text).to_bytes(8, "little") + text


def _check_text(text: str) -> str:
    return str(zlib.crc32(text.encode("utf-8", "surrogatepass")))


def _checks(arrays: dict[str, np.ndarray]) -> dict[str, int]:
    """A checksum for each array; several at a time, for zlib lets other threads run."""
    one = lambda x: zlib.crc32(np.ascontiguousarray(x).reshape(-1).view(np.uint8))  # noqa: E731
    with ThreadPoolExecutor(min(len(arrays), os.cpu_count() or 1) or 1) as pool:
        return dict(zip(arrays, pool.map(one, arrays.values()), strict=True))


def _arrays_of(path: Path) -> dict[str, np.ndarray]:
    """A sound safetensors file's arrays, mapped: a copy is made of what is changed."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        rows = json.loads(file.read(size))
    rows.pop("__metadata__")
    ordered = sorted(rows.items(), key=lambda row: row[1]["data_offsets"])
    return _mapped(path, {name: (_TYPES[row["dtype"]], tuple(row["shape"])) for name, row in ordered}, 8 + size, shared=False)


def _mapped(path: Path, specs: Specs, at: int, *, shared: bool) -> dict[str, np.ndarray]:
    """The arrays of a file from byte ``at`` on. Changes go to the file where it is ``shared``, else they stay in this process."""
    with open(path, "r+b" if shared else "rb") as file:
        if hasattr(mmap, "MAP_SHARED"):
            # without a reserve: it would be as large as the file, of which next to nothing will be changed
            flags = mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE | getattr(mmap, "MAP_NORESERVE", _NO_RESERVE)
            space = mmap.mmap(file.fileno(), 0, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE)
        else:
            space = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_WRITE if shared else mmap.ACCESS_COPY)
    return cut(space, specs, at)


def _described(header: bytes) -> dict | None:
    """What a header says, but for its checksums, which come last; None where it is none of ours."""
    try:
        rows = json.loads(header[8:])
        del rows["__metadata__"]["checks"]
    except (ValueError, KeyError, TypeError):
        return None
    return rows


def _only_one(part: Path, path: Path) -> BinaryIO:
    """Open a file, there or not, for this process alone."""
    while True:
        number = os.open(part, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            _lock(number, path)
            # whoever had it until now may have put it in its place, or deleted it
            if part.exists() and os.fstat(number).st_ino == part.stat().st_ino:
                return os.fdopen(number, "r+b")
        except BaseException:
            os.close(number)
            raise
        os.close(number)


def _lock(file: int, path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ContextError(f"another process is saving to {path}", "wait for it, or name another file") from error
    except OSError:  # some network disks know no locks
        log.info("%s cannot be locked", path)
