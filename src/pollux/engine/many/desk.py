"""The engine for many: requests from any thread, worked on in turns by one thread that owns the model.

    submit ─> waiting ─> reading, a chunk at a time ─> opening, a piece at a time ─> a table, a token at a time ─> done

Each unit of work is short (tens of milliseconds), and after each it is decided anew what comes next: first what brings an answer's
first token, then, by the time that each kind has had, a chunk of some reading or a token for some table's rows. So no reading,
however long, keeps answers waiting; and what an answer says depends on nobody else.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from pollux.base.config import cache_folder
from pollux.base.errors import AwayError, BusyError, ConfigError, LateError
from pollux.engine.contexts.context import ReadContext
from pollux.engine.contexts.store import free_memory
from pollux.engine.engine import Engine
from pollux.engine.evidence import gather, passages
from pollux.engine.many.embed import Embedder
from pollux.engine.many.job import Job, Line, Reading
from pollux.engine.many.opening import Opening
from pollux.engine.many.plan import check, plan
from pollux.engine.many.service import Card, Listener, Load
from pollux.engine.many.shelf import Entry, Shelf, bytes_for
from pollux.engine.many.table import ROOMS, Output, Table, fitting, warming, widen
from pollux.engine.request import LONGEST_ANSWER, Answer, Ask, Done, Failed, Piece, Progress, Said, Usage
from pollux.engine.row import Row
from pollux.engine.runner import Turn
from pollux.media.segment import Text
from pollux.tokens.stream import Stream

log = logging.getLogger("pollux")

# The most tokens of material: as far as recall was measured.
MOST_TOKENS = 100_000_000

Result = TypeVar("Result")


@dataclass(frozen=True)
class Limits:
    """How much is taken on.

    Attributes:
        waiting: Requests that may wait; more are refused. going: requests that are being worked on. readings: of these, long ones
            that are being read for: each takes memory.
        memory, disk: Bytes that contexts which were read may take in each. None: a quarter of the memory that is free.
    """

    waiting: int = 256
    going: int = 128
    readings: int = 4
    memory: int | None = None
    disk: int = 20 << 30


class Desk:
    """A `Service` of one model."""

    def __init__(
        self, engine: Engine, name: str, limits: Limits = Limits(), folder: Path | None = None, *, warm: bool = False
    ) -> None:
        """Starts the thread.

        Args:
            name: What the model is called.
            folder: For contexts that memory has no room for (default: one in the user's cache).
            warm: Whether the programs that short requests need are compiled now, and not when the first of each kind comes.
        """
        self.runner, self.vocabulary, self.perception = engine.runner, engine.vocabulary, engine.perception
        self.card = Card(name, engine.runner.weights.split("/")[0], MOST_TOKENS, LONGEST_ANSWER)
        memory = free_memory() // 4 if limits.memory is None else limits.memory
        self.shelf = Shelf(self.runner, folder or cache_folder() / "shelf", memory, limits.disk)
        self._limits, self._embedder = limits, Embedder(self.runner)
        self._jobs: set[Job] = set()
        self._waiting, self._opening = Line(), Opening(self.runner, self.shelf)
        self._readings: deque[Reading] = deque()
        self._tables: dict[tuple[int, int], Table[Job]] = {}
        self._arrivals: dict[tuple[int, int], list] = {}
        self._asides: deque[Callable[[], None]] = deque()
        self._spent = {"read": 0.0, "answer": 0.0}
        self._total = dict.fromkeys(("read", "reused", "produced"), 0)
        self._empty = Entry(self.runner.empty().stream, self.runner.empty())
        self._warming = warming(self.runner) if warm else iter(())
        self._news, self._closing = threading.Condition(), False
        self.ready = not warm
        self._thread = threading.Thread(target=self._run, name=f"pollux-{name}", daemon=True)
        self._thread.start()

    # called by any thread

    def submit(self, ask: Ask, listener: Listener) -> Job:
        job = Job(ask, listener, plan(self.vocabulary, ask))
        check(ask, job.plan.turn.size)
        self._check(job)
        return self._take(job)

    def keep(self, name: str, ask: Ask, path: Path, listener: Listener) -> Job:
        job = Job(ask, listener, plan(self.vocabulary, ask, 0), keep=(name, path))
        if not job.plan.stream.size:
            raise ConfigError("there is nothing to keep", "give material that is to be read")
        self._check(job)
        return self._take(job)

    def tokens(self, ask: Ask) -> int:
        return plan(self.vocabulary, ask).tokens + self._kept_tokens(ask)

    def reopen(self, name: str, path: Path) -> int:
        context = ReadContext.load(path, self.runner.weights)
        self._call(lambda: self.shelf.keep(name, self.shelf.add(context, path)))
        return len(context)

    def forget(self, name: str) -> None:
        self._call(lambda: self.shelf.forget(name))

    def embed(self, texts: Sequence[str], client: str = "") -> np.ndarray:
        ids = [self.vocabulary.encode(f" {text.strip()}") for text in texts]
        if empty := [number for number, text in enumerate(texts) if not text.strip()]:
            raise ConfigError(f"text number {empty[0] + 1} is empty", "leave it out")
        rows = [self._call(lambda row=row: self._embedder(row)) for row in ids]
        return np.stack(rows) if rows else np.zeros((0, self._embedder.width), np.float32)

    def load(self) -> Load:
        jobs, entries = list(self._jobs), list(self.shelf.entries)
        reading = sum(len(each.waiters) for each in list(self._readings))
        waiting = len(self._waiting)
        return Load(
            waiting, reading, max(0, len(jobs) - reading - waiting), len(entries), sum(entry.stream.size for entry in entries),
            sum(entry.memory for entry in entries), self.shelf.spilled, **self._total,
        )  # fmt: skip

    def close(self, seconds: float = 0.0) -> None:
        until = time.monotonic() + seconds
        self._closing = True
        while self._jobs and time.monotonic() < until:
            time.sleep(0.02)
        for job in list(self._jobs):
            job.late = AwayError("the server is shutting down", "ask again when it is back")
        with self._news:
            self._news.notify()
        self._thread.join(timeout=30)

    def _check(self, job: Job) -> None:
        """Raises ConfigError for what can never be answered."""
        size = job.plan.tokens + self._kept_tokens(job.ask)
        if size > self.card.input_tokens:
            message = f"{self.card.name} reads up to {self.card.input_tokens:,} tokens, this are {size:,}"
            raise ConfigError(message, "leave some of it out")

    def _kept_tokens(self, ask: Ask) -> int:
        if ask.kept is None:
            return 0
        entry = self.shelf.kept.get(ask.kept)
        if entry is None:
            raise ConfigError(f"there is no kept context {ask.kept}", "keep it first")
        return entry.stream.size

    def _take(self, job: Job) -> Job:
        with self._news:
            if self._closing:
                raise AwayError("the server is shutting down", "ask again when it is back")
            if len(self._waiting) >= self._limits.waiting:
                raise BusyError(f"{len(self._waiting)} requests are waiting already", "ask again later", seconds=5.0)
            job.poke = self._poke
            self._jobs.add(job)
            self._waiting.add(job)
            self._news.notify()
        return job

    def _poke(self) -> None:
        with self._news:
            self._news.notify()

    def _call(self, aside: Callable[[], Result]) -> Result:
        """Have the engine's thread do something between two units of work, and wait for what it gives."""
        future: Future[Result] = Future()

        def work() -> None:
            try:
                future.set_result(aside())
            except Exception as error:
                future.set_exception(error)

        with self._news:
            if self._closing:
                raise AwayError("the server is shutting down", "ask again when it is back")
            self._asides.append(work)
            self._news.notify()
        return future.result()

    # the engine's thread

    def _run(self) -> None:
        while not (self._closing and not self._jobs):
            self._sweep()
            while self._asides:
                self._asides.popleft()()
            self._admit()
            unit = self._next() or self._warm_up()
            if unit is not None:
                unit()
                continue
            with self._news:
                if not self._asides and not self._closing:
                    self._news.wait(0.05 if self._jobs else None)
        self.shelf.close()

    def _sweep(self) -> None:
        """End what nobody waits for any more."""
        now = time.monotonic()
        for job in list(self._jobs):
            if job.gone:
                self._end(job)
            elif job.late is not None:
                self._end(job, Failed(job.late))
            elif job.ask.deadline is not None and now > job.ask.deadline:
                self._end(job, Failed(LateError("the answer was not ready by its deadline", "allow more time")))

    def _admit(self) -> None:
        """Let waiting requests begin, clients in turn, as far as there is room. A client's readings begin in the order in which
        they came; what has nothing to read does not wait behind them."""
        full: set[str] = set()
        for job in self._waiting.round():
            if len(self._jobs) - len(self._waiting) >= self._limits.going:
                return
            if job.reads and job.ask.client in full:
                continue
            try:
                begun = self._begin(job)
            except Exception as error:
                self._waiting.remove(job)
                self._fail([job], error)
                continue
            if begun:
                self._waiting.remove(job)
            else:
                full.add(job.ask.client)

    def _begin(self, job: Job) -> bool:
        """Begin a request's reading, or its answer where all is read; whether there was room for it."""
        job.whole = job.whole or self._whole(job)
        stream, segments = job.whole
        if not stream.size:
            self._open(job, self._empty, 0)
            return True
        entry, common = self.shelf.find(stream.ids)
        if common == stream.size == (entry.stream.size if entry else -1):
            self._at_hand(job, entry)
            return True
        for reading in self._readings:
            if job.keep is None and reading.keep is None and np.array_equal(reading.stream.ids, stream.ids):
                reading.waiters.append(job)
                return True
        if len(self._readings) >= self._limits.readings:
            return False
        if not self.shelf.make_room(bytes_for(self.runner, stream.size)) and self._readings:
            return False
        self._readings.append(self._reading(job, stream, segments))
        return True

    def _whole(self, job: Job) -> tuple[Stream, tuple[Text, ...]]:
        """All that is read before a request's turn: what was kept, and its own material."""
        own = job.plan
        if job.ask.kept is None:
            return own.stream, own.segments
        entry = self.shelf.kept.get(job.ask.kept)
        if entry is None:
            raise ConfigError(f"there is no kept context {job.ask.kept} any more", "keep it again")
        if not own.stream.size:
            return entry.stream, ()
        context = self.shelf.open(entry)
        joined = ReadContext(context.weights, {}, {}, context.stream, context.segments)
        joined.extend(own.stream, own.segments)
        return joined.stream, joined.segments

    def _reading(self, job: Job, stream: Stream, segments: tuple[Text, ...]) -> Reading:
        if job.keep is None:
            context, found, at = self.shelf.begin(stream)
            context.segments = ()
            self._total["reused"] += found
            return Reading(context, stream, segments, at, found, [job])
        context = self.runner.empty()
        context.extend(stream, segments)
        part, done = context.begin(job.keep[1])
        return Reading(context, stream, segments, done, done, [job], job.keep, part)

    def _at_hand(self, job: Job, entry: Entry) -> None:
        """Go on with a request whose material is on the shelf."""
        context = self.shelf.open(entry)
        self._total["reused"] += len(context)
        if job.keep is None:
            self._open(job, entry, len(context))
            return
        name, path = job.keep
        context.save(path)
        self.shelf.keep(name, self.shelf.add(ReadContext.load(path, self.runner.weights), path))
        self._end(job, Done(None, Usage(len(context), len(context), 0)))

    def _open(self, job: Job, entry: Entry, found: int) -> None:
        """Have a request's turn taken in next."""
        entry.users += 1
        job.entry, job.found = entry, found
        constraint = job.ask.constraint() if job.ask.constraint else None
        job.row = Row(0, job.ask.sampling, self.vocabulary, constraint, job.ask.top)
        whole = entry.stream.size + job.plan.turn.size
        self._say(job, Progress(whole, whole))
        self._opening.add(job)

    def _next(self) -> Callable[[], None] | None:
        """The next unit of work, None where there is none."""
        if self._opening:
            return self._take_in
        tables = [key for key in {**self._tables, **self._arrivals} if self._guests(key)]
        if not tables and not self._readings:
            return None
        if not tables or not self._readings:
            kind = "answer" if tables else "read"
            self._spent = dict.fromkeys(self._spent, 0.0)
        else:
            kind = min(self._spent, key=self._spent.get)
        return lambda: self._timed(kind, self._read if kind == "read" else lambda: self._step(tables[0]))

    def _warm_up(self) -> Callable[[], None] | None:
        """Another program compiled, while there is nothing else to do; None when all are there."""

        def one() -> None:
            try:
                self.ready = next(self._warming, None) is None
            except Exception:
                log.exception("not everything could be compiled beforehand")
                self.ready = True

        return None if self.ready or self._closing else one

    def _timed(self, kind: str, unit: Callable[[], None]) -> None:
        start = time.monotonic()
        unit()
        self._spent[kind] += time.monotonic() - start

    def _read(self) -> None:
        """A chunk of the reading whose turn it is."""
        reading = self._readings.popleft()
        reading.waiters = [job for job in reading.waiters if not job.over]
        if not reading.waiters:
            reading.drop()
            return
        try:
            before = reading.done
            reading.chunk(self.runner)
            self._total["read"] += max(0, reading.done - before)
            if reading.done < reading.stream.size:
                self._readings.append(reading)
                for job in reading.waiters:
                    self._say(job, Progress(max(reading.done, reading.found), reading.stream.size + job.plan.turn.size))
                return
            self._finish(reading)
        except Exception as error:
            reading.drop()
            self._fail(reading.waiters, error)

    def _finish(self, reading: Reading) -> None:
        """Put what was read on the shelf, and go on with those who wait for it."""
        context, path = reading.whole(self.runner)
        entry = self.shelf.add(context, path)
        if reading.keep is not None:
            self.shelf.keep(reading.keep[0], entry)
            for job in reading.waiters:
                self._end(job, Done(None, Usage(reading.stream.size, reading.found, 0)))
            return
        for job in reading.waiters:
            self._open(job, entry, reading.found)

    def _take_in(self) -> None:
        """A piece of the turn of the request whose turn it is, or whole turns side by side."""
        jobs = self._opening.next()
        try:
            found = self._opening.work(jobs) if jobs else []
        except Exception as error:
            self._fail(jobs, error)
            return
        for job, (turn, output) in zip(jobs, found, strict=False):
            self._arrive(job, turn, output)

    def _arrive(self, job: Job, turn: Turn, output: Output) -> None:
        """A request whose turn has been taken in: its first token, and a place at a table."""
        try:
            job.pieces, job.filled = None, job.plan.turn.size
            self._took(job, output)
            if not job.over:
                self._arrivals.setdefault((id(job.entry), job.room), []).append((job, turn))
        except Exception as error:
            self._fail([job], error)

    def _guests(self, key: tuple[int, int]) -> bool:
        """Whether somebody sits at a table, or comes to it. One that is left is cleared away."""
        arrivals = self._arrivals[key] = [each for each in self._arrivals.get(key, []) if not each[0].over]
        table = self._tables.get(key)
        for job in table.guests if table else ():
            if job.over:
                table.leave(job)
        if arrivals or (table and table.guests):
            return True
        self._tables.pop(key, None)
        self._arrivals.pop(key, None)
        return False

    def _step(self, key: tuple[int, int]) -> None:
        """A token for each of a table's rows."""
        table, arrivals = self._tables.pop(key, None), self._arrivals.pop(key)
        if table is None:
            table = Table(self.runner, self.shelf.device(arrivals[0][0].entry), key[1])
        self._tables[key] = table  # at the end: the others come first next time
        seated, later = arrivals[: table.free], arrivals[table.free :]
        if later:
            self._arrivals[key] = later
        try:
            if seated:
                table.join(seated)
            outputs = table.step(lambda job: job.row.tokens[-1])
        except Exception as error:
            self._tables.pop(key, None)
            self._fail([*table.guests, *(job for job, _ in seated)], error)
            return
        for job, output in outputs:
            self._go_on(job, output, table)

    def _go_on(self, job: Job, output: Output, table: Table[Job]) -> None:
        """One row's next token; what goes wrong with it (its constraint, say) is its own."""
        try:
            job.filled += 1
            self._took(job, output)
            if not job.over and job.filled >= table.room:
                self._move(job, table)
        except Exception as error:
            self._fail([job], error)

    def _move(self, job: Job, table: Table[Job]) -> None:
        """To a table with more room."""
        job.room = fitting(ROOMS, table.room + 1)
        turn = widen(table.take(job), job.room, self.runner)
        self._arrivals.setdefault((id(job.entry), job.room), []).append((job, turn))

    def _took(self, job: Job, output: Output) -> None:
        """Choose an answer's next token, and say what is new."""
        row, before = job.row, len(job.row.tokens)
        text = row.take(output.logits, output.look)
        produced = tuple(row.report(output.logits) for _ in range(len(row.tokens) - before))
        self._total["produced"] += len(produced)
        if text or produced:
            self._say(job, Piece(text, produced))
        if row.done and not job.over:
            context = self.shelf.open(job.entry)
            answer = Answer(row.text, tuple(row.tokens), passages(context, gather(row.looks), row.text), row.reason)
            prompt = len(context) + job.plan.turn.size
            self._end(job, Done(answer, Usage(prompt, job.found, len(row.tokens))))

    def _say(self, job: Job, said: Said) -> None:
        try:
            job.listener(said)
        except Exception:
            log.exception("whoever asked cannot be told, and is taken to be gone")
            self._end(job)

    def _fail(self, jobs: Sequence[Job], error: Exception) -> None:
        for job in jobs:
            self._end(job, Failed(error))

    def _end(self, job: Job, said: Said | None = None) -> None:
        """The last of a request: it is taken out of everything as that comes to it."""
        if job.over:
            return
        job.over = True
        self._jobs.discard(job)
        self._waiting.remove(job)
        if job.entry is not None:
            job.entry.users -= 1
            job.entry.used = time.monotonic()
        if said is not None:
            self._say(job, said)
