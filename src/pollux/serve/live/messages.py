"""Messages of a live session: read from frames, refused by closing the socket, and the parts that both sides' forms share."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.websockets import WebSocket, WebSocketDisconnect

from pollux.serve.errors import ApiError
from pollux.serve.gemini import generate, wire
from pollux.serve.gemini.generate import Prepared

if TYPE_CHECKING:
    from pollux.serve.server import Server

# Codes that a socket is closed with: the server stops, a message cannot be taken, a key is not good, a fault of ours, a full queue.
GOING, INVALID, FORBIDDEN, INTERNAL, BUSY = 1001, 1007, 1008, 1011, 1013
# The most bytes of a reason.
_REASON = 123
_SPOKEN = ("responseModalities", "speechConfig", "mediaResolution", "enableAffectiveDialog")


class Refused(Exception):
    """A message that cannot be taken: the socket is closed with this code and reason."""

    def __init__(self, reason: str, code: int = INVALID) -> None:
        super().__init__(reason)
        self.reason, self.code = reason, code


async def frame(socket: WebSocket) -> dict:
    """The next message, of a text or a binary frame.

    Raises:
        Refused: where it is none. WebSocketDisconnect: where the client has left.
    """
    event = await socket.receive()
    if event["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(event.get("code", 1000), event.get("reason"))
    data = event.get("bytes") or (event.get("text") or "").encode()
    try:
        return wire.read(data, "LiveMessage")
    except ApiError as error:
        raise Refused(error.message) from error


async def setup(socket: WebSocket) -> dict:
    """The first message, which sets the session up.

    Raises:
        Refused: where it is another, or asks for what is not there. WebSocketDisconnect: where the client has left.
    """
    message = await frame(socket)
    if list(message) != ["setup"]:
        raise Refused("The first message has to be setup, and nothing else.")
    return message["setup"]


def check(given: dict) -> None:
    """Raises Refused for a setup that asks for what is not there."""
    modalities = given.get("generationConfig", {}).get("responseModalities", [])
    if wanted := [each for each in modalities if each not in ("TEXT", "MODALITY_UNSPECIFIED")]:
        raise Refused(f"The response modality {wanted[0]} is not supported: this model answers with TEXT.")
    for name in ("avatarConfig", "inputAudioTranscription"):
        if given.get(name):
            raise Refused(f"setup.{name} is not supported: this model reads and gives text.")
    activity = given.get("realtimeInputConfig", {}).get("automaticActivityDetection", {})
    if not isinstance(activity, dict):
        raise Refused("setup.realtimeInputConfig.automaticActivityDetection has to be an object.")


async def question(server: Server, given: dict, contents: list[dict], client: str) -> Prepared:
    """The request for one answer. Raises ApiError as `generate.prepare` does, and 429 where the client has used up its share."""
    server.limits.admit(client)
    config = {name: value for name, value in given.get("generationConfig", {}).items() if name not in _SPOKEN}
    kept = ("systemInstruction", "tools", "toolConfig", "safetySettings")
    body = {name: given[name] for name in kept if name in given} | {"generationConfig": config, "contents": list(contents)}
    deadline = time.monotonic() + server.settings.seconds
    return await asyncio.to_thread(generate.prepare, server, given.get("model", ""), body, client, deadline)


async def refused(socket: WebSocket, error: ApiError) -> None:
    """Close, with what went wrong as the reason."""
    code = BUSY if error.code in (429, 503) else INVALID if error.code < 500 else INTERNAL
    await close(socket, code, error.message)


async def close(socket: WebSocket, code: int, reason: str) -> None:
    cut = reason.encode()[:_REASON].decode("utf-8", "ignore")
    with suppress(RuntimeError, WebSocketDisconnect):  # it is closed already
        await socket.close(code, cut)


def usage(counts: dict) -> dict:
    """``usageMetadata`` as live sessions have it: ``response…`` in place of ``candidates…``."""
    return {name.replace("candidates", "response"): value for name, value in counts.items()}
