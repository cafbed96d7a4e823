"""embeddings: a unit vector for each text, as numbers or, as OpenAI's own client asks for them, as the bytes of 32-bit floats."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from pollux.engine.many.service import Service
from pollux.serve.gemini.wire import reply
from pollux.serve.openai.chat import known
from pollux.serve.openai.prompts import prompts
from pollux.serve.web.fields import Fields

if TYPE_CHECKING:
    from pollux.serve.server import Server

# Texts of one request, as at OpenAI.
_MOST = 2048


async def embed(server: Server, request: Request) -> Response:
    fields = Fields.read(await request.body())
    name = known(server, fields)
    service = server.services[name]
    texts = prompts(fields, "input", service.vocabulary, _MOST)
    for number, text in enumerate(texts):
        if not text.strip():
            raise fields.refuse(f"input[{number}]", "it is empty.")
    form = fields.get("encoding_format", str, default="float")
    if form not in ("float", "base64"):
        raise fields.refuse("encoding_format", f"expected float or base64, got {form!r}.")
    rows, count = await asyncio.to_thread(_embedded, service, texts, request.state.client)
    rows = _shortened(rows, fields)
    data = [{"object": "embedding", "index": index, "embedding": _written(row, form)} for index, row in enumerate(rows)]
    return reply({"object": "list", "data": data, "model": name, "usage": {"prompt_tokens": count, "total_tokens": count}})


def _embedded(service: Service, texts: list[str], client: str) -> tuple[np.ndarray, int]:
    """Vectors float32 [N, W], and how many tokens the texts have."""
    return service.embed(texts, client), sum(service.vocabulary.encode(text).size for text in texts)


def _shortened(rows_NW: np.ndarray, fields: Fields) -> np.ndarray:
    """The first numbers of each, of length 1 again, where ``dimensions`` asks for fewer."""
    size = fields.number("dimensions", 1, rows_NW.shape[1], whole=True)
    if size is None:
        return rows_NW
    short = rows_NW[:, :size]
    return short / np.maximum(np.linalg.norm(short, axis=-1, keepdims=True), 1e-12)


def _written(row_W: np.ndarray, form: str) -> list[float] | str:
    return base64.b64encode(row_W.astype("<f4").tobytes()).decode() if form == "base64" else row_W.tolist()
