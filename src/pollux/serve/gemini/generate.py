"""generateContent and streamGenerateContent.

    body ─prepare→ Prepared ─answer→ GenerateContentResponse
                            └─stream→ the same in chunks

Batches, interactions and live sessions go through the same three.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from pollux.engine.many.service import Service
from pollux.engine.request import Ask
from pollux.serve.errors import ApiError
from pollux.serve.gemini import content, wire
from pollux.serve.gemini.generation.cached import addresses, cached_content
from pollux.serve.gemini.generation.candidate import Finished, details, rated
from pollux.serve.gemini.generation.form import Form, form, functions_of
from pollux.serve.gemini.generation.hearing import Hearing
from pollux.serve.gemini.generation.settings import wanted
from pollux.serve.gemini.generation.usage import running, tokens_by_modality, usage_metadata
from pollux.serve.material.arrange import Message, arrange
from pollux.serve.routing import Route
from pollux.serve.web.streaming import Streamed

if TYPE_CHECKING:
    from pollux.serve.constrain.functions import Functions
    from pollux.serve.server import Server

_KIND = "GenerateContentRequest"


@dataclass(frozen=True)
class Prepared:
    """A request that is ready to be asked.

    Attributes:
        model: The local name. asks: One for each candidate. form: What the answer has to be like. top: As `Ask.top`.
        ratings: Categories of harm whose settings were sent. others: Tokens of the prompt that are no text, by modality.
        cached: Tokens of the cached content that was named, None where none was.
        uris: Addresses of files by the name that evidence has for them. id: Of the response.
    """

    model: str
    service: Service
    asks: tuple[Ask, ...]
    form: Form
    top: int | None
    ratings: tuple[str, ...]
    others: Mapping[str, int]
    cached: int | None
    uris: Mapping[str, str]
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))


def routes(server: Server) -> list[Route]:
    async def generate(request: Request) -> Response:
        return wire.reply(await answer(server, await _prepared(server, request, "generateContent")))

    async def stream_generate(request: Request) -> Response:
        prepared = await _prepared(server, request, "streamGenerateContent")
        if len(prepared.asks) > 1:
            raise ApiError(400, f"* {_KIND}.generation_config.candidate_count: candidate_count must be 1 when streaming.")
        chunks = stream(server, prepared)
        if request.query_params.get("alt") == "sse":
            return Streamed(_events(chunks), lambda error: wire.sse(error.google()), media_type="text/event-stream")
        array = _Array(chunks)
        return Streamed(array.pieces(), array.failed, media_type="application/json")

    base = "/{v}/models/{model}:"
    return [Route("POST", base + "generateContent", generate), Route("POST", base + "streamGenerateContent", stream_generate)]


def prepare(server: Server, model: str, body: dict, client: str, deadline: float | None) -> Prepared:
    """Check a request, and make what is asked of the engine. Takes as long as its files take to be decoded: call it in a thread.

    Args:
        body: A GenerateContentRequest, as `wire.read` gives it. deadline: As `Ask.deadline`.

    Raises:
        ApiError: as the contract's §2 says.
    """
    name = server.name(model)
    service = server.services[name]
    cache = cached_content(server, name, body)
    tools, config = (cache.tools, cache.tool_config) if cache else (body.get("tools", []), body.get("toolConfig", {}))
    functions = functions_of(tools, config)
    chosen = wanted(body.get("generationConfig", {}), service.card.output_tokens)
    shape = form(chosen, functions, service.vocabulary)
    asked = question(server, body, None if cache else functions, cache.messages if cache else ())
    ask = replace(
        asked, sampling=chosen.sampling, constraint=shape.constraint, top=chosen.top, client=client, deadline=deadline,
        kept=cache.kept if cache else None,
    )  # fmt: skip
    _check_length(service, ask)
    seeds = ((chosen.sampling.seed + number) % (1 << 32) for number in range(chosen.candidates))
    asks = tuple(replace(ask, sampling=replace(chosen.sampling, seed=seed)) for seed in seeds)
    return Prepared(
        name, service, asks, shape, chosen.top, rated(body.get("safetySettings", [])), tokens_by_modality(service, ask),
        cache.tokens if cache else None, {**(cache.uris if cache else {}), **addresses(server, body)},
    )  # fmt: skip


def _check_length(service: Service, ask: Ask) -> None:
    """Raises ApiError 400, in the words that clients know, for more than the model reads. No character is more than four tokens."""
    most, texts = service.card.input_tokens, [segment.text for document in ask.documents for segment in document.segments]
    if 4 * sum(len(text) for text in (*texts, ask.question)) > most and (count := service.tokens(ask)) > most:
        raise ApiError(400, f"The input token count ({count}) exceeds the maximum number of tokens allowed ({most}).")


def question(server: Server, body: dict, functions: Functions | None = None, before: Sequence[Message] = ()) -> Ask:
    """What a request's contents, system instruction and functions make to be read; ``before``: messages of cached content.

    Raises:
        ApiError: 400 and 403 as `content.messages` and `arrange` say.
    """
    if not body.get("contents"):
        raise ApiError(400, f"* {_KIND}.contents: contents is not specified")
    resolution = body.get("generationConfig", {}).get("mediaResolution", "")
    return arrange([*before, *content.messages(body["contents"], server, resolution)], system(body, functions))


def system(body: dict, functions: Functions | None = None) -> str:
    """What the model is told before all else: the system instruction, and which functions there are."""
    told = content.text(body["systemInstruction"], f"{_KIND}.systemInstruction") if "systemInstruction" in body else ""
    return "\n\n".join(text for text in (told, functions.describe() if functions else "") if text.strip())


async def answer(server: Server, prepared: Prepared) -> dict:
    """A GenerateContentResponse. Raises ApiError or PolluxError; cancelled, it cancels what it asked."""
    hearings = (Hearing(server, prepared.model, prepared.service, ask) for ask in prepared.asks)
    finished = await _together([asyncio.ensure_future(hearing.whole()) for hearing in hearings])
    candidates = [_candidate(prepared, each, index) for index, each in enumerate(finished)]
    usage = usage_metadata([each.usage for each in finished], prepared.others, prepared.cached)
    return _response(prepared, candidates, usage)


async def stream(server: Server, prepared: Prepared) -> AsyncIterator[dict]:
    """The chunks of a GenerateContentResponse of one candidate, the last with the reason why it ended (contract §4.2).

    A call of a function is sent whole; while an answer may still become one, its text is held back. The first text is sent at once,
    and from then on each piece when the next is there, so that the last chunk has one too, as Google's clients expect.
    """
    hearing, shown = Hearing(server, prepared.model, prepared.service, prepared.asks[0]), 0
    ready, tokens = 0, 0  # where the piece ends that is sent next, and how many tokens there were then
    # counted while they are read; where that fails, what is heard fails of the same
    prompt = asyncio.ensure_future(asyncio.to_thread(prepared.service.tokens, prepared.asks[0]))
    prompt.add_done_callback(lambda counted: counted.cancelled() or counted.exception())
    async with aclosing(hearing.pieces()) as pieces:
        async for text in pieces:
            if len(text) == ready or prepared.form.may_call(text):
                continue
            if not shown:
                ready, tokens = len(text), len(hearing.produced)
            if ready > shown:
                usage = running(await prompt, tokens, prepared.others)
                yield _response(prepared, [_content([{"text": text[shown:ready]}], 0)], usage)
                shown = ready
            ready, tokens = len(text), len(hearing.produced)
    last = _candidate(prepared, hearing.finished, 0, shown)
    yield _response(prepared, [last], usage_metadata([hearing.finished.usage], prepared.others, prepared.cached))


async def _together(tasks: Sequence[asyncio.Future[Finished]]) -> list[Finished]:
    """All of them; where one fails, or nobody waits any more, none goes on."""
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _prepared(server: Server, request: Request, verb: str) -> Prepared:
    name = server.name(request.path_params["model"], request.path_params["v"], verb)
    raw, state = await request.body(), request.state
    return await asyncio.to_thread(lambda: prepare(server, name, wire.read(raw, _KIND), state.client, state.deadline))


async def _events(chunks: AsyncIterator[dict]) -> AsyncIterator[bytes]:
    async with aclosing(chunks):
        async for chunk in chunks:
            yield wire.sse(chunk)


class _Array:
    """Chunks as one JSON array, element by element; ``before`` is what stands before the next."""

    def __init__(self, chunks: AsyncIterator[dict]) -> None:
        self.chunks, self.before = chunks, b"["

    async def pieces(self) -> AsyncIterator[bytes]:
        async with aclosing(self.chunks) as chunks:
            async for chunk in chunks:
                before, self.before = self.before, b",\n"
                yield before + wire.dumps(chunk)
        yield b"]"

    def failed(self, error: ApiError) -> bytes:
        """The last element, and the end."""
        return self.before + wire.dumps(error.google()) + b"]"


def _candidate(prepared: Prepared, finished: Finished, index: int, shown: int = 0) -> dict:
    """A finished answer, less the characters of its text that were shown before."""
    parts, reason = prepared.form.parts(finished.answer)
    if "text" in parts[0]:
        parts = [{"text": parts[0]["text"][shown:]}, *parts[1:]]
    more = details(finished, prepared.top, prepared.service.vocabulary, prepared.uris, prepared.ratings)
    return _content(parts, index) | {"finishReason": reason} | more


def _content(parts: list[dict], index: int) -> dict:
    return {"content": {"parts": parts, "role": "model"}, "index": index}


def _response(prepared: Prepared, candidates: list[dict], usage: dict) -> dict:
    return {"candidates": candidates, "usageMetadata": usage, "modelVersion": prepared.model, "responseId": prepared.id}
