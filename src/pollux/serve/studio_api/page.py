"""The studio: a web page for what the server does. Its files are built from ``studio/`` of the repository into
``serve/studio/``; what it asks beyond Google's API is under ``/studio-api`` (`studio_api`).

    GET /           leads to the page
    GET /studio/    the page
    GET /studio/assets/{name}   its parts, whose names change with what they hold, so that browsers keep them for ever
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from pollux.serve.errors import ApiError
from pollux.serve.routing import Route
from pollux.serve.studio_api import content, material, prompts, streaming

if TYPE_CHECKING:
    from pollux.serve.server import Server

FOLDER = Path(__file__).parents[1] / "studio"
_TYPES = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml", ".json": "application/json",
}  # fmt: skip
# Nothing but what this server sends is run, loaded or asked, and HTML is made by the two named policies alone: Svelte's for the
# page's own templates, DOMPurify's for what models write.
POLICY = "; ".join([
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:", "font-src 'self'",
    "connect-src 'self'", "media-src 'self' blob:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    "require-trusted-types-for 'script'", "trusted-types svelte-trusted-html dompurify",
])  # fmt: skip
_GUARDS = {
    "content-security-policy": POLICY, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin", "permissions-policy": "camera=(), microphone=(), geolocation=()",
}  # fmt: skip
_FOR_EVER, _ASK_EACH_TIME = "public, max-age=31536000, immutable", "no-cache"


@dataclass(frozen=True)
class Asset:
    """A file of the page. ``kept``: whether its name changes with its bytes."""

    data: bytes
    kind: str
    kept: bool

    @cached_property
    def packed(self) -> bytes:
        return gzip.compress(self.data, 9, mtime=0)

    @cached_property
    def tag(self) -> str:
        return f'W/"{hashlib.sha256(self.data).hexdigest()[:20]}"'  # weak: packed or not, it is the same


def assets(folder: Path = FOLDER) -> dict[str, Asset]:
    """The page's files by their path below the folder; none where it was not built."""
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in _TYPES]
    names = ((path.relative_to(folder).as_posix(), path) for path in files)
    return {name: Asset(path.read_bytes(), _TYPES[path.suffix], name.startswith("assets/")) for name, path in names}


def routes(server: Server) -> list[Route]:
    found = assets()

    async def root(request: Request) -> Response:
        return Response(status_code=307, headers={"location": "studio/"})

    async def page(request: Request) -> Response:
        # Paths come without their last slash, but what the page names is beside it: a browser has to have that slash.
        if not request.scope.get("raw_path", b"/").partition(b"?")[0].endswith(b"/"):
            return Response(status_code=307, headers={"location": "studio/"})
        if "index.html" not in found:
            raise ApiError(404, "This installation has no studio: build it with `npm ci && npm run build` in the folder studio.")
        return respond(found["index.html"], request.headers)

    async def part(request: Request) -> Response:
        name = request.scope["path"].removeprefix("/studio/")
        if name not in found:
            raise ApiError(404, f"The studio has no file {name[:100]}.")
        return respond(found[name], request.headers)

    pages = [
        Route("GET", "/", root, open=True),
        Route("GET", "/studio", page, open=True),
        Route("GET", "/studio/{name}", part, open=True),
        Route("GET", "/studio/assets/{name}", part, open=True),
    ]
    return [*pages, *prompts.routes(server), *material.routes(server), *content.routes(server), *streaming.routes(server)]


def respond(asset: Asset, headers: Mapping[str, str]) -> Response:
    """An asset as this browser takes it: packed where it can, nothing where it has it."""
    given = _GUARDS | {
        "etag": asset.tag, "cache-control": _FOR_EVER if asset.kept else _ASK_EACH_TIME, "vary": "Accept-Encoding",
    }  # fmt: skip
    if asset.tag in headers.get("if-none-match", ""):
        return Response(status_code=304, headers=given)
    if "gzip" in headers.get("accept-encoding", ""):
        return Response(asset.packed, headers=given | {"content-encoding": "gzip"}, media_type=asset.kind)
    return Response(asset.data, headers=given, media_type=asset.kind)
