"""Contexts that were read, kept at hand for whoever asks about the same: in memory, then on disk, the longest unused going first.

    what is to be read ─find─> the whole of it, or the longest beginning that is here ─> read on from there
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pollux.base.errors import ContextError
from pollux.engine.contexts.context import ReadContext
from pollux.engine.contexts.store import nbytes
from pollux.engine.runner import Runner
from pollux.model.cache import Context
from pollux.tokens.stream import Stream

log = logging.getLogger("pollux")

# A beginning of fewer chunks is read anew: to go on from the middle of a reading takes reading a few chunks before it again.
_LEAST_CHUNKS = 4
# What takes less than about a second to read is not worth a file.
_LEAST_SPILLED = 16_384


@dataclass
class Entry:
    """A context on the shelf. It does not change while somebody uses it.

    Attributes:
        stream: What was read; stays here when the context goes to disk.
        context: None while it is on disk alone. path: its file, None while it has none.
        users: How many requests are using it. kept: the names it was kept under; it is not given up while there is one.
    """

    stream: Stream
    context: ReadContext | None
    path: Path | None = None
    users: int = 0
    kept: set[str] = field(default_factory=set)
    used: float = field(default_factory=time.monotonic)
    shared: list[Context | None] | None = None

    @property
    def memory(self) -> int:
        """Bytes of memory: none for what is mapped from its file, which the system drops when it has to."""
        if self.context is None or self.path is not None:
            return 0
        return size_of(self.context)


def size_of(context: ReadContext) -> int:
    """Bytes of a context's stores."""
    return sum(x.nbytes for store in context.stores.values() for x in store.arrays.values())


def bytes_for(runner: Runner, tokens: int) -> int:
    """Bytes that the stores of a context of so many tokens take."""
    stores = runner.empty().stores.values()
    return sum(nbytes(spec) for store in stores for spec in store.specs_for(tokens).values())


class Shelf:
    """Contexts by what was read. Used by the engine's thread alone.

    Args:
        folder: Where contexts go that memory has no room for. memory, disk: bytes that they may take in each.
    """

    def __init__(self, runner: Runner, folder: Path, memory: int, disk: int) -> None:
        self.runner, self.folder, self.memory, self.disk = runner, folder, memory, disk
        self.entries: list[Entry] = []
        self.kept: dict[str, Entry] = {}
        self._number = 0

    def find(self, ids: np.ndarray) -> tuple[Entry | None, int]:
        """The entry that has the longest beginning of these tokens, and how many of them it has; all, if it holds just these."""
        best, longest = None, 0
        for entry in self.entries:
            common = _common(entry.stream.ids, ids)
            whole = common == entry.stream.size
            if common > longest and (whole or common >= _LEAST_CHUNKS * self.runner.chunk):
                best, longest = entry, common
        return best, longest

    def begin(self, stream: Stream) -> tuple[ReadContext, int, int]:
        """A new context for what is to be read, filled as far as something here begins alike.

        Returns the context, how many tokens need not be read, and from which on the reading has to go: before that, where it needs
        to come by what the next tokens look back to.
        """
        entry, common = self.find(stream.ids)
        context = self.runner.empty()
        if entry is None:
            context.reserve(stream.size)
            return context, 0, 0
        source = self.open(entry)
        whole = common == entry.stream.size
        if whole and not entry.users and not entry.kept and entry.path is None:
            self.entries.remove(entry)
            source.reserve(stream.size)
            source.stream, source.segments = context.stream, ()
            return source, common, common
        context.reserve(stream.size)
        for i, store in source.stores.items():
            for name, x in store.arrays.items():
                context.stores[i].arrays[name][:, :common] = x[:, :common]
        if whole:
            context.tails = dict(source.tails)
            return context, common, common
        config, chunk = self.runner.config, self.runner.chunk
        return context, common, max(common - config.ahead - config.reach, 0) // chunk * chunk

    def add(self, context: ReadContext, path: Path | None = None) -> Entry:
        entry = Entry(context.stream, context, path)
        self.entries.append(entry)
        return entry

    def open(self, entry: Entry) -> ReadContext:
        """An entry's context, from its file if need be. Raises ContextError where that is not sound; the entry is then gone."""
        entry.used = time.monotonic()
        if entry.context is None:
            try:
                entry.context = ReadContext.load(entry.path, self.runner.weights)
            except ContextError:
                self._drop(entry)
                raise
        return entry.context

    def device(self, entry: Entry) -> list[Context | None]:
        """Its keys and values for the device."""
        if entry.shared is None:
            entry.shared = self.runner.device_context(self.open(entry))
        return entry.shared

    def keep(self, name: str, entry: Entry) -> None:
        self.forget(name)
        entry.kept.add(name)
        self.kept[name] = entry

    def forget(self, name: str) -> None:
        """Give a kept context up; its file belongs to whoever had it kept, and is not touched."""
        entry = self.kept.pop(name, None)
        if entry is None:
            return
        entry.kept.discard(name)
        if not entry.kept and entry in self.entries:
            self.entries.remove(entry)

    def make_room(self, needed: int = 0) -> bool:
        """Give contexts up that nobody uses until so many bytes of memory are free; whether they are."""
        for entry in self._idle():
            if self.used + needed <= self.memory:
                break
            self._give_up(entry)
        return self.used + needed <= self.memory

    @property
    def used(self) -> int:
        """Bytes of memory that contexts take."""
        return sum(entry.memory for entry in self.entries)

    @property
    def spilled(self) -> int:
        """Bytes on disk of contexts that memory had no room for."""
        return sum(entry.path.stat().st_size for entry in self._own_files())

    def close(self) -> None:
        """Delete what was put on disk for want of memory."""
        for entry in self._own_files():
            self._drop(entry)

    def _idle(self) -> Iterator[Entry]:
        """Entries in memory that nobody uses, the longest unused first."""
        idle = [entry for entry in self.entries if entry.memory and not entry.users and not entry.kept]
        return iter(sorted(idle, key=lambda entry: entry.used))

    def _own_files(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.path is not None and entry.path.parent == self.folder]

    def _give_up(self, entry: Entry) -> None:
        """To disk if it took long to read, else away."""
        size = size_of(entry.context)
        if entry.stream.size < _LEAST_SPILLED or size > self.disk:
            self._drop(entry)
            return
        for other in sorted(self._own_files(), key=lambda entry: entry.used):
            if self.spilled + size <= self.disk:
                break
            if not other.users:
                self._drop(other)
        self._number += 1
        path = self.folder / f"spilled-{self._number}.pollux"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            entry.context.save(path)
        except ContextError as error:
            log.warning("a context cannot be put on disk, and is given up: %s", error)
            self._drop(entry)
            return
        entry.path, entry.context, entry.shared = path, None, None

    def _drop(self, entry: Entry) -> None:
        if entry in self.entries:
            self.entries.remove(entry)
        if entry.path is not None and entry.path.parent == self.folder:
            entry.path.unlink(missing_ok=True)


def _common(a: np.ndarray, b: np.ndarray) -> int:
    """How many tokens two streams have in common from the beginning."""
    size = min(a.size, b.size)
    differs = np.flatnonzero(a[:size] != b[:size])
    return int(differs[0]) if differs.size else size
