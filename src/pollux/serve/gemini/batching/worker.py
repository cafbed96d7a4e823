"""Batches in the background: a few requests at a time, as one client among the others, so that nobody waits for a batch.

    next ─prepare─ answer→ record        what is under way when the server stops, or dies, is run again at the next start
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import orjson

from pollux.serve.errors import STATUS, ApiError, of
from pollux.serve.gemini import wire
from pollux.serve.gemini.batching.requests import KINDS
from pollux.serve.gemini.embed import embeddings
from pollux.serve.gemini.generate import answer, prepare
from pollux.serve.storage.batches import Todo

if TYPE_CHECKING:
    from pollux.serve.server import Server

# The name under which batches ask: the engine gives each client its turn.
CLIENT = "(batches)"
_AT_ONCE = 4
# Seconds between two looks for what has expired, and after which a batch is looked for though nobody said that there is one.
_SWEEP, _PATIENCE = 30.0, 5.0
_PASSING = (429, 503)
# Google's numbers of its statuses, as a google.rpc.Status has them.
_RPC = {
    "CANCELLED": 1, "INVALID_ARGUMENT": 3, "DEADLINE_EXCEEDED": 4, "NOT_FOUND": 5, "ALREADY_EXISTS": 6, "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8, "UNIMPLEMENTED": 12, "INTERNAL": 13, "UNAVAILABLE": 14, "UNAUTHENTICATED": 16,
}  # fmt: skip


class Worker:
    """Runs in the server's event loop from `start` to `stop`; also deletes what has expired, as it passes."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._batches = server.library.batches
        self._going: dict[tuple[int, int], asyncio.Task] = {}
        self._news = asyncio.Event()
        self._task: asyncio.Task | None = None
        self._swept = 0.0

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self, seconds: float) -> None:
        """Begin nothing more, and leave what is under way to the next start."""
        tasks = [task for task in (self._task, *self._going.values()) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def wake(self) -> None:
        """There is a batch."""
        self._news.set()

    def drop(self, batch: int) -> None:
        """Nobody wants a batch any more."""
        for (each, _), task in self._going.items():
            if each == batch:
                task.cancel()

    async def _run(self) -> None:
        while True:
            try:
                await self._turn()
            except Exception as error:
                of(error)  # logs a bug
                await asyncio.sleep(_PATIENCE)

    async def _turn(self) -> None:
        """Begin what there is room for, then wait until something is new."""
        self._news.clear()
        if time.monotonic() - self._swept > _SWEEP:
            self._swept = time.monotonic()
            await asyncio.to_thread(self.server.library.sweep)
        if room := _AT_ONCE - len(self._going):
            for todo in await asyncio.to_thread(self._batches.next, room, tuple(self._going)):
                place = (todo.batch, todo.number)
                self._going[place] = asyncio.create_task(self._one(todo))
                self._going[place].add_done_callback(lambda task, place=place: self._ended(task, place))
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._news.wait(), _PATIENCE)

    def _ended(self, task: asyncio.Task, place: tuple[int, int]) -> None:
        """What could not be kept is run again, a while later."""
        del self._going[place]
        if task.cancelled() or task.exception() is None:
            self._news.set()
        else:
            of(task.exception())

    async def _one(self, todo: Todo) -> None:
        """Run a request, and keep what came of it. Its error is its own."""
        await asyncio.to_thread(self._batches.begin, todo.batch)
        while True:
            try:
                outcome = {"response": wire.dumps(await self._response(todo))}
                break
            except Exception as error:
                told = of(error)
                if told.code not in _PASSING:
                    outcome = {"error": orjson.dumps({"code": _RPC[STATUS[told.code]], "message": told.message})}
                    break
                await asyncio.sleep(told.seconds or 1.0)  # others ask: it is their turn
        await asyncio.to_thread(lambda: self._batches.record(todo, **outcome))

    async def _response(self, todo: Todo) -> dict:
        if todo.service not in self.server.services:
            raise ApiError(404, f"models/{todo.service} is not served now.")
        body = await asyncio.to_thread(wire.read, todo.request, KINDS[todo.kind].request)
        if (other := body.get("model")) and self.server.name(other) != todo.service:
            raise ApiError(400, f"The request names {other[:100]}, and its batch models/{todo.service}: they have to be the same.")
        if todo.kind == "embed":
            (found,) = await embeddings(self.server, todo.service, [body], CLIENT)
            return {"embedding": found}
        prepared = await asyncio.to_thread(prepare, self.server, todo.service, body, CLIENT, None)
        return await answer(self.server, prepared)
