"""Arrays on disk with checksums: one safetensors file, filled through the memory that it is mapped to, and used so as well.

    Part(path, about, specs) ─fill its arrays─> seal() ─> path          load(path) ─> about, arrays

A file that is being filled stands beside its place with ``.part`` behind its name. It outlives the process: who comes again with
the same ``about`` finds the arrays as they were left.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ml_dtypes  # noqa: F401  (numpy knows bfloat16 by it)
import numpy as np
from safetensors import SafetensorError, safe_open

from pollux.base.errors import ContextError
from pollux.engine.store import Specs, claim, nbytes

_PAGE = 4096
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
        self._part, self._notes = (path.with_name(path.name + end) for end in (".part", ".part.note"))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open()
        except OSError as error:
            raise ContextError(f"{path} cannot be written: {error}", "check the folder and its permissions") from error

    def _open(self) -> None:
        header = _header(self._specs, self._about, dict.fromkeys(self._specs, 0))
        size = len(header) + sum(map(nbytes, self._specs.values()))
        self._file = open(self._part, "r+b" if self._part.exists() else "w+b")  # noqa: SIM115  (it is the lock)
        _lock(self._file.fileno(), self._path)
        same = self._file.read(len(header)) == header and os.fstat(self._file.fileno()).st_size == size
        self.note = self._noted() if same else None
        if self.note is None:
            self._notes.unlink(missing_ok=True)
            self._file.truncate(0)
            self._claim(size)
            self._file.seek(0)
            self._file.write(header)
            self._file.flush()
        self.arrays = _mapped(self._part, self._specs, len(header), "r+")

    def _claim(self, size: int) -> None:
        try:
            claim(self._file.fileno(), size, self._path.parent)
        except ContextError:
            self.discard()
            raise

    def write_note(self, number: int, arrays: dict[str, np.ndarray]) -> None:
        """Note how far the arrays are filled, and what is needed to go on, in place of the last note: whole or not at all."""
        whole = {name: np.ascontiguousarray(x) for name, x in arrays.items()}
        specs = {name: (x.dtype, x.shape) for name, x in whole.items()}
        fresh = self._notes.with_name(self._notes.name + "~")
        with open(fresh, "wb") as file:
            file.write(_header(specs, json.dumps({"of": self._about, "number": number}), _checks(whole)))
            file.writelines(x.reshape(-1).view(np.uint8) for x in whole.values())
        fresh.replace(self._notes)

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
            self._file.seek(0)
            self._file.write(header)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._part.replace(self._path)
        except OSError as error:
            raise ContextError(f"{self._path} cannot be written: {error}", "check the folder and its permissions") from error
        self._notes.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Leave the file to whoever comes next; its arrays must not be written to any more."""
        self._file.close()

    def discard(self) -> None:
        """Close it and delete it."""
        self.close()
        for path in (self._part, self._notes):
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
    return _mapped(path, {name: (_TYPES[row["dtype"]], tuple(row["shape"])) for name, row in ordered}, 8 + size, "c")


def _mapped(path: Path, specs: Specs, at: int, mode: str) -> dict[str, np.ndarray]:
    arrays = {}
    for name, (dtype, shape) in specs.items():
        size = nbytes((dtype, shape))
        arrays[name] = np.memmap(path, dtype, mode, at, shape).view(np.ndarray) if size else np.zeros(shape, dtype)
        at += size
    return arrays


def _lock(file: int, path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ContextError(f"another process is saving to {path}", "wait for it, or name another file") from error
