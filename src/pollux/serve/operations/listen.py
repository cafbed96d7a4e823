"""The application on a port, from start to a graceful stop.

    SIGTERM or Ctrl-C ─> no new connections ─> what is under way goes on, for so many seconds ─> the rest fails, and is told so
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from pollux.base.errors import ConfigError
from pollux.serve.server import Server

# A live session's messages carry files.
_MOST_SOCKET_BYTES = 64 << 20
# What failing, and telling so, may take.
_AFTER = 5.0
_KEEP_ALIVE = 75


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises ConfigError where the address is taken, or is none of this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        told = f"cannot listen at {host} port {port}: {getattr(error, 'strerror', None) or error}"
        raise ConfigError(told, "name another with --host and --port; --port 0 takes one that is free") from error


def listener(
    app: ASGIApp, server: Server, ready: Callable[[], None], certfile: str | None = None, keyfile: str | None = None
) -> uvicorn.Server:
    """What serves, with ``run(sockets=[bound(…)])``, until a signal comes. ``ready`` is called when requests are taken.

    Raises:
        ConfigError: the certificate or its key cannot be used.
    """
    config = uvicorn.Config(
        app, lifespan="on", log_config=None, access_log=False, server_header=False, ws_max_size=_MOST_SOCKET_BYTES,
        timeout_keep_alive=_KEEP_ALIVE, timeout_graceful_shutdown=round(server.settings.close_seconds + _AFTER),
        ssl_certfile=certfile, ssl_keyfile=keyfile,
    )  # fmt: skip
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"the certificate cannot be used: {error}", "give PEM files with --certfile and --keyfile") from error
    return _Listener(config, server, ready)


class _Listener(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, server: Server, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._server, self._tell_ready = server, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._tell_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the engines close while connections are waited for."""
        seconds = self._server.settings.close_seconds
        self._server.ready = False
        closing = [asyncio.ensure_future(each(seconds)) for each in self._server.closing]
        closing += [asyncio.ensure_future(asyncio.to_thread(each.close, seconds)) for each in self._server.services.values()]
        for each in (*self.servers, *(sockets or ())):
            each.close()  # no new connections
        await asyncio.gather(*closing, return_exceptions=True)  # before live sessions are cut off, which is what comes next
        await super().shutdown(sockets)
