"""How many tokens a request took, by what they came from (contract §4.2): the sum of the details is the count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pollux.engine.many.service import Service
from pollux.engine.request import Ask, Usage
from pollux.media.segment import Document
from pollux.media.transcript import FRAME, PICTURE, SOUND, Transcript

# By what begins in a transcript: a film has frames, and sound as well.
_MODALITIES = {FRAME: "VIDEO", PICTURE: "IMAGE", SOUND: "AUDIO"}


def usage_metadata(usages: Sequence[Usage], others: Mapping[str, int], cached: int | None) -> dict:
    """Of all candidates together.

    Args:
        others: Tokens of the prompt that are no text, by modality (`tokens_by_modality`).
        cached: Tokens of the cached content that was named; where none was, those that happened to be read already are told.
    """
    first, produced = usages[0], sum(usage.produced for usage in usages)
    out = prompt_counts(first.prompt, others) | {"totalTokenCount": first.prompt + produced}
    out |= {"candidatesTokenCount": produced}
    if produced:
        out["candidatesTokensDetails"] = _details(TEXT=produced)
    if kept := first.kept if cached is None else cached:
        out["cachedContentTokenCount"] = kept
        out |= {} if others else {"cacheTokensDetails": _details(TEXT=kept)}
    return out


def running(prompt: int, produced: int, others: Mapping[str, int]) -> dict:
    """The same while an answer goes on; what was found read already is not known yet."""
    return prompt_counts(prompt, others) | {"candidatesTokenCount": produced, "totalTokenCount": prompt + produced}


def prompt_counts(prompt: int, others: Mapping[str, int]) -> dict:
    return {"promptTokenCount": prompt, "promptTokensDetails": _details(TEXT=prompt - sum(others.values()), **others)}


def tokens_by_modality(service: Service, ask: Ask) -> dict[str, int]:
    """How many of the tokens before an answer come out of PDFs, pictures, films (their sound included) and sound."""
    found = {}
    for modality in sorted({kind for document in ask.documents if (kind := _modality(document))}):
        rest = tuple(document for document in ask.documents if _modality(document) != modality)
        found[modality] = service.tokens(ask) - service.tokens(replace(ask, documents=rest))
    return found


def _modality(document: Document) -> str:
    if any(segment.page is not None for segment in document.segments):
        return "DOCUMENT"
    seen = [segment for segment in document.segments if isinstance(segment, Transcript)]
    marks = {int(code) for segment in seen for code in segment.codes if code < 0}
    return next((kind for mark, kind in _MODALITIES.items() if mark in marks), "")


def _details(**counts: int) -> list[dict]:
    return [{"modality": modality, "tokenCount": count} for modality, count in counts.items() if count]
