"""The models, and the names that stand for them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from pollux.engine.many.service import Card
from pollux.engine.request import Sampling
from pollux.serve.errors import ApiError
from pollux.serve.gemini import wire
from pollux.serve.gemini.pages import wanted_page
from pollux.serve.routing import Route

if TYPE_CHECKING:
    from pollux.serve.server import Server

_METHODS = (
    "generateContent", "countTokens", "createCachedContent", "batchGenerateContent", "embedContent", "asyncBatchEmbedContent",
    "bidiGenerateContent",
)  # fmt: skip
_MOST = 1000
_TOKEN = re.compile(r"after-(\d{1,15})")


def routes(server: Server) -> list[Route]:
    async def listed(request: Request) -> Response:
        every = [model(name, service.card) for name, service in server.services.items()]
        return wire.reply(_page(request, every))

    async def got(request: Request) -> Response:
        asked, version = request.path_params["model"], request.path_params["v"]
        name = server.name(asked, version, "getModel")
        return wire.reply(model(asked, server.services[name].card, name))

    async def tuned(request: Request) -> Response:
        return wire.reply({})

    async def no_tuned(request: Request) -> Response:
        raise ApiError(404, f"tunedModels/{request.path_params['model']} is not found: models are not tuned through this API.")

    async def fixed(request: Request) -> Response:
        server.name(request.path_params["model"], request.path_params["v"], "getModel")
        raise ApiError(403, "Models cannot be changed or deleted through this API.")

    return [
        Route("GET", "/{v}/models", listed), Route("GET", "/{v}/models/{model}", got), Route("GET", "/{v}/tunedModels", tuned),
        Route("GET", "/{v}/tunedModels/{model}", no_tuned), Route("POST", "/{v}/tunedModels/{model}:generateContent", no_tuned),
        *(Route(method, "/{v}/models/{model}", fixed) for method in ("DELETE", "PATCH")),
        *(Route(method, "/{v}/tunedModels/{model}", no_tuned) for method in ("DELETE", "PATCH")),
    ]  # fmt: skip


def model(name: str, card: Card, local: str = "") -> dict:
    """A Model; ``local``: the model that the name stands for where it is an alias."""
    stands = f"; {name} stands for it here" if local and local != name else ""
    return {
        "name": f"models/{name}", "baseModelId": local or name, "version": card.version, "displayName": f"Pollux {card.name}",
        "description": f"Reads long texts, code, HTML and PDF, and answers with the place{stands}.",
        "inputTokenLimit": card.input_tokens, "outputTokenLimit": card.output_tokens, "supportedGenerationMethods": list(_METHODS),
        "temperature": Sampling().temperature, "maxTemperature": 2.0, "topP": Sampling().top_p,
    }  # fmt: skip


def _page(request: Request, every: Sequence[dict]) -> dict:
    """A page of the models. Raises ApiError 400 for a token that was not given out."""
    size, token = wanted_page(request, _MOST)
    found = _TOKEN.fullmatch(token or "after-0")
    if not found or int(found[1]) > len(every):
        raise ApiError(400, f"Invalid page token: {token[:60]}. Give the nextPageToken of an earlier answer, or none.")
    end = int(found[1]) + size
    return {"models": every[int(found[1]) : end]} | ({"nextPageToken": f"after-{end}"} if end < len(every) else {})
