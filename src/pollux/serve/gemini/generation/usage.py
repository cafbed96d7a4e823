"""How many tokens a request took, by what they came from (contract §4.2): the sum of the details is the count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pollux.engine.many.service import Service
from pollux.engine.request import Ask, Usage
from pollux.media.segment import Document


def usage_metadata(usages: Sequence[Usage], documents: int, cached: int | None) -> dict:
    """Of all candidates together.

    Args:
        documents: Tokens of the prompt that came out of PDF.
        cached: Tokens of the cached content that was named; where none was, those that happened to be read already are told.
    """
    first, produced = usages[0], sum(usage.produced for usage in usages)
    out = prompt_counts(first.prompt, documents) | {"totalTokenCount": first.prompt + produced}
    out |= {"candidatesTokenCount": produced}
    if produced:
        out["candidatesTokensDetails"] = _details(TEXT=produced)
    if kept := first.kept if cached is None else cached:
        out["cachedContentTokenCount"] = kept
        out |= {} if documents else {"cacheTokensDetails": _details(TEXT=kept)}
    return out


def running(prompt: int, produced: int, documents: int) -> dict:
    """The same while an answer goes on; what was found read already is not known yet."""
    return prompt_counts(prompt, documents) | {"candidatesTokenCount": produced, "totalTokenCount": prompt + produced}


def prompt_counts(prompt: int, documents: int) -> dict:
    return {"promptTokenCount": prompt, "promptTokensDetails": _details(TEXT=prompt - documents, DOCUMENT=documents)}


def document_tokens(service: Service, ask: Ask) -> int:
    """How many of the tokens before an answer come out of PDF."""
    others = tuple(document for document in ask.documents if not _paged(document))
    if len(others) == len(ask.documents):
        return 0
    return service.tokens(ask) - service.tokens(replace(ask, documents=others))


def _paged(document: Document) -> bool:
    return any(segment.page is not None for segment in document.segments)


def _details(**counts: int) -> list[dict]:
    return [{"modality": modality, "tokenCount": count} for modality, count in counts.items() if count]
