"""Batches: create, get, list, cancel and delete (contract §8)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import orjson
from starlette.requests import Request
from starlette.responses import Response

from pollux.serve.gemini import wire
from pollux.serve.gemini.batching.requests import KINDS, Kind, batch_of
from pollux.serve.gemini.batching.worker import Worker
from pollux.serve.gemini.pages import wanted_page
from pollux.serve.routing import Route
from pollux.serve.storage.batches import GOING, Batch
from pollux.serve.storage.names import stamp

if TYPE_CHECKING:
    from pollux.serve.server import Server

_TYPE = "type.googleapis.com/google.ai.generativelanguage.v1beta."
# google.rpc's codes of batches that ended otherwise than well.
_ENDS = {"CANCELLED": (1, "The batch was cancelled."), "EXPIRED": (4, "The batch was not finished within 48 hours.")}


def routes(server: Server) -> list[Route]:
    batches, worker = server.library.batches, Worker(server)
    server.opening.append(worker.start)
    server.closing.append(worker.stop)

    def create(kind: Kind) -> Callable:
        async def handler(request: Request) -> Response:
            raw, model, version = await request.body(), request.path_params["model"], request.path_params["v"]
            batch = await asyncio.to_thread(batch_of, server, kind, model, version, raw)
            worker.wake()
            return wire.reply(operation(batch))

        return handler

    async def get(request: Request) -> Response:
        return wire.reply(await asyncio.to_thread(lambda: _whole(server, batches.find(_name(request)))))

    async def every(request: Request) -> Response:
        found, following = await asyncio.to_thread(batches.list, *wanted_page(request))
        out = {"operations": [operation(batch) for batch in found], "nextPageToken": following}
        return wire.reply({name: value for name, value in out.items() if value})

    async def cancel(request: Request) -> Response:
        worker.drop((await asyncio.to_thread(batches.cancel, _name(request))).number)
        return wire.reply({})

    async def delete(request: Request) -> Response:
        worker.drop((await asyncio.to_thread(batches.delete, _name(request))).number)
        return wire.reply({})

    made = [Route("POST", "/{v}/models/{model}:" + kind.verb, create(kind)) for kind in KINDS.values()]
    one = "/{v}/batches/{batch}"
    return [
        *made, Route("GET", "/{v}/batches", every), Route("POST", one + ":cancel", cancel), Route("GET", one, get),
        Route("DELETE", one, delete),
    ]  # fmt: skip


def operation(batch: Batch, output: dict | None = None) -> dict:
    """An Operation of the wire. Python reads the metadata alone, others the response (contract §8)."""
    if batch.results:
        output = {"responsesFile": batch.results}
    counts = {"requestCount": batch.total, "successfulRequestCount": batch.good, "failedRequestCount": batch.bad}
    counts["pendingRequestCount"] = batch.total - batch.good - batch.bad
    metadata = {
        "@type": _TYPE + KINDS[batch.kind].name, "name": batch.name, "model": batch.model, "displayName": batch.display_name,
        "createTime": stamp(batch.created), "updateTime": stamp(batch.updated),
        "endTime": "" if batch.ended is None else stamp(batch.ended),
        "batchStats": {name: str(count) for name, count in counts.items() if count},
        "priority": str(batch.priority) if batch.priority else "", "state": f"BATCH_STATE_{batch.state}", "output": output,
    }  # fmt: skip
    if batch.source:
        metadata["inputConfig"] = {"fileName": batch.source}
    out = {"name": batch.name, "metadata": {name: value for name, value in metadata.items() if value}}
    if batch.state in GOING:
        return out
    code, message = _ENDS.get(batch.state, (0, ""))
    if code:
        return out | {"done": True, "error": {"code": code, "message": message}}
    return out | {"done": True, "response": {"@type": f"{_TYPE}{KINDS[batch.kind].name}Output", **(output or {})}}


def _whole(server: Server, batch: Batch) -> dict:
    """A batch with what came of it, where that is told inline."""
    if batch.state != "SUCCEEDED" or batch.results:
        return operation(batch)
    outcomes = []
    for about, response, error in server.library.batches.outcomes(batch.number):
        outcome = {"response": orjson.Fragment(response)} if response is not None else {"error": orjson.Fragment(error)}
        outcomes.append(about | outcome)
    return operation(batch, {"inlinedResponses": {"inlinedResponses": outcomes}})


def _name(request: Request) -> str:
    return f"batches/{request.path_params['batch']}"
