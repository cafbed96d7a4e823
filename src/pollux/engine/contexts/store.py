"""Keys and values of what was read: arrays mapped into memory, or, where that is short or they are to be kept, of a file on disk.

They are mapped and not allocated: they begin at a page, so that a device which shares the machine's memory uses them as they are;
they take no memory until they are written; and the system reads a file's pages in, and drops them, as they are needed.

Axis letters: T new tokens, S capacity in tokens, K key-value heads, D head size, W words of signs.
"""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from pollux.base.config import cache_folder
from pollux.base.errors import ContextError
from pollux.kernels.coded import Coded, layout
from pollux.kernels.signs import words

_LEAST = 1024
# A context's stores may take this share of the memory that is free; the other half is there for when they must grow.
_SHARE = 0.5

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
    """The keys and values of one retrieval layer in few bits, [K, S, D] each (a D of its own each), and the keys' signs, uint32
    [K * W, S] (`kernels.signs`)."""

    key: Coded
    value: Coded
    signs: np.ndarray

    @staticmethod
    def specs(heads: int, key: int, value: int, bits: int, size: int) -> Specs:
        """The arrays for ``size`` tokens, with keys of ``key`` and values of ``value`` numbers of so many bits. Each takes a
        multiple of 64 bytes."""
        specs = {"signs": (np.dtype(np.uint32), (heads * words(key), size))}
        for name, width in (("key", key), ("value", value)):
            code, length = layout(width, bits)
            specs |= {f"{name}.code": (code, (heads, size, length)), f"{name}.scale": (np.dtype(np.float32), (heads, size))}
        return specs

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray]) -> Store:
        """From arrays named as in `specs`."""
        whole = lambda name: Coded(*(arrays[f"{name}.{part}"] for part in Coded._fields))  # noqa: E731
        return cls(whole("key"), whole("value"), arrays["signs"])

    @classmethod
    def empty(cls, heads: int, key: int, value: int, bits: int, size: int = _LEAST) -> Store:
        return cls.of(mapped(cls.specs(heads, key, value, bits, size)))

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
        bits, heads = self.key.bits, self.key.code.shape[0]
        key, value = (coded.code.shape[2] * 8 // bits for coded in (self.key, self.value))
        return self.specs(heads, key, value, bits, max(self.size, capacity(length)))

    def reserve(self, length: int, stores: int = 1) -> None:
        """Make room for ``length`` tokens. ``stores``: how many like this one are to have it."""
        if length <= self.size:
            return
        grown = mapped(self.specs_for(length), stores)
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


def mapped(specs: Specs, times: int = 1) -> dict[str, np.ndarray]:
    """Arrays of zeros: in memory, or, where they would take more than `_SHARE` of what is free, in a file that nobody else sees
    and that goes when they go.

    Args:
        times: How many times as much is about to be mapped in all: memory counts as free until it is written to.

    Raises:
        ContextError: when the disk has no room for that file.
    """
    total = sum(nbytes(spec) for spec in specs.values())
    if total * times <= _SHARE * free_memory():
        return cut(mmap.mmap(-1, total), specs)
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        claim(file.fileno(), total, folder)
        return cut(mmap.mmap(file.fileno(), total), specs)


def cut(space: mmap.mmap, specs: Specs, at: int = 0) -> dict[str, np.ndarray]:
    """The space's bytes, from number ``at`` on, as arrays, one after another."""
    arrays = {}
    for name, (dtype, shape) in specs.items():
        arrays[name] = np.frombuffer(space, dtype, prod(shape), at).reshape(shape)
        at += nbytes((dtype, shape))
    return arrays


def nbytes(spec: tuple[np.dtype, tuple[int, ...]]) -> int:
    """The bytes that an array takes."""
    dtype, shape = spec
    return dtype.itemsize * prod(shape)


def claim(file: int, size: int, folder: Path) -> None:
    """Make an open file ``size`` bytes long, and where the system can, on disk and not only in name: a full disk is then found now,
    and not while its pages are written, which would kill the process.

    Raises:
        ContextError: when there is no room in ``folder``.
    """
    try:
        with suppress(AttributeError):  # macOS and Windows have none
            os.posix_fallocate(file, 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            message = f"{folder} has no room for the {size / 2**30:,.1f} GiB that the context needs: {error.strerror or error}"
            hint = "make room, or use a folder on another disk (POLLUX_CACHE names the one for what is not to be saved)"
            raise ContextError(message, hint) from error
    os.truncate(file, size)


def free_memory() -> int:
    """Bytes that can be had without swapping, by the machine and by the limit that a container may set; half of the machine's
    memory where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2 if hasattr(os, "sysconf") else 4 << 30
    with suppress(OSError, ValueError):  # no such limit, or none at all, which is written "max"
        limit, used = (int(Path("/sys/fs/cgroup", name).read_text()) for name in ("memory.max", "memory.current"))
        free = min(free, max(limit - used, 0))
    return free
