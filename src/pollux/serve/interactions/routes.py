"""Interactions: conversations whose turns the server keeps (contract §9).

    POST interactions ─→ Run ─→ whole, a stream of events, or, in the background, at once
    GET, DELETE interactions/{id}      POST interactions/{id}/cancel
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from pollux.serve.errors import ApiError
from pollux.serve.gemini import generate
from pollux.serve.gemini.generate import Prepared
from pollux.serve.gemini.wire import reply
from pollux.serve.interactions import request as asked
from pollux.serve.interactions.events import DONE, START, Position, events, failure, position, sse
from pollux.serve.interactions.record import Record, shown
from pollux.serve.interactions.run import Run, now
from pollux.serve.interactions.steps import steps
from pollux.serve.routing import Route
from pollux.serve.web.fields import Fields
from pollux.serve.web.streaming import Streamed

if TYPE_CHECKING:
    from pollux.serve.server import Server

_STOPPED = {"code": "503", "message": "The server was stopped while this was answered. Ask again."}


def routes(server: Server) -> list[Route]:
    room = _Room(server)
    server.closing.append(room.close)
    base = "/{v}/interactions"
    return [
        Route("POST", base, room.create),
        Route("GET", base + "/{id}", room.get),
        Route("DELETE", base + "/{id}", room.delete),
        Route("POST", base + "/{id}/cancel", room.cancel),
    ]


class _Room:
    """Attributes: ``runs``: interactions that are being answered, by id."""

    def __init__(self, server: Server) -> None:
        self.server, self.stored = server, server.library.interactions
        self.runs: dict[str, Run] = {}

    async def create(self, request: Request) -> Response:
        raw = await request.body()
        fields, record, prepared = await asyncio.to_thread(self._prepared, raw, request)
        background, store, stream = fields.flag("background"), fields.get("store", bool, default=True), fields.flag("stream")
        if background and not store:
            raise fields.refuse("background", "it needs store to be true, as nobody could get the answer otherwise.")
        if store:
            await asyncio.to_thread(self.stored.add, record)
        run = self._start(record, prepared, store)
        if stream:
            return _streamed(run.follow(START) if background else _owned(run))
        if not background:
            await _whole(run)
        return reply(shown(record))

    async def get(self, request: Request) -> Response:
        query = request.query_params
        identity = request.path_params["id"]
        after = position(query.get("last_event_id", ""))
        run = self.runs.get(identity)
        record = run.record if run else await self._found(identity)
        if query.get("stream") == "true":
            return _streamed(run.follow(after) if run else _told(record, after))
        return reply(shown(record, with_input=query.get("include_input") == "true"))

    async def delete(self, request: Request) -> Response:
        identity = request.path_params["id"]
        await asyncio.to_thread(self.stored.delete, identity)
        if run := self.runs.get(identity):
            await run.cancel()
        return reply({})

    async def cancel(self, request: Request) -> Response:
        identity = request.path_params["id"]
        if run := self.runs.get(identity):
            await run.cancel()
            return reply(shown(run.record))
        record = await self._found(identity)
        if record.status != "cancelled":
            raise ApiError(400, f"The interaction {identity} has ended ({record.status}): only one in progress can be cancelled.")
        return reply(shown(record))

    async def close(self, seconds: float) -> None:
        """Let what is being answered end, and be stored, for so long."""
        if tasks := [run.task for run in self.runs.values()]:
            await asyncio.wait(tasks, timeout=seconds)

    def _prepared(self, raw: bytes, request: Request) -> tuple[Fields, Record, Prepared]:
        """Raises ApiError for what cannot be answered: such an interaction is not stored."""
        fields = Fields.read(raw)
        settings, given = asked.settings(fields), steps(fields)
        model = self.server.name(fields.text("model"), request.path_params["v"], "createInteraction")
        previous = fields.get("previous_interaction_id", str, default="")
        if previous in self.runs:
            raise fields.refuse("previous_interaction_id", f"the interaction {previous} is still being answered.")
        body = asked.body(fields, self.stored.history(previous) + given)
        deadline = None if fields.flag("background") else request.state.deadline
        prepared = generate.prepare(self.server, model, body, request.state.client, deadline)
        moment = now()
        record = Record(f"v1_{secrets.token_urlsafe(24)}", model, moment, moment, previous, settings=settings, input=given)
        return fields, record, prepared

    def _start(self, record: Record, prepared: Prepared, store: bool) -> Run:
        run = Run(record, generate.stream(self.server, prepared), self.stored.end if store else _forget)
        if store:
            self.runs[record.id] = run
            run.task.add_done_callback(lambda _: self.runs.pop(record.id, None))
        return run

    async def _found(self, identity: str) -> Record:
        """An interaction that nobody is answering. One that looks as if somebody were was cut off by a restart."""
        record = await asyncio.to_thread(self.stored.find, identity)
        if not record.finished:
            record.status, record.error = "failed", _STOPPED
        return record


def _streamed(chunks: AsyncIterator[bytes]) -> Streamed:
    return Streamed(chunks, failure, media_type="text/event-stream")


async def _owned(run: Run) -> AsyncIterator[bytes]:
    """The stream of who began an interaction: where that one leaves, it is cancelled."""
    try:
        async with aclosing(run.follow(START)) as chunks:
            async for chunk in chunks:
                yield chunk
    finally:
        await run.cancel()


async def _whole(run: Run) -> None:
    """Wait for the end; where the client leaves, it is cancelled."""
    try:
        await run.ended()
    finally:
        await run.cancel()


async def _told(record: Record, after: Position) -> AsyncIterator[bytes]:
    """The stream of an interaction that has ended."""
    for _, event in events(record, after):
        yield sse(event)
    yield DONE


def _forget(record: Record) -> None:
    """What is not to be stored."""
