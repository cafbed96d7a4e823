"""A stored file's own bytes, for the page's pictures and players; by ranges, so that a film can be begun at any second.

    GET /studio-api/files/{id}/content      200; 206 for a range; 416 for one that the file has not

Pictures, sound and films are shown where they stand, whatever they hold can do nothing there; all else is only to be saved.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from pollux.serve.routing import Route
from pollux.serve.storage.files import StoredFile, missing
from pollux.serve.web.download import Download

if TYPE_CHECKING:
    from pollux.serve.server import Server

_SHOWN = ("image", "audio", "video")
# Names of forms that browsers take for what they can play.
_PLAYED = {"video/mov": "video/mp4", "video/matroska": "video/webm", "audio/mp3": "audio/mpeg"}
_GUARDS = {
    "x-content-type-options": "nosniff", "content-security-policy": "sandbox", "cross-origin-resource-policy": "same-origin",
    "cache-control": "private, max-age=600",
}  # fmt: skip


def routes(server: Server) -> list[Route]:
    async def content(request: Request) -> Response:
        file = await asyncio.to_thread(_found, server, request.path_params["id"])
        tag, asked = f'"{file.sha256}"', request.headers.get("range", "")
        if request.headers.get("if-range", tag) != tag:
            asked = ""
        headers = _GUARDS | {"etag": tag, "content-disposition": "inline" if _is_shown(file.mime) else "attachment"}
        return Download(file, headers, mime=_PLAYED.get(file.mime, ""), asked=asked)

    return [Route("GET", "/studio-api/files/{id}/content", content)]


def _found(server: Server, name: str) -> StoredFile:
    """A file whose bytes are there. Raises ApiError; its checksum is not asked for, since a film is fetched in many ranges."""
    file = server.library.files.find(name)
    file.check_state()
    if not file.path.exists():
        raise missing(file.name)
    return file


def _is_shown(mime: str) -> bool:
    return mime.partition("/")[0] in _SHOWN and mime != "image/svg+xml"
