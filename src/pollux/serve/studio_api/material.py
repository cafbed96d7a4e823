"""Material as the studio shows it: what a file costs before it is uploaded, and its text around a passage.

A file is taken apart as for a model, pictures, sound and films seen and heard, so that what is asked afterwards finds it done.
A text is shown in rows: its lines, the long ones in pieces, so that a book on one line is shown in parts too.
"""

from __future__ import annotations

import asyncio
import re
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from pollux.engine.many.service import Service
from pollux.engine.request import Ask
from pollux.media.segment import Document, Text
from pollux.serve.errors import ApiError
from pollux.serve.gemini.wire import reply
from pollux.serve.material.perceived import Manner, manner
from pollux.serve.routing import Route
from pollux.serve.storage.files import StoredFile

if TYPE_CHECKING:
    from pollux.serve.server import Server

_ROW = re.compile(r"[^\n]{1,2000}\n?|\n")
_MOST_ROWS, _ROWS, _BEFORE = 1000, 160, 0.4
_INDEXES = 32  # texts whose rows are remembered, 8 bytes a row
_NUMBER = re.compile(r"\d{1,12}")


def routes(server: Server) -> list[Route]:
    indexes: OrderedDict[tuple, array] = OrderedDict()

    def document(name: str, how: Manner = Manner()) -> tuple[StoredFile, Document]:
        """A stored file, taken apart as for a model."""
        file = server.library.files.find(name)
        return file, server.perceiver.stored(file, how)

    def starts(file: StoredFile, segment: Text) -> array:
        key = (file.sha256, segment.page)
        found = indexes.get(key)
        if found is None:
            found = indexes[key] = array("q", (match.start() for match in _ROW.finditer(segment.text)))
            while len(indexes) > _INDEXES:
                indexes.popitem(last=False)
        return found

    def shown(name: str, query: Mapping[str, str]) -> dict:
        file, whole = document(name)
        segment = _segment(whole, _number(query, "page"))
        return {"title": file.display_name or file.name, "mime": file.mime, **stretch(whole, segment, starts(file, segment), query)}

    def costs(document: Document, query: Mapping[str, str]) -> dict:
        return {"tokens": cost(server.service(query.get("model", _first(server))), document)}

    def weighed(name: str, query: Mapping[str, str]) -> dict:
        return costs(document(name, _manner(query))[1], query)

    def sent(data: bytes, query: Mapping[str, str]) -> dict:
        return costs(server.perceiver.sent(data, query.get("name", "file")[:400], _manner(query)), query)

    async def text(request: Request) -> Response:
        name, query = request.path_params["id"], request.query_params
        if query.get("whole"):
            _, whole = await asyncio.to_thread(document, name)
            return PlainTextResponse("\n".join(each.text for each in whole.segments), headers={"x-content-type-options": "nosniff"})
        return reply(await asyncio.to_thread(shown, name, query))

    async def stored(request: Request) -> Response:
        return reply(await asyncio.to_thread(weighed, request.path_params["id"], request.query_params))

    async def tokens(request: Request) -> Response:
        return reply(await asyncio.to_thread(sent, await request.body(), request.query_params))

    return [
        Route("GET", "/studio-api/files/{id}/text", text),
        Route("GET", "/studio-api/files/{id}/tokens", stored),
        Route("POST", "/studio-api/tokens", tokens),
    ]


def cost(service: Service, document: Document) -> int:
    """Tokens that a document adds to a request: services count nothing that asks nothing."""
    return service.tokens(Ask("?", (document,))) - service.tokens(Ask("?"))


def stretch(whole: Document, segment: Text, starts: array, query: Mapping[str, str]) -> dict:
    """Rows around character ``at`` or line ``line``, or from number ``row`` on; at most ``count``."""
    count = min(_number(query, "count") or _ROWS, _MOST_ROWS)
    first = _number(query, "row")
    if first is None:
        first = max(0, _row(segment, starts, query) - int(count * _BEFORE))
    rows = [_shown(segment, starts, number) for number in range(first, min(first + count, len(starts)))]
    pages = list(dict.fromkeys(each.page for each in whole.segments if each.page is not None))  # a page may have pictures too
    last = segment.line(starts[-1]) if starts else 0
    return {"page": segment.page, "pages": pages, "first": first, "total": len(starts), "lines": last, "rows": rows}


def _row(segment: Text, starts: array, query: Mapping[str, str]) -> int:
    """The number of the row that is asked for."""
    if (line := _number(query, "line")) is not None:
        return min(bisect_left(range(len(starts)), line, key=lambda number: segment.line(starts[number])), len(starts) - 1)
    at = (_number(query, "at") or 0) - segment.start
    return max(0, bisect_right(starts, at) - 1)


def _shown(segment: Text, starts: array, number: int) -> dict:
    start = starts[number]
    end = starts[number + 1] if number + 1 < len(starts) else len(segment.text)
    begins = start == 0 or segment.text[start - 1] == "\n"
    text = segment.text[start:end].rstrip("\r\n")
    return {"line": segment.line(start), "start": segment.start + start, "text": text, "begins": begins}


def _segment(whole: Document, page: int | None) -> Text:
    """The page of a document, the first where none is named. Raises ApiError 404."""
    if page is None:
        return whole.segments[0]
    for segment in whole.segments:
        if segment.page == page:
            return segment
    raise ApiError(404, f"{whole.path} has no text on page {page}.")


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text):
        raise ApiError(400, f"{name} has to be a whole number, got {text[:40]!r}.")
    return int(text)


def _manner(query: Mapping[str, str]) -> Manner:
    """At the ``resolution`` that the request will ask for."""
    return manner({}, query.get("resolution", ""))


def _first(server: Server) -> str:
    return next(iter(server.services))
