"""What a `desk.Desk` has in hand: requests, readings, and the line of those who wait. Used by its thread, but for `Job.cancel`."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import numpy as np

from pollux.base.errors import PolluxError
from pollux.engine.contexts.context import ReadContext
from pollux.engine.contexts.saved import Part
from pollux.engine.engine import NOTE_SECONDS
from pollux.engine.many.plan import Plan
from pollux.engine.many.service import Listener
from pollux.engine.many.shelf import Entry
from pollux.engine.request import Ask
from pollux.engine.row import Row
from pollux.engine.runner import Runner
from pollux.media.segment import Text
from pollux.tokens.stream import Stream


@dataclass(eq=False)
class Job:
    """A request on its way.

    Attributes:
        keep: The name and file that what it reads is kept under, for one that asks nothing.
        gone: Nobody waits for it any more. late: why it has to fail. over: it has ended.
        entry: What it is asked about. found: tokens of that which were read before it came.
        whole: All that is read before its turn, once that is known, with its segments.
        row: Its answer. pieces: its turn while it is taken in. room: tokens of it that there is room for; filled: that it has.
    """

    ask: Ask
    listener: Listener
    plan: Plan
    keep: tuple[str, Path] | None = None
    gone: bool = False
    late: PolluxError | None = None
    over: bool = False
    entry: Entry | None = None
    found: int = 0
    whole: tuple[Stream, tuple[Text, ...]] | None = None
    row: Row | None = None
    pieces: Iterator | None = None
    room: int = 0
    filled: int = 0
    poke: Callable[[], None] = lambda: None

    @property
    def reads(self) -> bool:
        """Whether something may have to be read before it can be answered."""
        return bool(self.plan.stream.size) or self.keep is not None

    def cancel(self) -> None:
        """Nobody wants it any more."""
        self.gone = True
        self.poke()


class Line:
    """Those who wait, by client: clients have turns. Safe for use from several threads."""

    def __init__(self) -> None:
        self._clients: dict[str, deque[Job]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._clients.values()))

    def add(self, job: Job) -> None:
        with self._lock:
            self._clients.setdefault(job.ask.client, deque()).append(job)

    def round(self) -> list[Job]:
        """All as they are to be tried: the first of each client, then the second of each, and so on."""
        with self._lock:
            rows = zip_longest(*self._clients.values())
            return [job for row in rows for job in row if job is not None]

    def remove(self, job: Job) -> None:
        """Take one out, wherever it stands; its client goes behind the others."""
        with self._lock:
            line = self._clients.get(job.ask.client)
            if line is None or job not in line:
                return
            line.remove(job)
            del self._clients[job.ask.client]
            if line:
                self._clients[job.ask.client] = line


@dataclass
class Reading:
    """A context while it is read.

    Attributes:
        at: How far the reading has come; less than ``found`` while it comes by what the next tokens look back to.
        found: Tokens from the beginning that were read before.
        waiters: Requests that wait for it. keep, part: where it is kept, if it is.
    """

    context: ReadContext
    stream: Stream
    segments: tuple[Text, ...]
    at: int
    found: int
    waiters: list[Job]
    keep: tuple[str, Path] | None = None
    part: Part | None = None
    noted: float = field(default_factory=time.monotonic)

    @property
    def done(self) -> int:
        return self.at

    def chunk(self, runner: Runner) -> None:
        """Read the next chunk."""
        ids = np.ascontiguousarray(self.stream.ids[self.at : self.at + runner.chunk])
        runner.read(self.context, self.at, ids, max(0, self.found - runner.config.ahead))
        self.at += ids.size
        if self.part is not None and time.monotonic() - self.noted > NOTE_SECONDS:
            self.part.write_note(self.at, dict(self.context.tails))
            self.noted = time.monotonic()

    def whole(self, runner: Runner) -> tuple[ReadContext, Path | None]:
        """The context with all that was read, from its file if it is kept in one."""
        if self.part is None:
            self.context.stream, self.context.segments = self.stream, tuple(self.segments)
            return self.context, None
        self.context.finish(self.part)
        self.part = None
        path = self.keep[1]
        return ReadContext.load(path, runner.weights), path

    def drop(self) -> None:
        """Nobody waits for it any more."""
        if self.part is not None:
            self.part.discard()
            self.part = None
