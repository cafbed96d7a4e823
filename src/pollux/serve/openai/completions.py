"""completions, the plain form: each prompt is asked as one message. The models answer; they do not go on with a text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from pollux.serve.gemini import generate
from pollux.serve.gemini.generate import Prepared
from pollux.serve.gemini.wire import reply
from pollux.serve.openai import replies, settings
from pollux.serve.openai.chat import alone, known
from pollux.serve.openai.merge import gathered, merged
from pollux.serve.openai.prompts import prompts
from pollux.serve.openai.wire import DONE, added, head, sse, usage
from pollux.serve.web.fields import Fields
from pollux.serve.web.streaming import Streamed

if TYPE_CHECKING:
    from pollux.serve.server import Server

# Tokens of an answer where nothing is said, as at OpenAI. Prompts of one request.
_LIMIT, _MOST = 16, 128
_REFUSED = {
    "echo": "prompts are not given back.",
    "suffix": "the models cannot fill a gap.",
    "logit_bias": "tokens cannot be weighed.",
}


async def complete(server: Server, request: Request) -> Response:
    """Answer prompts. Raises ApiError as `generate.prepare` does."""
    raw = await request.body()
    fields, prepared = await asyncio.to_thread(_prepared, server, raw, request.state)
    about = head("text_completion", "cmpl", prepared[0].model)
    if fields.flag("stream"):
        chunks = _chunks(server, prepared, about, fields.inner("stream_options").flag("include_usage"))
        return Streamed(chunks, lambda error: sse(error.openai()), media_type="text/event-stream")
    wholes = await gathered([generate.answer(server, each) for each in prepared])
    candidates = [candidate for whole in wholes for candidate in whole["candidates"]]
    choices = [_choice(number, replies.text(each), each) for number, each in enumerate(candidates)]
    return reply(about | {"choices": choices, "usage": added([usage(whole["usageMetadata"]) for whole in wholes])})


def _prepared(server: Server, raw: bytes, state) -> tuple[Fields, list[Prepared]]:
    fields = Fields.read(raw)
    model = known(server, fields)
    for name, why in _REFUSED.items():
        if fields.data.get(name):
            raise fields.refuse(name, why)
    config = settings.sampling(fields, _LIMIT)
    if (fields.number("best_of", 1, 20, whole=True) or 1) > config.get("candidateCount", 1):
        raise fields.refuse("best_of", "answers are not chosen among: leave it out, or send n.")
    top = fields.number("logprobs", 0, 20, whole=True)
    config |= {} if top is None else {"responseLogprobs": True, "logprobs": top}
    texts = prompts(fields, "prompt", server.services[model].vocabulary, _MOST)
    bodies = [{"contents": [{"parts": [{"text": text}]}], "generationConfig": config} for text in texts]
    return fields, [generate.prepare(server, model, body, state.client, state.deadline) for body in bodies]


async def _chunks(server: Server, prepared: list[Prepared], about: dict, with_usage: bool) -> AsyncIterator[bytes]:
    """The chunks of all choices as they come: those of the first prompt have the first numbers."""
    about = about | ({"usage": None} if with_usage else {})
    single = [one for each in prepared for one in alone(each)]
    counts: dict[int, dict] = {}
    async with aclosing(merged([generate.stream(server, each) for each in single])) as chunks:
        async for number, chunk in chunks:
            (candidate,) = chunk["candidates"]
            counts[number] = chunk["usageMetadata"]
            if (text := replies.text(candidate)) or "finishReason" in candidate:
                yield sse(about | {"choices": [_choice(number, text, candidate)]})
    if with_usage:
        yield sse(about | {"choices": [], "usage": _sum(prepared, counts)})
    yield DONE


def _sum(prepared: list[Prepared], counts: dict[int, dict]) -> dict:
    """A prompt counts once, however many answers it has."""
    each = len(prepared[0].asks)
    found = [usage(counts[number]) for number in sorted(counts)]
    more = [one | {"prompt_tokens": 0, "total_tokens": one["completion_tokens"]} for one in found]
    return added([whole if number % each == 0 else rest for number, (whole, rest) in enumerate(zip(found, more, strict=True))])


def _choice(number: int, text: str, candidate: dict) -> dict:
    ended = replies.reason(candidate, False) if "finishReason" in candidate else None
    told = {"logprobs": replies.plain_log_probabilities(candidate), "finish_reason": ended}
    return {"text": text, "index": number} | told | replies.evidence(candidate)
