"""An interaction while it is answered: pieces of the answer become steps, and whoever follows is told of them.

    generate.stream ─fold→ Record.steps ─events→ those who follow        at the end ─→ the database
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import UTC, datetime

from pollux.serve.errors import of
from pollux.serve.interactions.events import DONE, Position, events, sse
from pollux.serve.interactions.record import Record
from pollux.serve.material.evidence import Passage, passages

_ENDS = {"MAX_TOKENS": "incomplete"}
_COUNTS = {
    "total_input_tokens": "promptTokenCount", "total_output_tokens": "candidatesTokenCount",
    "total_thought_tokens": "thoughtsTokenCount", "total_cached_tokens": "cachedContentTokenCount",
    "total_tool_use_tokens": "toolUsePromptTokenCount", "total_tokens": "totalTokenCount",
}  # fmt: skip
_DETAILS = {
    "input_tokens_by_modality": "promptTokensDetails", "output_tokens_by_modality": "candidatesTokensDetails",
    "cached_tokens_by_modality": "cacheTokensDetails",
}  # fmt: skip


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Run:
    """An interaction that is being answered. ``keep`` stores it when it has ended; ``error`` is why it failed."""

    def __init__(self, record: Record, chunks: AsyncIterator[dict], keep: Callable[[Record], None]) -> None:
        self.record, self.error = record, None
        self._begun, self._changed = False, asyncio.Event()
        self._keep = keep
        self.task = asyncio.create_task(self._work(chunks))

    async def follow(self, after: Position) -> AsyncIterator[bytes]:
        """The stream of events behind a position, until the interaction has ended.

        Raises:
            ApiError: what it failed of before it had begun.
        """
        while not self._begun and not self.record.finished:
            await self._changed.wait()
        if self.error and not self._begun:
            raise self.error
        while True:
            changed, finished = self._changed, self.record.finished
            # all at once: while one is sent the record grows
            for place, event in list(events(self.record, after)):
                yield sse(event)
                after = place
            if finished:
                yield DONE
                return
            await changed.wait()

    async def ended(self) -> None:
        """Wait for the end. Raises ApiError where it failed."""
        await asyncio.shield(self.task)
        if self.error:
            raise self.error

    async def cancel(self) -> None:
        """End it now, where it has not ended."""
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task
        if not self.record.finished:  # it was ended before it began
            await self._end("cancelled")

    async def _work(self, chunks: AsyncIterator[dict]) -> None:
        status = "failed"
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    self._begun = True
                    status = fold(self.record, chunk)
                    self._tell()
        except asyncio.CancelledError:
            status = "cancelled"
        except Exception as error:
            self.error, status = of(error), "failed"
            self.record.error = {"code": str(self.error.code), "message": self.error.message}
        await self._end(status)

    async def _end(self, status: str) -> None:
        """Stored first and told then, so that who is told can ask for it."""
        whole = replace(self.record, status=status, updated=now())
        try:
            await asyncio.shield(asyncio.to_thread(self._keep, whole))
        finally:
            self.record.status, self.record.updated = whole.status, whole.updated
            self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def fold(record: Record, chunk: dict) -> str:
    """Add a piece of an answer to an interaction's steps; gives what it ends as if nothing follows."""
    candidate = (chunk.get("candidates") or [{}])[0]
    for part in candidate.get("content", {}).get("parts", []):
        if "functionCall" in part:
            call = part["functionCall"]
            identity = call.get("id") or f"call_{secrets.token_hex(8)}"
            step = {"type": "function_call", "id": identity, "name": call["name"], "arguments": call.get("args", {})}
            record.steps.append(step)
        elif part.get("text") and not part.get("thought"):
            _text(record)["text"] += part["text"]
    found = citations(candidate)
    if found and record.steps and record.steps[-1]["type"] == "model_output":  # a call of a function cites nothing
        _text(record)["annotations"] = found
    if "usageMetadata" in chunk:
        record.usage = usage(chunk["usageMetadata"])
    calls = any(step["type"] == "function_call" for step in record.steps)
    return _ENDS.get(candidate.get("finishReason", ""), "requires_action" if calls else "completed")


def _text(record: Record) -> dict:
    """The text that is being said."""
    if not record.steps or record.steps[-1]["type"] != "model_output":
        record.steps.append({"type": "model_output", "content": [{"type": "text", "text": ""}]})
    return record.steps[-1]["content"][0]


def citations(candidate: dict) -> list[dict]:
    """The passages that an answer was drawn from, as annotations of its text: all of it, in bytes."""
    end = candidate["groundingMetadata"]["groundingSupports"][0]["segment"]["endIndex"] if "groundingMetadata" in candidate else 0
    return [_citation(passage, end) for passage in passages(candidate)]


def _citation(passage: Passage, end: int) -> dict:
    place = {name: getattr(passage, name) for name in ("line", "start", "end", "share", "seconds", "region")}
    cited = {
        "type": "file_citation", "start_index": 0, "end_index": end, "file_name": passage.path, "document_uri": passage.uri,
        "page_number": passage.page, "source": passage.text, "custom_metadata": {k: v for k, v in place.items() if v is not None},
    }  # fmt: skip
    return {name: value for name, value in cited.items() if value is not None}


def usage(counts: dict) -> dict:
    """Google's other way to count the same tokens."""
    found = {name: counts.get(theirs, 0) for name, theirs in _COUNTS.items()}
    for name, theirs in _DETAILS.items():
        if theirs in counts:
            found[name] = [{"modality": each["modality"].lower(), "tokens": each["tokenCount"]} for each in counts[theirs]]
    return found
