"""embedContent and batchEmbedContents: pooled states of the model, each a unit vector."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from pollux.media.segment import Document, Text
from pollux.serve.errors import ApiError
from pollux.serve.gemini import content, wire
from pollux.serve.routing import Route

if TYPE_CHECKING:
    from pollux.serve.server import Server

_MOST = 1000


def routes(server: Server) -> list[Route]:
    async def one(request: Request) -> Response:
        name = server.name(request.path_params["model"], request.path_params["v"], "embedContent")
        body = wire.read(await request.body(), "EmbedContentRequest")
        found = await embeddings(server, name, [body], request.state.client)
        return wire.reply({"embedding": found[0]})

    async def batch(request: Request) -> Response:
        name = server.name(request.path_params["model"], request.path_params["v"], "batchEmbedContents")
        body = wire.read(await request.body(), "BatchEmbedContentsRequest")
        return wire.reply({"embeddings": await embeddings(server, name, body.get("requests", []), request.state.client)})

    base = "/{v}/models/{model}:"
    return [Route("POST", base + "embedContent", one), Route("POST", base + "batchEmbedContents", batch)]


async def embeddings(server: Server, model: str, requests: Sequence[dict], client: str) -> list[dict]:
    """A ContentEmbedding for each EmbedContentRequest, in order.

    Raises:
        ApiError: 400 where there is nothing to embed, another model is named, or more numbers are asked for than there are.
    """
    if not 1 <= len(requests) <= _MOST:
        raise ApiError(400, f"* BatchEmbedContentsRequest.requests: from 1 to {_MOST} requests are allowed, got {len(requests)}.")
    return await asyncio.to_thread(_embedded, server, server.name(model), requests, client)


def _embedded(server: Server, model: str, requests: Sequence[dict], client: str) -> list[dict]:
    """Takes as long as files take to be decoded: it is called in a thread."""
    texts = [_text(server, model, request, number) for number, request in enumerate(requests)]
    rows = server.services[model].embed(texts, client)
    return [{"values": _shortened(row, _size(request)).tolist()} for row, request in zip(rows, requests, strict=True)]


def _text(server: Server, model: str, request: dict, number: int) -> str:
    """The text of a request: its title before its content."""
    at = f"BatchEmbedContentsRequest.requests[{number}]"
    if (other := request.get("model")) and server.name(other) != model:
        raise ApiError(400, f"* {at}.model: it must be the model of the address, models/{model}, got {other[:100]}.")
    text = _words(server, request.get("content", {}), f"{at}.content")
    if not text.strip():
        raise ApiError(400, f"* {at}.content: content is empty")
    title = _option(request, "title") or ""
    if title and _option(request, "taskType") not in (None, "RETRIEVAL_DOCUMENT"):
        raise ApiError(400, f"* {at}.title: it is allowed only with task type RETRIEVAL_DOCUMENT.")
    return f"{title}\n{text}" if title else text


def _words(server: Server, given: dict, at: str) -> str:
    """All text of a content, of files of text, code, HTML and PDF as well. Raises ApiError 400 where anything is not words."""
    if not given.get("parts"):
        return ""
    (message,) = content.messages([given], server)
    files = [segment for part in message.parts if isinstance(part, Document) for segment in part.segments]
    if not all(isinstance(segment, Text) for segment in files):
        raise ApiError(400, f"* {at}: only text, and files of text, are embedded; pictures, sound and films are not.")
    pieces = ([part] if isinstance(part, str) else [segment.text for segment in part.segments] for part in message.parts)
    return "\n".join(text for texts in pieces for text in texts)


def _size(request: dict) -> int | None:
    return _option(request, "outputDimensionality")


def _option(request: dict, name: str):
    """A setting that may stand in the request or in its config."""
    return request.get(name, request.get("embedContentConfig", {}).get(name))


def _shortened(row_W: np.ndarray, size: int | None) -> np.ndarray:
    """The first numbers of a vector, of length 1 again."""
    if size is None:
        return row_W
    if not 1 <= size <= row_W.size:
        raise ApiError(400, f"outputDimensionality must be from 1 to the {row_W.size} that this model has, got {size}.")
    short = row_W[:size]
    return short / max(float(np.linalg.norm(short)), 1e-12)
