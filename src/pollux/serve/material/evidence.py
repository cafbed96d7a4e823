"""Where an answer was drawn from, read out of a candidate (`gemini.generation.grounding`), for surfaces that tell it otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urldefrag


@dataclass(frozen=True)
class Passage:
    """A passage of a file.

    Attributes:
        path: The file's name. uri: Its address, without the place. text: The passage.
        page, line: From 1, None where there is none. start, end: Characters of the file, or of the page; None for what was seen or
            heard.
        seconds: When it was seen or heard, from and to. region: Where in the picture: left, top, width and height in per cent.
        share: Of the model's looking, 0 to 1.
    """

    path: str
    uri: str
    text: str
    page: int | None
    line: int | None
    start: int | None
    end: int | None
    share: float
    seconds: tuple[float, ...] | None = None
    region: tuple[float, ...] | None = None


def passages(candidate: dict) -> list[Passage]:
    """A candidate's passages, best first."""
    found = candidate.get("groundingMetadata")
    if not found:
        return []
    (support,) = found["groundingSupports"]
    chunks = (chunk["retrievedContext"] for chunk in found["groundingChunks"])
    return [_passage(chunk, share) for chunk, share in zip(chunks, support["confidenceScores"], strict=True)]


def _passage(chunk: dict, share: float) -> Passage:
    uri, place = urldefrag(chunk["uri"])
    facts = {name: values[0] for name, values in parse_qs(place).items()}
    page, line = (int(facts[name]) if name in facts else None for name in ("page", "line"))
    start, end = map(int, facts["char"].split(",")) if "char" in facts else (None, None)
    seconds, region = _numbers(facts.get("t")), _numbers(facts.get("xywh", "").removeprefix("percent:"))
    return Passage(chunk["title"], uri, chunk["text"], page, line, start, end, share, seconds, region)


def _numbers(text: str | None) -> tuple[float, ...] | None:
    return tuple(map(float, text.split(","))) if text else None
