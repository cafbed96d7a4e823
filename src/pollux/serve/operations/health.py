"""Whether the server is there, whether it takes requests, and what it counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from pollux.serve.gemini.wire import reply
from pollux.serve.routing import Route

if TYPE_CHECKING:
    from pollux.serve.server import Server

_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def routes(server: Server) -> list[Route]:
    async def health(request: Request) -> Response:
        return reply({"status": "ok"})

    async def ready(request: Request) -> Response:
        if not server.ready:
            return reply({"status": "stopping"}, 503)
        warm = all(service.ready for service in server.services.values())
        return reply({"status": "ready"}) if warm else reply({"status": "warming up"}, 503)

    async def metrics(request: Request) -> Response:
        return Response(server.metrics.text(), media_type=_PROMETHEUS)

    return [
        Route("GET", "/healthz", health, open=True),
        Route("GET", "/readyz", ready, open=True),
        Route("GET", "/metrics", metrics),
    ]
