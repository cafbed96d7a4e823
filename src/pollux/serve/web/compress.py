"""JSON answers made smaller, as Google's are, for clients that read gzip. Streams stay as they are: each event is to go at once."""

from __future__ import annotations

import asyncio
import gzip

from starlette.requests import Request
from starlette.responses import Response

# From so many bytes on, compressing takes longer than others should wait for: it is done in a thread.
_LONG = 1 << 16
# Of zlib's levels the fastest: the next ones take twice as long for a tenth less.
_LEVEL = 1


async def compressed(request: Request, response: Response) -> Response:
    """The response, its body as gzip where it is JSON, there at once, and the client reads that."""
    body = getattr(response, "body", b"")
    if response.media_type != "application/json" or not body or not reads_gzip(request.headers.get("accept-encoding", "")):
        return response
    long = len(body) > _LONG
    packed = await asyncio.to_thread(_packed, body) if long else _packed(body)
    response.body = packed
    response.headers.update({"content-encoding": "gzip", "content-length": str(len(packed)), "vary": "Accept-Encoding"})
    return response


def reads_gzip(accepted: str) -> bool:
    """Whether a client that says this of encodings reads gzip; ``gzip;q=0`` says that it does not."""
    names = {name.strip().lower(): rest.replace(" ", "") for name, _, rest in (each.partition(";") for each in accepted.split(","))}
    weight = names.get("gzip", "q=0")
    return not weight.startswith("q=") or weight.removeprefix("q=").strip("0.") != ""


def _packed(body: bytes) -> bytes:
    return gzip.compress(body, _LEVEL, mtime=0)
