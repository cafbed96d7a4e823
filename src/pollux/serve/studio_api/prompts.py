"""Prompts of the studio: listed, opened, saved a turn at a time, deleted, handed out as a file and taken back.

A file that is shared is ``{"pollux": "prompt", "version": 1, "prompt": {…}, "turns": [{…}]}``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from pollux.serve.errors import ApiError
from pollux.serve.gemini.wire import dumps, reply
from pollux.serve.routing import Route
from pollux.serve.storage.prompts import Prompts

if TYPE_CHECKING:
    from pollux.serve.server import Server

_BASE = "/studio-api/prompts"
_MARK, _VERSION = "prompt", 1


def routes(server: Server) -> list[Route]:
    prompts = Prompts(server.library.database)

    def owner(request: Request) -> str:
        """Whose prompts: with keys each key has its own; without there is one library."""
        return request.state.client if server.keys.needed else ""

    async def listed(request: Request) -> Response:
        return reply({"prompts": await asyncio.to_thread(prompts.list, owner(request))})

    async def opened(request: Request) -> Response:
        return reply(await asyncio.to_thread(prompts.open, owner(request), request.path_params["id"]))

    async def saved(request: Request) -> Response:
        head = await body(request)
        return reply(await asyncio.to_thread(prompts.save, owner(request), request.path_params["id"], head))

    async def turn(request: Request) -> Response:
        names, given = request.path_params, await body(request)
        await asyncio.to_thread(prompts.save_turn, owner(request), names["id"], names["turn"], given)
        return reply({})

    async def deleted(request: Request) -> Response:
        await asyncio.to_thread(prompts.delete, owner(request), request.path_params["id"])
        return reply({})

    async def exported(request: Request) -> Response:
        found = await asyncio.to_thread(prompts.open, owner(request), request.path_params["id"])
        turns = found.pop("turns")
        whole = dumps({"pollux": _MARK, "version": _VERSION, "prompt": found, "turns": turns})
        headers = {"content-disposition": 'attachment; filename="prompt.pollux.json"', "x-content-type-options": "nosniff"}
        return Response(whole, headers=headers, media_type="application/json")

    async def imported(request: Request) -> Response:
        given = await body(request)
        if given.get("pollux") != _MARK or not isinstance(given.get("prompt"), dict) or not isinstance(given.get("turns"), list):
            raise ApiError(400, "This is no prompt of a Pollux studio. Choose a file that was saved by “Share as a file”.")
        if given.get("version") != _VERSION:
            raise ApiError(400, f"This prompt was written by a newer studio (version {given.get('version')}). Install that one.")
        return reply(await asyncio.to_thread(prompts.take, owner(request), given["prompt"], given["turns"]))

    return [
        Route("GET", _BASE, listed),
        Route("POST", _BASE + ":import", imported),
        Route("GET", _BASE + "/{id}:export", exported),
        Route("GET", _BASE + "/{id}", opened),
        Route("PUT", _BASE + "/{id}", saved),
        Route("DELETE", _BASE + "/{id}", deleted),
        Route("PUT", _BASE + "/{id}/turns/{turn}", turn),
    ]


async def body(request: Request) -> dict[str, Any]:
    """A request's JSON object. Raises ApiError 400."""
    try:
        data = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise ApiError(400, f"Invalid JSON payload received. {error}") from error
    if not isinstance(data, dict):
        raise ApiError(400, "A JSON object is expected.")
    return data
