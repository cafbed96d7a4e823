"""Live sessions over WebSocket, and the tokens that one may be begun with (contract §8, §10)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from starlette.websockets import WebSocket

from pollux.serve.live import tokens
from pollux.serve.live.desk import Desk
from pollux.serve.routing import Route

if TYPE_CHECKING:
    from pollux.serve.server import Server

_PATH = "/ws/google.ai.generativelanguage.{v}.GenerativeService.BidiGenerateContent"


def routes(server: Server) -> list[Route]:
    desk = Desk(server)
    server.closing.append(desk.go_away)
    free, constrained = (partial(_serve, desk, constrained) for constrained in (False, True))
    sockets = [Route("WEBSOCKET", _PATH, free), Route("WEBSOCKET", _PATH + "Constrained", constrained)]
    return [*sockets, *tokens.routes(server)]


async def _serve(desk: Desk, constrained: bool, socket: WebSocket) -> None:
    await desk.serve(socket, socket.path_params["v"], constrained=constrained)
