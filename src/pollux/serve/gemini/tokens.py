"""countTokens: as many as generateContent counts for the same request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from pollux.serve.errors import ApiError
from pollux.serve.gemini import wire
from pollux.serve.gemini.generate import prepare
from pollux.serve.gemini.generation.usage import prompt_counts
from pollux.serve.routing import Route

if TYPE_CHECKING:
    from pollux.serve.server import Server


def routes(server: Server) -> list[Route]:
    async def count(request: Request) -> Response:
        name = server.name(request.path_params["model"], request.path_params["v"], "countTokens")
        raw = await request.body()
        body = wire.read(raw, "CountTokensRequest")
        return wire.reply(await asyncio.to_thread(counted, server, name, body))

    return [Route("POST", "/{v}/models/{model}:countTokens", count)]


def counted(server: Server, model: str, body: dict) -> dict:
    """A CountTokensResponse. Raises ApiError as `prepare` does, and 400 where contents stand both inside and outside."""
    inner = body.get("generateContentRequest")
    if inner is not None and body.get("contents"):
        raise ApiError(400, "* CountTokensRequest: contents and generateContentRequest exclude each other.")
    prepared = prepare(server, model, body if inner is None else inner, "", None)
    total = prepared.service.tokens(prepared.asks[0])
    counts = prompt_counts(total, prepared.others)
    out = {"totalTokens": total, "promptTokensDetails": counts["promptTokensDetails"]}
    return out if prepared.cached is None else out | {"cachedContentTokenCount": prepared.cached}
