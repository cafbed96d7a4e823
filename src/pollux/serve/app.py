"""The server as one ASGI application: every request goes the same way.

    path made plain ─ who may ask from where ─ route ─ key ─ limits ─ handler ─ response
                                └─ what fails on the way is told in Google's form, or in OpenAI's

Two surfaces share some paths (``/v1/models``): a request with Google's key or client header is for Google's (contract §11).
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Sequence

from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from pollux.serve import openapi
from pollux.serve.errors import ApiError, of
from pollux.serve.gemini import batches, caches, embed, files, generate, models, tokens, wire
from pollux.serve.interactions import routes as interactions
from pollux.serve.live import routes as live
from pollux.serve.openai import routes as openai
from pollux.serve.operations import health
from pollux.serve.operations.exchange import Exchange
from pollux.serve.operations.logs import note_request
from pollux.serve.operations.origins import Origins
from pollux.serve.routing import Route, find
from pollux.serve.server import Server
from pollux.serve.studio_api import page
from pollux.serve.web.compress import compressed

_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
_SECONDS = re.compile(r"\d{1,7}(\.\d{1,9})?", re.ASCII)
_DOUBLED = re.compile(r"^/(v1|v1beta|v1alpha)(/upload/(?:v1|v1beta|v1alpha)/)")
_OPENAI = re.compile(r"^(/(v1|v1beta|v1alpha))?/openai(/|$)")
_LEFT = 499
_SWEEP_SECONDS = 60.0


def routes(server: Server) -> list[Route]:
    """Every room's."""
    rooms = [health, models, generate, tokens, embed, files, caches, batches, interactions, live, openai, page]
    every = [route for room in rooms for route in room.routes(server)]
    return every + openapi.routes(server, every)


def build(server: Server) -> ASGIApp:
    """The application."""
    return App(server, routes(server))


class App:
    """See the module. ``every``: all routes, Google's first."""

    def __init__(self, server: Server, every: Sequence[Route]) -> None:
        self.server = server
        self.origins = Origins(server.settings.origins, server.settings.hosts)
        self._google, self._openai = (sorted(every, key=lambda route: route.openai is not first) for first in (False, True))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await self._socket(WebSocket({**scope, "path": plain(scope["path"])}, receive, send))
        else:
            await self._exchange({**scope, "path": plain(scope["path"])}, receive, send)

    async def _exchange(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request: answered, or given up when its client leaves; and noted."""
        since = time.monotonic()
        upload = scope["path"].startswith("/upload/")
        settings = self.server.settings
        exchange = Exchange(scope, receive, send, settings.upload_bytes if upload else settings.body_bytes)
        request = Request(scope, exchange.receive)
        begin(request, since, settings.seconds)
        exchange.headers = {"x-request-id": request.state.id, **self.origins.headers(request.headers)}
        work = asyncio.ensure_future(self._answer(request, exchange))
        watch = asyncio.ensure_future(exchange.gone())
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            if exchange.complete:
                await work
        finally:
            watch.cancel()
            work.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)
            self._note(request, exchange, time.monotonic() - since)

    async def _answer(self, request: Request, exchange: Exchange) -> None:
        try:
            response = await self._respond(request, exchange)
            response = response if request.state.openai else await compressed(request, response)
            await response(request.scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            return
        except Exception as error:
            told = of(error)
            if exchange.status:  # it has begun: nothing can be told any more
                return
            body = told.openai() if request.state.openai else told.google()
            if request.url.path.startswith("/upload/"):
                exchange.headers["x-goog-upload-status"] = "final"  # else clients try again (contract §1.7)
            await wire.reply(body, told.code, told.headers)(request.scope, exchange.receive, exchange.send)

    async def _respond(self, request: Request, exchange: Exchange) -> Response:
        """Find the way and go it. Raises whatever is to be told."""
        state = request.state
        self.origins.check(request.headers)
        if request.method == "OPTIONS" and (allowed := self.origins.preflight(request.headers)) is not None:
            return Response(headers=allowed)
        google = is_google(request)
        route, names = find(self._google if google else self._openai, request.method, request.scope["path"])
        request.scope["path_params"] = names
        state.route, state.openai = route.path, route.openai
        secret = route.path.startswith("/upload/") and "upload_id" in request.query_params  # of its own (contract §1.6)
        if not route.open and not secret:
            state.client = self._client(request, route.openai)
            self.server.limits.admit(state.client)
        length = request.headers.get("content-length", "0")
        exchange.check_size(int(length) if length.isdecimal() else 0)
        return await route.handler(request)

    def _client(self, request: Request, openai: bool) -> str:
        """Who asks; raises ApiError with the status that the surface's clients expect."""
        try:
            return self.server.keys.client(request)
        except ApiError as error:
            raise ApiError(401, f"Incorrect API key provided. {error.message}") if openai else error from error

    def _note(self, request: Request, exchange: Exchange, seconds: float) -> None:
        state, status = request.state, exchange.status if exchange.complete else _LEFT
        metrics = self.server.metrics
        metrics.requests.labels(request.method if state.route else "-", state.route, str(status)).inc()
        metrics.seconds.labels(state.route).observe(seconds)
        note_request(
            id=state.id, client=state.client, method=request.method, route=state.route or "-", status=status,
            milliseconds=round(seconds * 1000, 1),
        )  # fmt: skip

    async def _socket(self, socket: WebSocket) -> None:
        try:
            self.origins.check(socket.headers)
            route, names = find(self._google, "WEBSOCKET", socket.scope["path"])
        except ApiError as error:
            await socket.close(1008, error.message[:120])
            return
        socket.scope["path_params"] = names
        begin(socket, time.monotonic(), self.server.settings.seconds)
        await route.handler(socket)

    async def _live(self, receive: Receive, send: Send) -> None:
        """From start to stop."""
        await receive()
        try:
            for each in self.server.opening:
                await each()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        sweeping = asyncio.ensure_future(self._sweep())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.server.ready = False
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)
        for service in self.server.services.values():
            await asyncio.to_thread(service.close)
        await asyncio.to_thread(self.server.library.close)
        await send({"type": "lifespan.shutdown.complete"})


    async def _sweep(self) -> None:
        """Delete what has expired, again and again."""
        while True:
            await asyncio.to_thread(self.server.library.sweep)
            await asyncio.sleep(_SWEEP_SECONDS)


def plain(path: str) -> str:
    """A path as routes have it: clients double slashes, end in one, and set the version before ``/upload`` (contract §1.10, §2)."""
    path = _DOUBLED.sub(r"\2", re.sub("/{2,}", "/", path))
    return path.rstrip("/") or "/"


def is_google(request: HTTPConnection) -> bool:
    """Whether a request is for Google's surface where both have its path (contract §11)."""
    return "x-goog-api-key" in request.headers or "x-goog-api-client" in request.headers or "key" in request.query_params


def begin(connection: HTTPConnection, now: float, most: float) -> None:
    """What handlers find in ``state``, before anything is known."""
    state = connection.state
    given = connection.headers.get("x-request-id", "")
    state.id = given if _ID.fullmatch(given) else secrets.token_hex(8)
    state.client, state.route = "", ""
    state.openai = bool(_OPENAI.match(connection.scope["path"]))
    timeout = connection.headers.get("x-server-timeout", "")
    state.deadline = now + min(float(timeout) if _SECONDS.fullmatch(timeout) else most, most)
