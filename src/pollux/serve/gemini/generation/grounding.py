"""Where an answer was drawn from, as groundingMetadata and citationMetadata.

A passage is a grounding chunk: ``title`` is the file, ``text`` the passage, ``uri`` the file's address with the place behind it,
``#page=3&line=12&char=100,140`` (page and line from 1, characters from 0, the last one not included; RFC 5147 writes characters
likewise). What was seen or heard is addressed as a media fragment (W3C, Media Fragments URI 1.0): ``#t=12.3,14`` in seconds,
``xywh=percent:10,5,35,7`` for the part of a picture. ``confidenceScores`` are shares of the retrieval attention, 0 to 1: where
it looked, not how sure it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from pollux.engine.request import Evidence
from pollux.media.segment import Place, Spot


def grounding(text: str, evidence: Sequence[Evidence], uris: Mapping[str, str]) -> dict:
    """Both, for a candidate; nothing where there is no evidence. ``uris``: addresses of files by `Place.path`."""
    if not evidence or not text:
        return {}
    end = len(text.encode("utf-8", "replace"))
    chunks = [{"retrievedContext": _chunk(each.place, uris)} for each in evidence]
    shares = [round(min(max(each.share, 0.0), 1.0), 4) for each in evidence]
    support = {
        "segment": {"endIndex": end, "text": text}, "groundingChunkIndices": list(range(len(chunks))), "confidenceScores": shares,
    }  # fmt: skip
    sources = [{"startIndex": 0, "endIndex": end, "uri": address(each.place, uris)} for each in evidence]
    return {
        "groundingMetadata": {"groundingChunks": chunks, "groundingSupports": [support]},
        "citationMetadata": {"citationSources": sources},
    }


def address(place: Place | Spot, uris: Mapping[str, str]) -> str:
    """The file's address, or its name where it has none, and the place in it."""
    if isinstance(place, Spot):
        facts = {"page": place.page, "frame": place.frame, "t": _seconds(place), "xywh": _part(place)}
    else:
        facts = {"page": place.page, "line": place.line, "char": f"{place.start},{place.end}"}
    fragment = "&".join(f"{name}={value}" for name, value in facts.items() if value is not None)
    return f"{uris.get(place.path) or quote(place.path)}#{fragment}"


def _seconds(spot: Spot) -> str | None:
    return None if spot.start is None else f"{round(spot.start, 2):g},{round(spot.end, 2):g}"


def _part(spot: Spot) -> str | None:
    if spot.region is None:
        return None
    left, top, right, bottom = (100 * share for share in spot.region)
    return "percent:" + ",".join(f"{number:.4g}" for number in (left, top, right - left, bottom - top))


def _chunk(place: Place | Spot, uris: Mapping[str, str]) -> dict:
    return {"uri": address(place, uris), "title": place.path, "text": place.snippet}
