"""A finished answer as a candidate: parts, why it ended, log probabilities, where it was drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pollux.engine.request import Answer, Produced, Usage
from pollux.serve.errors import ApiError
from pollux.serve.gemini.generation.grounding import grounding
from pollux.serve.gemini.messages.enums import ENUMS
from pollux.tokens.vocabulary import Vocabulary

_REASONS = {"end": "STOP", "stop": "STOP", "limit": "MAX_TOKENS"}
# What stands on the wire for a probability of nothing, of which JSON has no logarithm.
_LEAST = -1e9
# Unspecified, and those of PaLM.
_LEGACY = ENUMS["HarmCategory"][:7]


@dataclass(frozen=True)
class Finished:
    """An answer with every token of it."""

    answer: Answer
    usage: Usage
    produced: tuple[Produced, ...]


def finish_reason(answer: Answer) -> str:
    return _REASONS[answer.reason]


def details(finished: Finished, top: int | None, vocabulary: Vocabulary, uris: Mapping[str, str], ratings: Sequence[str]) -> dict:
    """Of a candidate, all but its content, its index and why it ended.

    Args:
        top: Of how many of the likeliest tokens log probabilities are told; None for none, not even of the chosen ones.
        ratings: Categories of harm whose settings were sent.
    """
    out = {"tokenCount": len(finished.produced)} | grounding(finished.answer.text, finished.answer.evidence, uris)
    if ratings:
        out["safetyRatings"] = safety_ratings(ratings)
    if top is not None:
        out |= _log_probabilities(finished.produced, top, vocabulary)
    return out


def rated(settings: Sequence[dict]) -> tuple[str, ...]:
    """The categories that safetySettings name. Raises ApiError 400 for those that Gemini's models do not have."""
    categories = tuple(dict.fromkeys(each.get("category", _LEGACY[0]) for each in settings))
    if wrong := [each for each in categories if each in _LEGACY]:
        told = f"element predicate failed: {wrong[0]} is no category of harm for this model"
        raise ApiError(400, f"* GenerateContentRequest.safety_settings.category: {told}.")
    return categories


def safety_ratings(categories: Sequence[str]) -> list[dict]:
    """No model here judges harm, so that every rating says just this: no probability was found, and nothing was blocked."""
    return [{"category": each, "probability": "HARM_PROBABILITY_UNSPECIFIED", "blocked": False} for each in categories]


def _log_probabilities(produced: Sequence[Produced], top: int, vocabulary: Vocabulary) -> dict:
    chosen = [_candidate(each.token, each.bytes, each.log_probability) for each in produced]
    result = {"chosenCandidates": chosen, "logProbabilitySum": sum(each["logProbability"] for each in chosen)}
    if top:
        likeliest = (each.likeliest[:top] for each in produced)
        named = ([_candidate(token, vocabulary.decode_bytes([token]), p) for token, p in row] for row in likeliest)
        result["topCandidates"] = [{"candidates": row} for row in named]
    mean = result["logProbabilitySum"] / len(chosen) if chosen else 0.0
    return {"avgLogprobs": mean, "logprobsResult": result}


def _candidate(token: int, spelt: bytes, log_probability: float) -> dict:
    return {"token": spelt.decode("utf-8", "replace"), "tokenId": token, "logProbability": max(log_probability, _LEAST)}
