"""Which web pages may ask. None but our own by default, even though a browser lets any page send simple requests anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from pollux.serve.errors import ApiError

_METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
# What clients in a browser send and have to read (contract §2).
_ALLOWED = (
    "authorization, content-type, api-revision, x-goog-api-client, x-goog-api-key, x-goog-user-project, x-server-timeout, "
    "x-goog-upload-protocol, x-goog-upload-command, x-goog-upload-offset, x-goog-upload-header-content-length, "
    "x-goog-upload-header-content-type, x-goog-upload-file-name, x-request-id"
)
_EXPOSED = (
    "X-Goog-Upload-URL, X-Goog-Upload-Status, X-Goog-Upload-Chunk-Granularity, X-Goog-Upload-Size-Received, "
    "X-Goog-Upload-Control-URL, X-Request-Id, Retry-After"
)
_DAY = "86400"
# Of OpenAI's client in a browser: its names begin like this, and new ones come with every version.
_TELEMETRY = "x-stainless-"


class Origins:
    """Attributes: ``origins``, ``hosts``: as `Settings` has them."""

    def __init__(self, origins: Sequence[str], hosts: Sequence[str]) -> None:
        self.origins, self.hosts = tuple(each.rstrip("/") for each in origins), tuple(hosts)

    def check(self, headers: Headers) -> None:
        """Raises ApiError 403 for a page of somebody else's, and for a name that the server has not."""
        host, origin = headers.get("host", ""), headers.get("origin", "")
        name = urlsplit(f"//{host}").hostname or ""
        if self.hosts and name not in self.hosts:
            told = f"This server is not called {name[:100]}. Ask it as {self.hosts[0]}, or start it with keys (--api-key-file)."
            raise ApiError(403, told)
        if origin and not self.allows(origin) and urlsplit(origin).netloc != host:
            raise ApiError(403, f"The page {origin[:100]} may not ask this server. Start it with --cors {origin[:100]} to let it.")

    def allows(self, origin: str) -> bool:
        return "*" in self.origins or origin in self.origins

    def headers(self, headers: Headers) -> dict[str, str]:
        """What lets a page read a response; nothing for pages that may not."""
        origin = headers.get("origin", "")
        if not self.origins:
            return {}
        if not origin or not self.allows(origin):
            return {"vary": "Origin"}
        return {"access-control-allow-origin": origin, "access-control-expose-headers": _EXPOSED, "vary": "Origin"}

    def preflight(self, headers: Headers) -> dict[str, str] | None:
        """What answers the question that a browser asks before a request; None where this is no such question."""
        asked = headers.get("access-control-request-headers", "")
        if "access-control-request-method" not in headers or not self.allows(headers.get("origin", "")):
            return None
        more = [name.strip() for name in asked.split(",") if name.strip().lower().startswith(_TELEMETRY)]
        allowed = ", ".join([_ALLOWED, *more])
        return {"access-control-allow-methods": _METHODS, "access-control-allow-headers": allowed, "access-control-max-age": _DAY}
