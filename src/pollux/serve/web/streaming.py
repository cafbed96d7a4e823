"""A response that is sent as it is produced.

What fails before the first byte is an ordinary error with its own status; later it is an event in the stream. While a long
text is read nothing comes, so that after some seconds the stream is begun and kept alive: for Google's clients by empty lines,
the only thing that they pass over (contract §1.4).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from starlette.responses import Response

from pollux.serve.errors import ApiError, of

# Seconds without a byte.
PATIENCE = 10.0


class Streamed(Response):
    """``chunks`` one by one. ``failed`` makes the last bytes of an error; ``still`` is sent when nothing comes for `PATIENCE`."""

    def __init__(
        self, chunks: AsyncIterator[bytes], failed: Callable[[ApiError], bytes], *, media_type: str, still: bytes = b"\n"
    ) -> None:
        super().__init__(media_type=media_type, headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self.chunks, self.failed, self.still, self.begun = chunks, failed, still, False

    async def __call__(self, scope, receive, send) -> None:
        coming = None
        try:
            while True:
                coming = coming or asyncio.ensure_future(anext(self.chunks))
                done, _ = await asyncio.wait({coming}, timeout=PATIENCE)
                if done:
                    chunk, coming = coming.result(), None
                else:
                    chunk = self.still
                await self._send(send, chunk)
        except StopAsyncIteration:
            await self._send(send, b"", more=False)
        except Exception as error:
            if not self.begun:
                raise
            await self._send(send, self.failed(of(error)), more=False)
        finally:
            await self._leave(coming)

    async def _send(self, send, chunk: bytes, more: bool = True) -> None:
        if not self.begun:
            self.begun = True
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": chunk, "more_body": more})

    async def _leave(self, coming: asyncio.Future | None) -> None:
        """End the producer, whatever it is doing, so that the engine is told at once."""
        if coming and not coming.done():
            coming.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await coming
        await self.chunks.aclose()
