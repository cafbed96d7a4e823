"""Lists in pages (contract §2)."""

from __future__ import annotations

from starlette.requests import Request

from pollux.serve.errors import ApiError

_USUAL, _MOST = 50, 100


def wanted_page(request: Request, most: int = _MOST) -> tuple[int, str]:
    """How many are asked for, and behind which token. Raises ApiError 400 for a size that is no number."""
    query = request.query_params
    text = query.get("pageSize", query.get("page_size", "0")) or "0"
    if not text.isascii() or not text.isdecimal():
        raise ApiError(400, f"Invalid value at 'page_size' (TYPE_INT32), {text[:60]}: it has to be 0 or more.")
    size = int(text[:9])
    return min(size, most) or _USUAL, query.get("pageToken", query.get("page_token", ""))
