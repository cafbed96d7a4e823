"""cachedContents: create, get, list, patch and delete (contract §7)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from pollux.serve.errors import ApiError
from pollux.serve.gemini import content, wire
from pollux.serve.gemini.generate import system
from pollux.serve.gemini.generation.cached import addresses
from pollux.serve.gemini.generation.form import functions_of
from pollux.serve.gemini.pages import wanted_page
from pollux.serve.material.arrange import begin
from pollux.serve.routing import Route
from pollux.serve.storage.caches import Cached, StoredCache
from pollux.serve.storage.names import LATEST, stamp

if TYPE_CHECKING:
    from pollux.serve.server import Server

_SECONDS = 3600.0
_FIXED = ("displayName", "systemInstruction", "contents", "tools", "toolConfig")
_AT = "* CachedContent."


def routes(server: Server) -> list[Route]:
    caches = server.library.caches
    server.library.serve(server.services)

    async def create(request: Request) -> Response:
        raw, version, state = await request.body(), request.path_params["v"], request.state
        cached = await asyncio.to_thread(lambda: wanted(server, wire.read(raw, "CachedContent"), version))
        return wire.reply(form(await caches.create(cached, state.client, state.deadline)))

    async def get(request: Request) -> Response:
        return wire.reply(form(await asyncio.to_thread(caches.look, _name(request))))

    async def every(request: Request) -> Response:
        found, following = await asyncio.to_thread(caches.list, *wanted_page(request))
        out = {"cachedContents": [form(cache) for cache in found], "nextPageToken": following}
        return wire.reply({name: value for name, value in out.items() if value})

    async def patch(request: Request) -> Response:
        body = wire.read(await request.body(), "CachedContent")
        await asyncio.to_thread(caches.look, _name(request))
        ends = _changed(body, request.query_params.get("updateMask", request.query_params.get("update_mask", "")))
        return wire.reply(form(await asyncio.to_thread(caches.prolong, _name(request), ends)))

    async def delete(request: Request) -> Response:
        await asyncio.to_thread(caches.delete, _name(request))
        return wire.reply({})

    one = "/{v}/cachedContents/{cache}"
    return [
        Route("POST", "/{v}/cachedContents", create), Route("GET", "/{v}/cachedContents", every), Route("GET", one, get),
        Route("PATCH", one, patch), Route("DELETE", one, delete),
    ]  # fmt: skip


def form(cache: StoredCache) -> dict:
    """A CachedContent of the wire: what is in it is never told."""
    out = {
        "name": cache.name, "model": cache.model, "displayName": cache.display_name, "createTime": stamp(cache.created),
        "updateTime": stamp(cache.updated), "expireTime": stamp(cache.expires), "usageMetadata": {"totalTokenCount": cache.tokens},
    }  # fmt: skip
    return {name: value for name, value in out.items() if value}


def wanted(server: Server, body: dict, version: str = "v1beta") -> Cached:
    """What a CachedContent asks to have cached. Takes as long as its files take to be decoded.

    Raises:
        ApiError: 400 and 403 as for generateContent, 400 for an end that is none, 404 for a model that is not there.
    """
    model = body.get("model", "")
    if not model:
        raise ApiError(400, f"{_AT}model: model is required, as in models/NAME.")
    local = server.name(model, version, "createCachedContent")
    given = (body.get("contents", []), body.get("systemInstruction"), body.get("tools"))
    if not any(given):
        raise ApiError(400, f"{_AT}contents: contents is not specified. There is nothing to cache.")
    name = body.get("displayName", "")
    if len(name) > 128:
        raise ApiError(400, f"{_AT}display_name: it may have 128 characters, this one has {len(name)}.")
    functions = functions_of(body.get("tools", []), body.get("toolConfig", {}))
    documents, said = begin(content.messages(body.get("contents", []), server), system(body, functions))
    about = {"tools": body.get("tools", []), "tool_config": body.get("toolConfig", {}), "uris": addresses(server, body)}
    full = f"models/{model.removeprefix('models/')}"
    return Cached(full, local, name, expiry(body, time.time() + _SECONDS), documents, said, **about)


def expiry(body: dict, usual: float | None = None) -> float:
    """When a CachedContent is to expire, in seconds since 1970.

    Raises:
        ApiError: 400 for both ways to say it, for a moment that has passed, and for none where there is no usual one.
    """
    if "ttl" in body and "expireTime" in body:
        raise ApiError(400, f"{_AT}expiration: oneof field 'expiration' is already set. Give ttl or expireTime, not both.")
    now, ends = time.time(), usual
    if "ttl" in body:
        ends = now + wire.seconds_of(body["ttl"])
    elif "expireTime" in body:
        ends = wire.time_of(body["expireTime"]).timestamp()
    if ends is None:
        raise ApiError(400, f"{_AT}expiration: there is nothing to update. Give ttl, as in \"600s\", or expireTime.")
    if ends <= now:
        raise ApiError(400, f"{_AT}expiration: it has to expire in the future; ttl has to be more than 0s.")
    return min(ends, LATEST)


def _changed(body: dict, mask: str) -> float:
    """The end that a PATCH sets. Without a mask the fields that are there are meant (contract §2)."""
    fields = [_camel(field.strip()) for field in mask.split(",") if field.strip()]
    others = [field for field in (fields or body) if field in _FIXED or (fields and field not in ("ttl", "expireTime"))]
    if others:
        raise ApiError(400, f"{_AT}{others[0]}: only ttl and expireTime can be updated. Create a new CachedContent instead.")
    return expiry({name: body[name] for name in ("ttl", "expireTime") if name in body and (not fields or name in fields)})


def _camel(field: str) -> str:
    return "expireTime" if field == "expire_time" else field


def _name(request: Request) -> str:
    return f"cachedContents/{request.path_params['cache']}"
