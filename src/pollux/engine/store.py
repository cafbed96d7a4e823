"""Keys and values of what was read: arrays mapped into memory, or, where that is short or they are to be kept, of a file on disk.

They are mapped and not allocated: they begin at a page, so that a device which shares the machine's memory uses them as they are;
they take no memory until they are written; and the system reads a file's pages in, and drops them, as they are needed.

Axis letters: T new tokens, S capacity in tokens, K key-value heads, D head size, W words of signs.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from pollux.base.config import cache_folder
from pollux.base.errors import ContextError
from pollux.kernels.coded import Coded
from pollux.kernels.signs import words

_LEAST = 1024
# One store may take this share of the memory that is free; a model has a few, and each is needed twice where one must grow.
_SHARE = 0.25

# Arrays by name: type and shape of each.
Specs = dict[str, tuple[np.dtype, tuple[int, ...]]]


def capacity(length: int) -> int:
    """The array length that holds ``length`` tokens: 1,024 times a power of two, or one and a half times that from 16,384 on, so
    that few shapes are ever compiled and at most a third is spare."""
    size = _LEAST
    while size < length:
        size *= 2
    three_quarters = size // 4 * 3
    return three_quarters if size >= 32_768 and three_quarters >= length else size


@dataclass
class Store:
    """The keys and values of one retrieval layer, in 8 bits: [K, S, D] each (a D of its own each), and the keys' signs, uint32
    [K * W, S] (`kernels.signs`)."""

    key: Coded
    value: Coded
    signs: np.ndarray

    @staticmethod
    def specs(heads: int, key: int, value: int, size: int) -> Specs:
        """The arrays for ``size`` tokens with keys of ``key`` and values of ``value`` numbers. Each is a multiple of 64 bytes."""
        code, scale = np.dtype(np.int8), np.dtype(np.float32)
        each = lambda name, width: {f"{name}.code": (code, (heads, size, width)), f"{name}.scale": (scale, (heads, size))}  # noqa: E731
        return each("key", key) | each("value", value) | {"signs": (np.dtype(np.uint32), (heads * words(key), size))}

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray]) -> Store:
        """From arrays named as in `specs`."""
        whole = lambda name: Coded(*(arrays[f"{name}.{part}"] for part in Coded._fields))  # noqa: E731
        return cls(whole("key"), whole("value"), arrays["signs"])

    @classmethod
    def empty(cls, heads: int, key: int, value: int, size: int = _LEAST) -> Store:
        return cls.of(mapped(cls.specs(heads, key, value, size)))

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays, named as in `specs`."""
        named = (("key", self.key), ("value", self.value))
        return {f"{name}.{part}": x for name, coded in named for part, x in coded._asdict().items()} | {"signs": self.signs}

    @property
    def size(self) -> int:
        return self.key.code.shape[1]

    def specs_for(self, length: int) -> Specs:
        """The arrays of a store like this one with room for ``length`` tokens."""
        (heads, size, key), value = self.key.code.shape, self.value.code.shape[2]
        return self.specs(heads, key, value, max(size, capacity(length)))

    def reserve(self, length: int) -> None:
        """Make room for ``length`` tokens."""
        if length <= self.size:
            return
        grown = mapped(self.specs_for(length))
        for name, x in self.arrays.items():
            grown[name][:, : self.size] = x
        whole = Store.of(grown)
        self.key, self.value, self.signs = whole.key, whole.value, whole.signs

    def write(self, at: int, key: Coded, value: Coded, signs: np.ndarray) -> None:
        """Write T tokens [T, K, D], and their keys' signs [T, K * W], from index ``at`` on, over what stands there."""
        stop = at + key.code.shape[0]
        self.reserve(stop)
        for kept, new in zip((*self.key, *self.value, self.signs), (*key, *value, signs), strict=True):
            kept[:, at:stop] = new.swapaxes(0, 1)


def mapped(specs: Specs) -> dict[str, np.ndarray]:
    """Arrays of zeros: in memory, or, where they would take more than `_SHARE` of what is free, in a file that nobody else sees
    and that goes when they go.

    Raises:
        ContextError: when the disk has no room for that file.
    """
    total = sum(nbytes(spec) for spec in specs.values())
    if total <= _SHARE * free_memory():
        return _cut(mmap.mmap(-1, total), specs)
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        claim(file.fileno(), total, folder)
        return _cut(mmap.mmap(file.fileno(), total), specs)


def _cut(space: mmap.mmap, specs: Specs) -> dict[str, np.ndarray]:
    """The space's bytes as arrays, one after another."""
    arrays, at = {}, 0
    for name, (dtype, shape) in specs.items():
        arrays[name] = np.frombuffer(space, dtype, prod(shape), at).reshape(shape)
        at += nbytes((dtype, shape))
    return arrays


def nbytes(spec: tuple[np.dtype, tuple[int, ...]]) -> int:
    """The bytes that an array takes."""
    dtype, shape = spec
    return dtype.itemsize * prod(shape)


def claim(file: int, size: int, folder: Path) -> None:
    """Make an open file ``size`` bytes long, on disk and not only in name: a full disk is found now, and not while its pages are
    written, which would kill the process.

    Raises:
        ContextError: when there is no room in ``folder``.
    """
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file, 0, size)
        os.truncate(file, size)
    except OSError as error:
        message = f"{folder} has no room for the {size / 2**30:,.1f} GiB that the context needs: {error.strerror or error}"
        raise ContextError(message, "make room, or set POLLUX_CACHE to a folder on another disk") from error


def free_memory() -> int:
    """Bytes that can be had without swapping; the machine's pages where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2 if hasattr(os, "sysconf") else 4 << 30
