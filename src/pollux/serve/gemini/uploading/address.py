"""Where a client finds this server: what stands in the addresses that it is given."""

from __future__ import annotations

import re

from starlette.requests import Request

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")
_PREFIX = re.compile(r"(/[\w.~-]{1,100}){1,10}", re.ASCII)


def base_of(request: Request) -> str:
    """Scheme, host and perhaps a prefix, as the client has them: of ``X-Forwarded-…`` behind a proxy, else of the request. No
    client may be sent anywhere by this but the one that has sent the header."""
    scheme = _first(request, "x-forwarded-proto").lower()
    host = _first(request, "x-forwarded-host") or request.headers.get("host", "")
    prefix = _first(request, "x-forwarded-prefix").rstrip("/")
    if not _HOST.fullmatch(host):
        host = ":".join(map(str, request.scope.get("server") or ("localhost",)))
    scheme = scheme if scheme in ("http", "https") else request.url.scheme
    return f"{scheme}://{host}{prefix if _PREFIX.fullmatch(prefix) else ''}"


def _first(request: Request, header: str) -> str:
    """Proxies add theirs behind a comma; the client's is the first."""
    return request.headers.get(header, "").partition(",")[0].strip()
