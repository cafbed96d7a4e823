"""A stored file's bytes as a response: all of them, or the range that is asked for, a block at a time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

from starlette.responses import Response

from pollux.serve.storage.files import StoredFile

_BLOCK = 1 << 20
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Download(Response):
    """``headers`` are set on it; ``asked`` is the request's ``Range``, answered by 416 where the file has no such bytes."""

    def __init__(self, file: StoredFile, headers: Mapping[str, str], *, mime: str = "", asked: str = "") -> None:
        super().__init__(media_type=mime or file.mime, headers={"accept-ranges": "bytes", **headers})
        part = span(asked, file.size)
        if part is not None:
            self.status_code = 206 if part else 416
            shown = f"{part.start}-{part.stop - 1}" if part else "*"
            self.headers["content-range"] = f"bytes {shown}/{file.size}"
        self.file, self.span = file, range(file.size) if part is None else part
        self.headers["content-length"] = str(len(self.span))

    async def __call__(self, scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        left = 0 if scope["method"] == "HEAD" else len(self.span)
        with open(self.file.path, "rb") as opened:
            opened.seek(self.span.start)
            while left and (block := await asyncio.to_thread(opened.read, min(left, _BLOCK))):
                left -= len(block)
                await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def span(asked: str, size: int) -> range | None:
    """The bytes of ``size`` that a ``Range`` asks for, none where they are not there; None without one, and for several at once."""
    if not asked.startswith("bytes=") or "," in asked:
        return None
    found = _RANGE.fullmatch(asked)
    if found is None or not any(found.groups()):
        return range(0)
    first, last = found.groups()
    if not first:
        return range(max(0, size - int(last)), size)
    return range(int(first), min(size, int(last) + 1) if last else size)
