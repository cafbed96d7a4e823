"""Where OpenAI's clients find us: at Google's own place for them, under /openai, and at the root."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from pollux.serve.errors import ApiError
from pollux.serve.gemini.wire import reply
from pollux.serve.openai import chat, completions, embeddings
from pollux.serve.routing import Route

if TYPE_CHECKING:
    from pollux.serve.server import Server

_PLACES = ("/{v}/openai", "/openai/v1", "/v1")
# Paths of OpenAI's that are not there, each with what is in its place.
_NOT_THERE = {
    "/responses": "Use chat/completions, or Google's interactions.",
    "/responses/{id}": "Use chat/completions, or Google's interactions.",
    "/files": "Upload with Google's API (POST /upload/v1/files), and name the file in a message by its id.",
    "/files/{id}": "Files are kept by Google's API (/v1/files with the header x-goog-api-key).",
    "/batches": "Use Google's API (POST /v1/models/{model}:batchGenerateContent).",
    "/batches/{id}": "Batches are kept by Google's API (/v1/batches with the header x-goog-api-key).",
    "/images/generations": "The models give text.",
    "/audio/speech": "The models give text.",
    "/audio/transcriptions": "The models read text.",
    "/moderations": "No model here judges harm.",
}
_METHODS = {"": ("GET", "POST"), "{id}": ("GET", "POST", "DELETE")}


def routes(server: Server) -> list[Route]:
    return [route for place in _PLACES for route in _at(server, place)]


def _at(server: Server, place: str) -> list[Route]:
    posted = {"/chat/completions": chat.complete, "/completions": completions.complete, "/embeddings": embeddings.embed}
    found = [Route("POST", place + path, partial(answer, server), openai=True) for path, answer in posted.items()]
    found.append(Route("GET", f"{place}/models", partial(_models, server), openai=True))
    found.append(Route("GET", f"{place}/models/{{model}}", partial(_model, server), openai=True))
    for path, instead in _NOT_THERE.items():
        refuse = partial(_refuse, path, instead)
        methods = _METHODS["{id}" if path.endswith("{id}") else ""]
        found += [Route(method, place + path, refuse, openai=True) for method in methods]
    return found


async def _models(server: Server, request: Request) -> Response:
    return reply({"object": "list", "data": [_card(server, name) for name in server.services]})


async def _model(server: Server, request: Request) -> Response:
    asked = request.path_params["model"]
    try:
        server.name(asked)
    except ApiError as error:
        there = ", ".join(server.services)
        raise ApiError(404, f"The model `{asked[:100]}` does not exist; there is {there}.", param="model") from error
    return reply(_card(server, asked))


def _card(server: Server, name: str) -> dict:
    card = server.service(name).card
    return {"id": name, "object": "model", "created": 0, "owned_by": "pollux", "context_window": card.input_tokens}


async def _refuse(path: str, instead: str, request: Request) -> Response:
    raise ApiError(404, f"{path} is not served here. {instead}")
