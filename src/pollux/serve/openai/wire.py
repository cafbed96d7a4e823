"""What OpenAI's replies are made of."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

import orjson

DONE = b"data: [DONE]\n\n"


def head(kind: str, prefix: str, model: str) -> dict:
    """What every reply and every chunk of one begins with."""
    return {"id": f"{prefix}-{secrets.token_hex(12)}", "object": kind, "created": int(time.time()), "model": model}


def sse(data: dict) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"


def usage(counts: dict) -> dict:
    """Google's ``usageMetadata`` as OpenAI counts: the prompt holds the cached tokens, the completion the thoughts."""
    thoughts = counts.get("thoughtsTokenCount", 0)
    prompt, completion = counts.get("promptTokenCount", 0), counts.get("candidatesTokenCount", 0) + thoughts
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": counts.get("cachedContentTokenCount", 0)},
        "completion_tokens_details": {"reasoning_tokens": thoughts},
    }


def added(counts: Sequence[dict]) -> dict:
    """Several counts as one."""
    plain = {name: sum(count[name] for count in counts) for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
    cached = sum(count["prompt_tokens_details"]["cached_tokens"] for count in counts)
    thought = sum(count["completion_tokens_details"]["reasoning_tokens"] for count in counts)
    return plain | {"prompt_tokens_details": {"cached_tokens": cached}, "completion_tokens_details": {"reasoning_tokens": thought}}
