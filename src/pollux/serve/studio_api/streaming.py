"""Answers as Google's API streams them, and besides how far the prompt is read, for which that API has no place.

    data: {"progress": {"done": 1024, "total": 90000}}      while it is read
    data: {"candidates": […], …}                            as in streamGenerateContent
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from pollux.engine.many.service import Listener, Service, Ticket
from pollux.engine.request import Ask, Progress, Said
from pollux.serve.gemini import wire
from pollux.serve.gemini.generate import Prepared, prepare, stream
from pollux.serve.routing import Route
from pollux.serve.web.streaming import Streamed

if TYPE_CHECKING:
    from pollux.serve.server import Server

# Seconds between two reports: a page cannot show more.
_APART = 0.1


class Watched:
    """A service that also tells how far it has read."""

    def __init__(self, service: Service, tell: Callable[[Progress], None]) -> None:
        self._service, self._tell = service, tell

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)

    def submit(self, ask: Ask, listener: Listener) -> Ticket:
        def heard(each: Said) -> None:
            if isinstance(each, Progress):
                self._tell(each)
            listener(each)

        return self._service.submit(ask, heard)


def routes(server: Server) -> list[Route]:
    async def answer(request: Request) -> Response:
        name, state, raw = server.name(request.path_params["model"]), request.state, await request.body()

        def prepared() -> Prepared:
            return prepare(server, name, wire.read(raw, "GenerateContentRequest"), state.client, state.deadline)

        events = _bytes(told(server, await asyncio.to_thread(prepared)))
        return Streamed(events, lambda error: wire.sse(error.google()), media_type="text/event-stream")

    return [Route("POST", "/studio-api/models/{model}:stream", answer)]


async def told(server: Server, prepared: Prepared) -> AsyncIterator[dict]:
    """Progress and chunks in the order in which they come. Raises as `gemini.generate.stream` does."""
    loop, queue, last = asyncio.get_running_loop(), asyncio.Queue(), 0.0

    def tell(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _APART or progress.done >= progress.total:
            last = now
            event = {"progress": {"done": progress.done, "total": progress.total}}
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(queue.put_nowait, event)

    work = asyncio.ensure_future(_produce(server, replace(prepared, service=Watched(prepared.service, tell)), queue))
    try:
        while (event := await queue.get()) is not None:
            yield event
        await work
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def _produce(server: Server, prepared: Prepared, queue: asyncio.Queue) -> None:
    try:
        async with aclosing(stream(server, prepared)) as chunks:
            async for chunk in chunks:
                queue.put_nowait(chunk)
    finally:
        queue.put_nowait(None)


async def _bytes(events: AsyncIterator[dict]) -> AsyncIterator[bytes]:
    async with aclosing(events):
        async for event in events:
            yield wire.sse(event)
