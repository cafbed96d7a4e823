"""One request and its response as the server sees them: how much came, what was sent, whether the client is still there."""

from __future__ import annotations

import asyncio

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from pollux.serve.errors import ApiError

_BODILESS = ("GET", "HEAD", "DELETE", "OPTIONS")


class Exchange:
    """``receive`` and ``send`` in place of the server's.

    Attributes:
        status: What was answered, 0 before. complete: Whether all of it was sent.
        headers: Set on the response where it has not set them itself.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        self._receive, self._send, self._most, self._read = receive, send, most, 0
        self._bodiless = scope["method"] in _BODILESS
        self._whole = asyncio.Event()
        if self._bodiless:
            self._whole.set()
        self.status, self.complete, self.headers = 0, False, dict[str, str]()

    async def receive(self) -> Message:
        """The body, piece by piece. Raises ApiError 413 where there is more of it than is taken."""
        if self._bodiless:
            return {"type": "http.request", "body": b"", "more_body": False}
        message = await self._receive()
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            self.check_size(self._read)
        if not message.get("more_body"):
            self._whole.set()
        return message

    def check_size(self, size: int) -> None:
        """Raises ApiError 413."""
        if size > self._most:
            raise ApiError(413, f"Request payload size exceeds the limit: {self._most} bytes.")

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(raw=list(message.get("headers", ())))
            for name, value in self.headers.items():
                if name == "vary":  # of both: the response may differ by other headers as well
                    headers.add_vary_header(value)
                else:
                    headers.setdefault(name, value)
            message = {**message, "headers": headers.raw}
        elif message["type"] == "http.response.body" and not message.get("more_body"):
            self.complete = True
        await self._send(message)

    async def gone(self) -> None:
        """Returns when the client has left. The body has to be read before that can be seen."""
        await self._whole.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
