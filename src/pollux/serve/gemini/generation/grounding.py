"""Where an answer was drawn from, as groundingMetadata and citationMetadata.

A passage is a grounding chunk: ``title`` is the file, ``text`` the passage, ``uri`` the file's address with the place behind it,
``#page=3&line=12&char=100,140`` (page and line from 1, characters from 0, the last one not included; RFC 5147 writes characters
likewise). ``confidenceScores`` are shares of the model's retrieval attention, 0 to 1: where it looked, not how sure it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from pollux.engine.request import Evidence
from pollux.media.segment import Place


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


def address(place: Place, uris: Mapping[str, str]) -> str:
    """The file's address, or its name where it has none, and the place in it."""
    facts = {"page": place.page, "line": place.line, "char": f"{place.start},{place.end}"}
    fragment = "&".join(f"{name}={value}" for name, value in facts.items() if value is not None)
    return f"{uris.get(place.path) or quote(place.path)}#{fragment}"


def _chunk(place: Place, uris: Mapping[str, str]) -> dict:
    return {"uri": address(place, uris), "title": place.path, "text": place.snippet}
