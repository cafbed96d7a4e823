"""Where live sessions begin: the key, the setup, and what a session may go on from.

    socket ─key or token→ setup ─→ Session      handles: conversations that a client may come back to
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from starlette.websockets import WebSocket, WebSocketDisconnect

from pollux.serve.errors import ApiError, of
from pollux.serve.live import tokens
from pollux.serve.live.messages import FORBIDDEN, Refused, check, close, refused, setup
from pollux.serve.live.session import Session

if TYPE_CHECKING:
    from pollux.serve.server import Server

# A conversation can be gone on with for so many seconds, as at Google; so many of them are kept.
_KEPT_SECONDS, _KEPT = 7200.0, 1000


class Desk:
    """The live sessions of a server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._sessions: set[Session] = set()
        self._kept: OrderedDict[str, tuple[float, list[dict]]] = OrderedDict()

    async def serve(self, socket: WebSocket, version: str, *, constrained: bool) -> None:
        """A session from beginning to end. ``constrained``: whether it may be begun with an ephemeral token (contract §10)."""
        await socket.accept()
        try:
            session = await self._begin(socket, version, constrained)
            self._sessions.add(session)
            try:
                await session.run()
            finally:
                self._sessions.discard(session)
        except WebSocketDisconnect:
            pass
        except Refused as refusal:
            await close(socket, refusal.code, refusal.reason)
        except Exception as error:
            await refused(socket, of(error))

    async def go_away(self, seconds: float) -> None:
        """Tell every client that the server stops in so many seconds, let answers that are under way end, and close."""
        await asyncio.gather(*(session.leave(seconds) for session in list(self._sessions)), return_exceptions=True)

    def keep(self, contents: list[dict]) -> str:
        """A handle by which a client may go on with a conversation. It is kept in memory: a restart forgets it."""
        handle = secrets.token_urlsafe(24)
        self._kept[handle] = time.monotonic() + _KEPT_SECONDS, contents
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return handle

    def reopened(self, given: dict) -> list[dict]:
        """The conversation that a setup goes on with, an empty one where it names none.

        Raises:
            Refused: where its handle is not known.
        """
        handle = given.get("sessionResumption", {}).get("handle")
        if not handle:
            return []
        until, contents = self._kept.get(handle, (0.0, []))
        if until < time.monotonic():
            raise Refused("Session not found: the handle has expired, or the server was started anew.", FORBIDDEN)
        return list(contents)

    async def _begin(self, socket: WebSocket, version: str, constrained: bool) -> Session:
        """Raises Refused, and ApiError for a model that is not there."""
        secret = tokens.given(socket) if constrained else ""
        client = tokens.client(secret) if secret else self._client(socket)
        given = await setup(socket)
        if secret:
            given = await tokens.spend(self.server, secret, given)
        check(given)
        self.server.name(given.get("model", ""), version, "bidiGenerateContent")
        session = Session(socket, self.server, self, given, client)
        await session.send({"setupComplete": {"sessionId": secrets.token_hex(16)}})
        return session

    def _client(self, socket: WebSocket) -> str:
        try:
            return self.server.keys.client(socket)
        except ApiError as error:
            raise Refused(error.message, FORBIDDEN) from error
