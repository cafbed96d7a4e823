"""A service without a model: what it answers is the question's words in turn, or, under a constraint, the first tokens that are
allowed. It has the real one's manners: events come from another thread, in order, and every token takes its time."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pollux.base.errors import AwayError, BusyError, ConfigError, ContextError, LateError
from pollux.engine.many.service import Card, Listener, Load
from pollux.engine.request import Answer, Ask, Done, Evidence, Failed, Piece, Produced, Progress, Usage
from pollux.tokens.vocabulary import END, shipped


class Ticket:
    def __init__(self) -> None:
        self.cancelled = threading.Event()

    def cancel(self) -> None:
        self.cancelled.set()


class Stub:
    """Attributes: ``pause``: seconds that a token takes. ``room``: requests that are taken at once. ``asked``: all that were."""

    def __init__(self, pause: float = 0.0, room: int = 1000) -> None:
        self.card = Card("stub", "1", 1_000_000, 8192)
        self.vocabulary, self.ready, self.perception = shipped(), True, None
        self.pause, self.room = pause, room
        self.kept: dict[str, int] = {}
        self.asked: list[Ask] = []
        self._going = 0
        self._lock = threading.Lock()
        self._closed = self._gone = False

    def submit(self, ask: Ask, listener: Listener) -> Ticket:
        self.tokens(ask)
        return self._start(lambda ticket: self._answer(ask, listener, ticket), ask)

    def keep(self, name: str, ask: Ask, path: Path, listener: Listener) -> Ticket:
        def work(ticket: Ticket) -> None:
            count = self.tokens(ask)
            path.write_text(str(count))
            self.kept[name] = count
            listener(Progress(count, count))
            listener(Done(None, Usage(count, 0, 0)))

        return self._start(work, ask)

    def reopen(self, name: str, path: Path) -> int:
        try:
            self.kept[name] = int(path.read_text())
        except (OSError, ValueError) as error:
            raise ContextError(f"{path} is not a saved context", "read it again") from error
        return self.kept[name]

    def forget(self, name: str) -> None:
        self.kept.pop(name, None)

    def tokens(self, ask: Ask) -> int:
        if ask.kept is not None and ask.kept not in self.kept:
            raise ConfigError(f"there is no kept context {ask.kept}")
        texts = [segment.text for document in ask.documents for segment in document.segments]
        texts += [text for turn in ask.turns for text in turn] + [ask.question]
        return sum(self.vocabulary.encode(text).size for text in texts) + self.kept.get(ask.kept or "", 0)

    def embed(self, texts: Sequence[str], client: str = "") -> np.ndarray:
        rows = np.array([np.random.default_rng(len(text)).standard_normal(16) for text in texts], np.float32).reshape(-1, 16)
        return rows / np.linalg.norm(rows, axis=-1, keepdims=True)

    def load(self) -> Load:
        return Load(answering=self._going)

    def close(self, seconds: float = 0.0) -> None:
        self._closed = True
        until = time.monotonic() + seconds
        while self._going and time.monotonic() < until:
            time.sleep(0.005)
        self._gone = True

    def _start(self, work, ask: Ask) -> Ticket:
        with self._lock:
            if self._closed:
                raise AwayError("the server is shutting down", "ask again when it is back")
            if self._going >= self.room:
                raise BusyError(f"{self._going} requests are under way already", "ask again later", seconds=2.0)
            self._going += 1
            self.asked.append(ask)
        ticket = Ticket()
        threading.Thread(target=self._run, args=(work, ticket), daemon=True).start()
        return ticket

    def _run(self, work, ticket: Ticket) -> None:
        try:
            work(ticket)
        finally:
            with self._lock:
                self._going -= 1

    def _answer(self, ask: Ask, listener: Listener, ticket: Ticket) -> None:
        prompt, kept = self.tokens(ask), self.kept.get(ask.kept or "", 0)
        listener(Progress(prompt, prompt))
        constraint = ask.constraint() if ask.constraint else None
        wanted = iter(self.vocabulary.encode(f" {ask.question}").tolist())
        tokens, text, reason = [], "", "limit"
        while len(tokens) < ask.sampling.limit:
            time.sleep(self.pause)
            if ask.deadline is not None and time.monotonic() > ask.deadline:
                return None if ticket.cancelled.is_set() else listener(Failed(LateError("the answer took too long")))
            if ticket.cancelled.is_set():
                return None
            if self._gone:
                return listener(Failed(AwayError("the server is shutting down", "ask again when it is back")))
            token = next(wanted, END) if constraint is None else int(np.flatnonzero(constraint.allowed())[0])
            if token == END:
                reason = "end"
                break
            if constraint:
                constraint.take(token)
            tokens.append(token)
            whole = self.vocabulary.decode(tokens).lstrip()
            piece, text = whole[len(text) :], whole
            listener(Piece(piece, (Produced(token, self.vocabulary.decode_bytes([token]), -0.1, ((token, -0.1),)),)))
        first = [document.segments[0] for document in ask.documents[:1]]
        found = tuple(Evidence(segment.place(0, 1), 1.0) for segment in first if segment.text)
        listener(Done(Answer(text, tuple(tokens), found, reason), Usage(prompt, kept, len(tokens))))
        return None
