"""A read context: everything that reading left behind, to be asked, extended, saved and reopened.

On disk it is one safetensors file whose header says which weights it belongs to and carries a checksum of every array.

Axis letters: S capacity in tokens, K key-value heads, D head size.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from pollux.base.errors import ContextError
from pollux.kernels.coded import Coded
from pollux.media.segment import Place, Text
from pollux.tokens.stream import Stream, join
from pollux.tokens.template import own

_FORMAT = 4
_LEAST = 1024


@dataclass
class Store:
    """The keys and values of one retrieval layer, in 8 bits: [K, S, D] each (a D of its own each), S growing by doubling."""

    key: Coded
    value: Coded

    @classmethod
    def empty(cls, heads: int, key: int, value: int) -> Store:
        """Room for keys of ``key`` and values of ``value`` numbers."""
        blank = lambda size: Coded(np.zeros((heads, _LEAST, size), np.int8), np.zeros((heads, _LEAST), np.float32))  # noqa: E731
        return cls(blank(key), blank(value))

    def write(self, at: int, key: Coded, value: Coded) -> None:
        """Write T tokens [T, K, D] from index ``at`` on, over what stands there."""
        stop = at + key.code.shape[0]
        if stop > self.key.code.shape[1]:
            self.key, self.value = (Coded(*(_grown(x, capacity(stop)) for x in coded)) for coded in (self.key, self.value))
        for kept, new in ((*zip(self.key, key, strict=True), *zip(self.value, value, strict=True))):
            kept[:, at:stop] = new.swapaxes(0, 1)

    def arrays(self, length: int) -> dict[str, np.ndarray]:
        """What the first ``length`` tokens left, by name."""
        named = (("key", self.key), ("value", self.value))
        return {f"{name}.{part}": x[:, :length] for name, coded in named for part, x in coded._asdict().items()}

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray], size: int) -> Store:
        """From `arrays`, with room for ``size`` tokens."""
        whole = lambda name: Coded(*(_grown(arrays[f"{name}.{part}"], size) for part in Coded._fields))  # noqa: E731
        return cls(whole("key"), whole("value"))


def capacity(length: int) -> int:
    """The array length that holds ``length`` tokens: 1,024 times a power of two, or one and a half times that from 16,384 on, so
    that few shapes are ever compiled and at most a third is spare."""
    size = _LEAST
    while size < length:
        size *= 2
    three_quarters = size // 4 * 3
    return three_quarters if size >= 32_768 and three_quarters >= length else size


def _grown(x: np.ndarray, size: int) -> np.ndarray:
    out = np.zeros((x.shape[0], size, *x.shape[2:]), x.dtype)
    out[:, : x.shape[1]] = x
    return out


@dataclass
class ReadContext:
    """What was read, and what each layer keeps of it.

    Attributes:
        weights: Fingerprint of the weights that read it.
        stores: Per layer number, the keys and values of retrieval layers.
        tails: Per array name, what the next token needs of the last tokens (`runner.Runner` lays it out).
        stream: Every token with its place. segments: the segments that places refer to.
    """

    weights: str
    stores: dict[int, Store]
    tails: dict[str, np.ndarray]
    stream: Stream = field(default_factory=lambda: own([]))
    segments: tuple[Text, ...] = ()

    def __len__(self) -> int:
        return self.stream.size

    def extend(self, stream: Stream, segments: Sequence[Text] = ()) -> None:
        """Note tokens that were read after the others; their segment numbers count from the new segments."""
        shifted = np.where(stream.segment < 0, -1, stream.segment + len(self.segments)).astype(np.int32)
        self.stream = join([self.stream, stream._replace(segment=shifted)])
        self.segments += tuple(segments)

    def place(self, first: int, last: int) -> Place | None:
        """Where tokens ``first`` to ``last`` stand; cut to the segment of ``first``. None for tokens of the template's own."""
        number = int(self.stream.segment[first])
        if number < 0:
            return None
        same = np.flatnonzero(self.stream.segment[first : last + 1] == number)
        return self.segments[number].place(int(self.stream.start[first]), int(self.stream.end[first + same[-1]]))

    def save(self, path: Path) -> None:
        """Write everything to one file, atomically.

        Raises:
            ContextError: when ``path`` is a folder or a device, or cannot be written.
        """
        check_target(path)
        about = {"format": _FORMAT, "weights": self.weights, "tokens": len(self), "segments": list(map(_describe, self.segments))}
        arrays = self._arrays()
        checks = {name: zlib.crc32(np.ascontiguousarray(x).view(np.uint8)) for name, x in arrays.items()}
        text = json.dumps(about)
        header = {"about": text, "checks": json.dumps(checks), "check": str(zlib.crc32(text.encode("utf-8", "surrogatepass")))}
        part = path.with_name(path.name + ".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            save_file(arrays, part, metadata=header)
            part.replace(path)
        except (SafetensorError, OSError) as error:
            part.unlink(missing_ok=True)
            raise ContextError(f"{path} cannot be written: {error}", "check the disk's free space and the permissions") from error

    def _arrays(self) -> dict[str, np.ndarray]:
        length = len(self)
        arrays = {f"stream.{name}": np.ascontiguousarray(x) for name, x in self.stream._asdict().items()}
        arrays |= {f"tail.{name}": np.ascontiguousarray(x) for name, x in self.tails.items()}
        for i, store in self.stores.items():
            arrays |= {f"store.{i}.{name}": np.ascontiguousarray(x) for name, x in store.arrays(length).items()}
        texts = [segment.text.encode("utf-8", "surrogatepass") for segment in self.segments]
        arrays["text"] = np.frombuffer(b"".join(texts), np.uint8)
        maps = [np.array(segment.lines, np.int64).reshape(-1, 2) for segment in self.segments if segment.lines is not None]
        arrays["lines"] = np.concatenate([np.zeros((0, 2), np.int64), *maps])
        arrays["lines.size"] = np.array([len(lines) for lines in maps], np.int64)
        arrays["text.size"] = np.array([len(text) for text in texts], np.int64)
        return arrays

    @classmethod
    def load(cls, path: Path, weights: str) -> ReadContext:
        """Reopen a saved context.

        Raises:
            ContextError: when it is missing, damaged, or belongs to other weights than ``weights``.
        """
        about, arrays = _read(path)
        if about["weights"] != weights:
            raise ContextError(
                f"{path} was read by other weights ({about['weights']}, these are {weights})",
                "open it with the model that read it (--model), or read the files again",
            )
        get = lambda prefix: {n.removeprefix(prefix): x for n, x in arrays.items() if n.startswith(prefix)}  # noqa: E731
        size = capacity(about["tokens"])
        layers = {name.split(".")[0] for name in get("store.")}
        stores = {int(i): Store.of(get(f"store.{i}."), size) for i in layers}
        stream = Stream(**get("stream."))
        return cls(weights, stores, get("tail."), stream, _segments(about["segments"], arrays))


def check_target(path: Path) -> None:
    """Refuse what no file can be put in the place of, and a file that holds anything but a saved context. Raises ContextError."""
    if not path.name or (path.exists() and not path.is_file()):
        raise ContextError(f"{path} is not a file that a context can be saved to", "name a file, such as book.pollux")
    if path.exists() and path.stat().st_size and not _is_context(path):
        raise ContextError(f"{path} holds something else, which saving would destroy", "name another file, such as book.pollux")


def _is_context(path: Path) -> bool:
    """Whether a file says that it is a saved context; it may be damaged, or of another version."""
    try:
        with safe_open(str(path), framework="numpy") as file:
            return {"about", "checks"} <= (file.metadata() or {}).keys()
    except (SafetensorError, OSError):
        return False


def _describe(segment: Text) -> dict:
    return {"path": segment.path, "page": segment.page, "start": segment.start, "mapped": segment.lines is not None}


def _segments(described: list[dict], arrays: dict[str, np.ndarray]) -> tuple[Text, ...]:
    data, at, out = arrays["text"].tobytes(), 0, []
    maps = iter(np.split(arrays["lines"], np.cumsum(arrays["lines.size"])[:-1]))
    for row, size in zip(described, arrays["text.size"], strict=True):
        text = data[at : at + int(size)].decode("utf-8", "surrogatepass")
        lines = tuple(map(tuple, next(maps).tolist())) if row["mapped"] else None
        out.append(Text(row["path"], text, page=row["page"], start=row["start"], lines=lines))
        at += int(size)
    return tuple(out)


def _read(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """The header and the arrays, every checksum held against its array."""
    try:
        with safe_open(str(path), framework="numpy") as file:
            header = file.metadata() or {}
            text, checks = header["about"], json.loads(header["checks"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = json.loads(text)
        if about["format"] != _FORMAT:
            raise ContextError(f"{path} was saved by another version of Pollux", "read the files again and save anew")
        bad = [n for n, x in arrays.items() if checks[n] != zlib.crc32(np.ascontiguousarray(x).view(np.uint8))]
        sound = not bad and header["check"] == str(zlib.crc32(text.encode("utf-8", "surrogatepass")))
        sound &= set(checks) == set(arrays)
    except FileNotFoundError as error:
        raise ContextError(f"there is no saved context at {path}", "save one with: pollux ask FILES… --save FILE") from error
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ContextError(f"{path} is not a sound saved context: {error}", "read the files again and save anew") from error
    if not sound:
        raise ContextError(f"{path} is damaged: its checksum does not match", "read the files again and save anew")
    return about, arrays
