"""Candidates as OpenAI's clients know them: messages, calls of tools, reasons, log probabilities, and where an answer stands.

Where an answer was drawn from has no field there, since what there is (``annotations``) speaks of web pages. It comes as a field
of its own, ``evidence``, beside ``content``: typed clients let it pass, and `message.evidence` reads it.
"""

from __future__ import annotations

from dataclasses import asdict

import orjson

from pollux.serve.material.evidence import passages
from pollux.tokens.vocabulary import Vocabulary

_REASONS = {"STOP": "stop", "MAX_TOKENS": "length"}
# OpenAI's own stand-in for a probability of nothing.
_LEAST = -9999.0


def text(candidate: dict) -> str:
    parts = candidate.get("content", {}).get("parts", [])
    return "".join(part.get("text", "") for part in parts if not part.get("thought"))


def calls(candidate: dict) -> list[dict]:
    """The functions that were called, as ``tool_calls``."""
    found = [part["functionCall"] for part in candidate.get("content", {}).get("parts", []) if "functionCall" in part]
    return [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": orjson.dumps(call.get("args", {})).decode()},
        }
        for call in found
    ]


def evidence(candidate: dict) -> dict:
    """``{"evidence": [{path, uri, text, page, line, start, end, share, seconds, region}]}``, nothing where there is none."""
    found = [asdict(passage) for passage in passages(candidate)]
    return {"evidence": found} if found else {}


def reason(candidate: dict, called: bool) -> str:
    return "tool_calls" if called else _REASONS.get(candidate.get("finishReason", ""), "content_filter")


def log_probabilities(candidate: dict, vocabulary: Vocabulary) -> dict | None:
    """``logprobs`` of a chat's choice, None where none were asked for."""
    if (found := candidate.get("logprobsResult")) is None:
        return None
    chosen = found.get("chosenCandidates", [])
    likeliest = found.get("topCandidates", [{}] * len(chosen))
    rows = ([_token(each, vocabulary) for each in row.get("candidates", [])] for row in likeliest)
    return {
        "content": [_token(each, vocabulary) | {"top_logprobs": row} for each, row in zip(chosen, rows, strict=True)],
        "refusal": None,
    }


def plain_log_probabilities(candidate: dict) -> dict | None:
    """``logprobs`` of a plain completion. Where its tokens begin is counted without the space that the first one begins with."""
    if (found := candidate.get("logprobsResult")) is None:
        return None
    tokens = [each["token"] for each in found.get("chosenCandidates", [])]
    space = len(tokens[0]) - len(tokens[0].lstrip()) if tokens else 0
    rows = [row.get("candidates", []) for row in found.get("topCandidates", [])]
    return {
        "tokens": tokens,
        "token_logprobs": [max(each["logProbability"], _LEAST) for each in found.get("chosenCandidates", [])],
        "top_logprobs": [{each["token"]: max(each["logProbability"], _LEAST) for each in row} for row in rows] or None,
        "text_offset": [max(0, sum(map(len, tokens[:number])) - space) for number in range(len(tokens))],
    }


def _token(each: dict, vocabulary: Vocabulary) -> dict:
    spelt = list(vocabulary.decode_bytes([each["tokenId"]]))
    return {"token": each["token"], "logprob": max(each["logProbability"], _LEAST), "bytes": spelt}
