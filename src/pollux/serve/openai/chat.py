"""chat/completions: whole, or in chunks.

    request ─messages, settings→ Google's body ─generate.prepare→ Prepared ─→ candidates ─replies→ choices
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from pollux.serve.errors import ApiError
from pollux.serve.gemini import generate
from pollux.serve.gemini.generate import Prepared
from pollux.serve.gemini.wire import reply
from pollux.serve.openai import messages, replies, settings
from pollux.serve.openai.merge import merged
from pollux.serve.openai.wire import DONE, head, sse, usage
from pollux.serve.web.fields import Fields
from pollux.serve.web.streaming import Streamed

if TYPE_CHECKING:
    from pollux.serve.server import Server


async def complete(server: Server, request: Request) -> Response:
    """Answer a chat. Raises ApiError as `generate.prepare` does, in the names of OpenAI's fields where it is theirs."""
    raw = await request.body()
    fields, prepared = await asyncio.to_thread(_prepared, server, raw, request.state)
    one = fields.get("parallel_tool_calls", bool, default=True) is False
    if fields.flag("stream"):
        chunks = _chunks(server, prepared, one, fields.inner("stream_options").flag("include_usage"))
        return Streamed(chunks, lambda error: sse(error.openai()), media_type="text/event-stream")
    whole = await generate.answer(server, prepared)
    choices = [_choice(prepared, each, one) for each in whole["candidates"]]
    about = head("chat.completion", "chatcmpl", prepared.model)
    return reply(about | {"choices": choices, "usage": usage(whole["usageMetadata"])} | _fingerprint(prepared))


def _prepared(server: Server, raw: bytes, state) -> tuple[Fields, Prepared]:
    fields = Fields.read(raw)
    model = known(server, fields)
    body = settings.chat(fields) | messages.contents(fields)
    return fields, generate.prepare(server, model, body, state.client, state.deadline)


def known(server: Server, fields: Fields) -> str:
    """The local name of the model that is asked for. Raises ApiError 404 where there is none, in OpenAI's words."""
    name = fields.text("model")
    try:
        return server.name(name)
    except ApiError as error:
        there = ", ".join(server.services)
        raise ApiError(404, f"The model `{name[:100]}` does not exist; there is {there}.", param="model") from error


def _choice(prepared: Prepared, candidate: dict, one: bool) -> dict:
    called = replies.calls(candidate)[: 1 if one else None]
    said = replies.text(candidate)
    message = {"role": "assistant", "content": said if said or not called else None, "refusal": None}
    message |= ({"tool_calls": called} if called else {}) | replies.evidence(candidate)
    return {
        "index": candidate["index"],
        "message": message,
        "logprobs": replies.log_probabilities(candidate, prepared.service.vocabulary),
        "finish_reason": replies.reason(candidate, bool(called)),
    }


async def _chunks(server: Server, prepared: Prepared, one: bool, with_usage: bool) -> AsyncIterator[bytes]:
    """The chunks of all choices as they come. The first of each says who speaks, the last why it ended."""
    about = head("chat.completion.chunk", "chatcmpl", prepared.model) | _fingerprint(prepared)
    about |= {"usage": None} if with_usage else {}
    counts: dict[int, dict] = {}
    async with aclosing(merged([generate.stream(server, each) for each in alone(prepared)])) as chunks:
        async for number, chunk in chunks:
            (candidate,) = chunk["candidates"]
            if number not in counts:
                yield sse(about | {"choices": [_delta(number, {"role": "assistant", "content": ""})]})
            counts[number] = chunk["usageMetadata"]
            for choice in _deltas(prepared, number, candidate, one):
                yield sse(about | {"choices": [choice]})
    if with_usage:
        yield sse(about | {"choices": [], "usage": usage(together(counts))})
    yield DONE


def alone(prepared: Prepared) -> list[Prepared]:
    """Each candidate by itself, as only one can be streamed."""
    return [replace(prepared, asks=(ask,)) for ask in prepared.asks]


def together(counts: dict[int, dict]) -> dict:
    """Of several candidates: one prompt, and what all of them produced."""
    produced = sum(each.get("candidatesTokenCount", 0) for each in counts.values())
    return next(iter(counts.values()), {}) | {"candidatesTokenCount": produced}


def _deltas(prepared: Prepared, number: int, candidate: dict, one: bool) -> list[dict]:
    """The choices of the chunks that a piece of an answer makes."""
    out = []
    if said := replies.text(candidate):
        out.append(_delta(number, {"content": said}))
    called = replies.calls(candidate)[: 1 if one else None]
    for index, call in enumerate(called):
        function = call["function"]
        begun = {"index": index, **call, "function": {"name": function["name"], "arguments": ""}}
        rest = {"index": index, "function": {"arguments": function["arguments"]}}
        out += [_delta(number, {"tool_calls": [each]}) for each in (begun, rest)]
    if "finishReason" in candidate:
        last = _delta(number, replies.evidence(candidate))
        last["logprobs"] = replies.log_probabilities(candidate, prepared.service.vocabulary)
        out.append(last | {"finish_reason": replies.reason(candidate, bool(called))})
    return out


def _delta(number: int, delta: dict) -> dict:
    return {"index": number, "delta": delta, "logprobs": None, "finish_reason": None}


def _fingerprint(prepared: Prepared) -> dict:
    """What changes when answers may: the weights."""
    return {"system_fingerprint": f"fp_{prepared.service.card.version}"}
