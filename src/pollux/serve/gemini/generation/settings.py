"""What generationConfig asks for, checked, as the engine takes it (contract §4.1)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from pollux.engine.request import LONGEST_ANSWER, Sampling
from pollux.serve.errors import ApiError

_AT = "* GenerateContentRequest.generation_config."
_MIMES = ("text/plain", "application/json", "text/x.enum")
_MOST_CANDIDATES, _MOST_STOPS, _MOST_LIKELIEST = 8, 5, 20
# The least that keeps one token: top-p 0 is allowed on the wire and means that.
_LEAST_P = 1e-9


@dataclass(frozen=True)
class Wanted:
    """What is wanted of an answer.

    Attributes:
        candidates: How many answers. top: As `Ask.top`. mime: The form of the text. schema: What it has to fit.
    """

    sampling: Sampling
    candidates: int = 1
    top: int | None = None
    mime: str = "text/plain"
    schema: dict | bool | None = None


def wanted(config: dict, most: int = LONGEST_ANSWER) -> Wanted:
    """Read a generationConfig. ``most``: tokens that the model answers with at most; a higher limit is that one.

    Raises:
        ApiError: 400 for values outside their ranges and for what the models cannot do.
    """
    _check_abilities(config)
    return Wanted(_sampling(config, most), _candidates(config), _top(config), *_form(config))


def _sampling(config: dict, most: int) -> Sampling:
    temperature = _within(config, "temperature", 0.0, 2.0, 0.0)
    top_k = _within(config, "topK", 0, 1 << 31, 0)
    if top_k != int(top_k):
        raise ApiError(400, f"{_AT}top_k: top_k must be a whole number, got {top_k}.")
    limit = config.get("maxOutputTokens", most)
    if limit < 1:
        raise ApiError(400, f"{_AT}max_output_tokens: max_output_tokens must be positive, got {limit}.")
    stop = tuple(config.get("stopSequences", ()))
    if len(stop) > _MOST_STOPS or "" in stop:
        raise ApiError(400, f"{_AT}stop_sequences: at most {_MOST_STOPS} are allowed, none of them empty.")
    top_p = max(_within(config, "topP", 0.0, 1.0, 1.0), _LEAST_P)
    presence, frequency = (_within(config, name, -2.0, 2.0, 0.0) for name in ("presencePenalty", "frequencyPenalty"))
    longest = min(limit, most, LONGEST_ANSWER)
    return Sampling(float(temperature), int(top_k), top_p, _seed(config), longest, stop, float(presence), float(frequency))


def _seed(config: dict) -> int:
    seed = config.get("seed")
    if seed is None:
        return secrets.randbits(31)
    if not -(1 << 31) <= seed < 1 << 31:
        raise ApiError(400, f"Invalid value at 'generationConfig.seed' (TYPE_INT32), {seed}")
    return seed % (1 << 32)


def _candidates(config: dict) -> int:
    return int(_within(config, "candidateCount", 1, _MOST_CANDIDATES, 1))


def _top(config: dict) -> int | None:
    top = _within(config, "logprobs", 0, _MOST_LIKELIEST, 0)
    if "logprobs" in config and not config.get("responseLogprobs"):
        raise ApiError(400, f"{_AT}logprobs: logprobs can be set only if response_logprobs is true.")
    return int(top) if config.get("responseLogprobs") else None


def _form(config: dict) -> tuple[str, dict | bool | None]:
    """The form of the answer's text, and what it has to fit."""
    mime = config.get("responseMimeType") or "text/plain"
    if mime not in _MIMES:
        allowed = ", ".join(f"`{each}`" for each in _MIMES)
        raise ApiError(400, f"{_AT}response_mime_type: allowed mimetypes are {allowed}, got `{mime}`.")
    given = [name for name in ("responseSchema", "responseJsonSchema", "responseJsonSchemaOrdered") if name in config]
    if len(given) > 1:
        raise ApiError(400, f"{_AT}response_schema: only one of response_schema and response_json_schema may be set.")
    if given and mime == "text/plain":
        told = "a schema needs response_mime_type application/json, or text/x.enum"
        raise ApiError(400, f"{_AT}response_schema: {told}; it is {mime}.")
    if mime == "text/x.enum" and not given:
        raise ApiError(400, f"{_AT}response_schema: text/x.enum needs a schema of strings with an enum.")
    schema = config[given[0]] if given else None
    if given and not isinstance(schema, dict | bool):
        raise ApiError(400, f"{_AT}{given[0]}: a schema must be an object.")
    return mime, schema


def _check_abilities(config: dict) -> None:
    """Refuse what no model here can do, rather than to leave it out."""
    modalities = [each for each in config.get("responseModalities", ()) if each not in ("TEXT", "MODALITY_UNSPECIFIED")]
    if modalities:
        told = f"The requested response modalities are not supported by this model: {', '.join(modalities)}. It gives TEXT."
        raise ApiError(400, told)
    if config.get("thinkingConfig", {}).get("thinkingBudget", 0) < -1:
        raise ApiError(400, f"{_AT}thinking_config.thinking_budget: it must be -1 or more.")


def _within(config: dict, name: str, low: float, high: float, default: float) -> float:
    value = config.get(name, default)
    if not low <= value <= high:
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
        raise ApiError(400, f"{_AT}{snake}: {snake} must be in the range [{low}, {high}], got {value}.")
    return value
