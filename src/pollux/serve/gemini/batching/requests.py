"""What a batch is made of: requests inside the body, or the lines of a file (contract §8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from pollux.serve.errors import ApiError
from pollux.serve.gemini import wire
from pollux.serve.gemini.content import file_name
from pollux.serve.storage.batches import Batch
from pollux.serve.storage.files import StoredFile

if TYPE_CHECKING:
    from pollux.serve.server import Server

# Of one line: a request with a file inside.
_LONGEST_LINE = 128 << 20


@dataclass(frozen=True)
class Kind:
    """Attributes: ``name``: the message that describes a batch. ``verb``: what makes one. ``request``: the message of each request.
    ``body``: that of all."""

    name: str
    verb: str
    request: str
    body: str


KINDS = {
    "generate": Kind("GenerateContentBatch", "batchGenerateContent", "GenerateContentRequest", "BatchGenerateContentRequest"),
    "embed": Kind("EmbedContentBatch", "asyncBatchEmbedContent", "EmbedContentRequest", "AsyncBatchEmbedContentRequest"),
}


def batch_of(server: Server, kind: Kind, model: str, version: str, raw: bytes) -> Batch:
    """Store the batch that a body asks for.

    Raises:
        ApiError: 400 for a body that is none or has no requests, 403 for a file that is not there, 404 for a model that is not.
    """
    local = server.name(model, version, kind.verb)
    given = wire.read(raw, kind.body).get("batch", {})
    if given.get("webhookConfig"):
        raise ApiError(400, f"* {kind.name}.webhook_config: this server calls nobody. Leave it out, and ask for the batch's state.")
    inputs = given.get("inputConfig", {})
    if ("fileName" in inputs) == ("requests" in inputs):
        raise ApiError(400, f"* {kind.name}.input_config: give either requests or file_name.")
    name = next(name for name, each in KINDS.items() if each is kind)
    about = (name, f"models/{model.removeprefix('models/')}", local, given.get("displayName", ""))
    priority = given.get("priority", 0)
    if "requests" in inputs:
        requests = inputs["requests"].get("requests", [])
        return server.library.batches.create(*about, _inline(kind, requests), priority=priority)
    file = server.library.files.find(file_name(inputs["fileName"]))
    file.check_state()
    server.library.files.check(file.name)
    return server.library.batches.create(*about, _lines(file), source=file.name, priority=priority)


def _inline(kind: Kind, requests: list[dict]) -> Iterator[tuple[bytes, bytes]]:
    for number, each in enumerate(requests):
        if "request" not in each:
            raise ApiError(400, f"* {kind.name}.input_config.requests.requests[{number}].request: it is required.")
        yield orjson.dumps({name: each[name] for name in ("key", "metadata") if name in each}), orjson.dumps(each["request"])


def _lines(file: StoredFile) -> Iterator[tuple[bytes, bytes]]:
    """The lines of a JSONL file. One that is none is an error of that line's own, told when its turn comes."""
    with open(file.path, "rb") as opened:
        while line := opened.readline(_LONGEST_LINE):
            if not line.strip():
                continue
            try:
                whole = orjson.loads(line)
            except orjson.JSONDecodeError:
                whole = None
            if not isinstance(whole, dict):
                yield b"{}", line
                continue
            about = {name: whole[name] for name in ("key", "metadata") if name in whole}
            yield orjson.dumps(about), orjson.dumps(whole.get("request", {}))
