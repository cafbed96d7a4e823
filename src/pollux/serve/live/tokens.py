"""Ephemeral tokens: a page in a browser is given one in place of a key, good for few sessions and a short time (contract §8).

    POST auth_tokens ─→ "auth_tokens/<secret>"      session: token's setup over the client's, one use less
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from pollux.serve.errors import ApiError
from pollux.serve.gemini import wire
from pollux.serve.live.messages import FORBIDDEN, Refused
from pollux.serve.operations.keys import digest
from pollux.serve.routing import Route

if TYPE_CHECKING:
    from pollux.serve.server import Server

# How long a token is good for where nothing is said, and at most; and how long a session may be begun with it.
_LASTS, _LONGEST, _BEGINS = timedelta(minutes=30), timedelta(hours=20), timedelta(seconds=60)
_PREFIX = "auth_tokens/"
_SNAKE = re.compile("_([a-z])")


def routes(server: Server) -> Sequence[Route]:
    async def create(request: Request) -> Response:
        body = wire.read(await request.body(), "AuthToken")
        now = datetime.now(UTC)
        expires = _time(body, "expireTime", now, now + _LASTS)
        begins = _time(body, "newSessionExpireTime", now, min(now + _BEGINS, expires))
        uses = body.get("uses", 1)
        if uses < 0:
            raise ApiError(400, f"uses: it has to be 0, for any number, or more, got {uses}.")
        setup = body.get("bidiGenerateContentSetup")
        mask = _mask(body.get("fieldMask", ""))
        if mask and setup is None:
            raise ApiError(400, "fieldMask: it needs bidiGenerateContentSetup, whose fields it names.")
        name = _PREFIX + secrets.token_urlsafe(32)
        await asyncio.to_thread(server.library.auth_tokens.add, digest(name), uses, expires, begins, setup, mask)
        return wire.reply({"name": name})

    return [Route("POST", "/{v}/auth_tokens", create)]


def _time(body: dict, field: str, now: datetime, default: datetime) -> datetime:
    """Raises ApiError 400 where it is past or too far away."""
    time = wire.time_of(body[field]) if field in body else default
    if not now < time <= now + _LONGEST:
        hours = _LONGEST.total_seconds() / 3600
        raise ApiError(400, f"{field}: it has to be in the next {hours:.0f} hours, got {body.get(field)}.")
    return time


def _mask(mask: str) -> list[str]:
    """The fields that a token fixes, as paths in camelCase."""
    return [_SNAKE.sub(lambda found: found[1].upper(), path.strip()) for path in mask.split(",") if path.strip()]


def given(connection: HTTPConnection) -> str:
    """The token that a session is begun with: in a header from Python, in the address from JavaScript; "" for none."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    held = token.strip() if scheme.lower() in ("token", "bearer") else ""
    found = connection.query_params.get("access_token") or held
    return found if found.startswith(_PREFIX) else ""


def client(secret: str) -> str:
    """Who asks, where a token stands for a key."""
    return f"token {digest(secret)[:12]}"


async def spend(server: Server, secret: str, setup: dict) -> dict:
    """Begin a session with a token: gives the setup that holds.

    Raises:
        Refused: where the token is not known, has expired, or was used as often as it may be.
    """
    resumed = bool(setup.get("sessionResumption", {}).get("handle"))
    use = partial(server.library.auth_tokens.use, digest(secret), datetime.now(UTC), resumed=resumed)
    token = await asyncio.to_thread(use)
    if token is None:
        raise Refused("The token is not valid: it is unknown, has expired, or was used as often as it may be.", FORBIDDEN)
    if token.setup is None:
        return setup
    if not token.mask:
        return token.setup | ({"sessionResumption": setup["sessionResumption"]} if "sessionResumption" in setup else {})
    held = dict(setup)
    for path in token.mask:
        _fix(held, token.setup, path.split("."))
    return held


def _fix(into: dict, source: dict, path: list[str]) -> None:
    """Have a field be what a token says, or not be there where it says nothing."""
    name, rest = path[0], path[1:]
    if rest and isinstance(source.get(name, {}), dict) and isinstance(into.get(name, {}), dict):
        into[name] = dict(into.get(name, {}))
        _fix(into[name], source.get(name, {}), rest)
    elif name in source:
        into[name] = source[name]
    else:
        into.pop(name, None)
