"""The OpenAPI 3.1 document of what is served, made of the routes and of the table of messages that requests are read by."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

import pollux
from pollux.serve.gemini.messages.enums import ENUMS
from pollux.serve.gemini.wire import MESSAGES, reply
from pollux.serve.routing import Route

if TYPE_CHECKING:
    from pollux.serve.server import Server

# What a path's request is, by its end; PATCH has its own.
_BODIES = {
    "enerateContent": "GenerateContentRequest", ":countTokens": "CountTokensRequest", ":embedContent": "EmbedContentRequest",
    ":batchEmbedContents": "BatchEmbedContentsRequest", ":batchGenerateContent": "BatchGenerateContentRequest",
    ":asyncBatchEmbedContent": "AsyncBatchEmbedContentRequest", "/cachedContents": "CachedContent",
    "/cachedContents/{cache}": "CachedContent", "/auth_tokens": "AuthToken", "/interactions": "Interaction",
    "/chat/completions": "ChatCompletion", "/completions": "Completion", "/embeddings": "Embedding",
}  # fmt: skip
# Requests of the surfaces that spell their fields in one way.
_OTHERS: dict[str, dict] = {
    "Interaction": {
        "model": "string", "input": "any", "system_instruction": "string", "previous_interaction_id": "string", "stream": "bool",
        "store": "bool", "background": "bool", "tools": ["any"], "generation_config": "any", "response_format": "any",
    },
    "ChatCompletion": {
        "model": "string", "messages": ["any"], "max_tokens": "int", "max_completion_tokens": "int", "temperature": "number",
        "top_p": "number", "n": "int", "stop": "any", "seed": "int", "logprobs": "bool", "top_logprobs": "int", "tools": ["any"],
        "tool_choice": "any", "response_format": "any", "stream": "bool", "stream_options": "any",
    },
    "Completion": {
        "model": "string", "prompt": "any", "max_tokens": "int", "temperature": "number", "top_p": "number", "n": "int",
        "stop": "any", "seed": "int", "stream": "bool", "echo": "bool", "logprobs": "int",
    },
    "Embedding": {"model": "string", "input": "any", "encoding_format": "string", "dimensions": "int"},
}  # fmt: skip
# What a message cannot be without.
_REQUIRED = {
    "GenerateContentRequest": ["contents"], "Content": ["parts"], "EmbedContentRequest": ["content"], "FunctionCall": ["name"],
    "FunctionResponse": ["name"], "FunctionDeclaration": ["name"], "BatchEmbedContentsRequest": ["requests"],
    "ChatCompletion": ["model", "messages"], "Completion": ["model", "prompt"], "Embedding": ["model", "input"],
    "Interaction": ["model", "input"], "CachedContent": ["model"],
}  # fmt: skip
# Messages whose fields of any form are refused; and what may stand beside the one that a part is.
_PICKY, _BESIDE = ("Tool", "Part"), ("thought", "thoughtSignature")
_SCALARS: dict[str, dict] = {
    "string": {"type": "string"}, "bytes": {"type": "string", "format": "byte"}, "bool": {"type": "boolean"},
    "number": {"type": "number"}, "int": {"type": "integer"}, "duration": {"type": "string", "examples": ["3600s"]},
    "timestamp": {"type": "string", "format": "date-time"}, "any": {},
}  # fmt: skip
_UPLOAD = {
    "X-Goog-Upload-Protocol": ["resumable", "multipart", "raw"], "X-Goog-Upload-Offset": None,
    "X-Goog-Upload-Command": ["start", "upload", "upload, finalize", "finalize", "query", "cancel"],
    "X-Goog-Upload-Header-Content-Length": None, "X-Goog-Upload-Header-Content-Type": None,
}  # fmt: skip
_QUERIES = {"streamGenerateContent": {"alt": ["sse"]}, ":download": {"alt": ["media"]}, "/upload/": {"upload_id": None}}
_LISTS = re.compile(r"/(models|files|cachedContents|batches|tunedModels)$")
_ERROR = {"description": "An error, in Google's form or in OpenAI's.", "content": {"application/json": {}}}


def routes(server: Server, every: Sequence[Route]) -> list[Route]:
    async def got(request: Request) -> Response:
        return reply(document(every, list(server.services)))

    return [Route("GET", "/openapi.json", got, open=True)]


def document(every: Sequence[Route], models: Sequence[str]) -> dict:
    """The document of these routes and models. Sockets, and pages that are open to all, are not part of it."""
    paths: dict[str, dict] = {}
    for route in every:
        if route.method != "WEBSOCKET" and (not route.open or route.path.endswith("z")):
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, models)
    key = {"type": "apiKey", "in": "header", "name": "x-goog-api-key"}
    return {
        "openapi": "3.1.0", "info": {"title": "Pollux", "version": pollux.__version__},
        "paths": paths, "security": [{}, {"key": []}],
        "components": {"securitySchemes": {"key": key}, "schemas": _schemas()},
    }  # fmt: skip


def _operation(route: Route, models: Sequence[str]) -> dict:
    out: dict[str, Any] = {
        "tags": ["openai" if route.openai else "gemini"], "parameters": _parameters(route, models),
        "responses": {"200": {"description": "The answer."}, "default": _ERROR},
    }  # fmt: skip
    if route.method in ("POST", "PUT", "PATCH"):
        out["requestBody"] = {"content": _content(route)}
    return out


def _parameters(route: Route, models: Sequence[str]) -> list[dict]:
    known = {"v": ["v1", "v1beta", "v1alpha"], "model": list(models)}
    names = re.findall(r"\{(\w+)\}", route.path)
    out = [_parameter(name, "path", known.get(name)) | {"required": True} for name in names]
    queries = [query for sign, query in _QUERIES.items() if sign in route.path]
    if route.method == "GET" and _LISTS.search(route.path):
        out.append({"name": "pageSize", "in": "query", "schema": _SCALARS["int"]})
        queries.append({"pageToken": None})
    out += [_parameter(name, "query", values) for query in queries for name, values in query.items()]
    if route.path.startswith("/upload/"):
        out += [_parameter(name, "header", values) for name, values in _UPLOAD.items()]
    return out


def _parameter(name: str, where: str, values: list[str] | None) -> dict:
    schema = _SCALARS["string"] | ({"enum": values} if values else {})
    return {"name": name, "in": where, "schema": schema}


def _content(route: Route) -> dict:
    if route.path.startswith("/upload/"):
        return {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}, "application/json": {"schema": {}}}
    kind = next((kind for end, kind in _BODIES.items() if route.path.endswith(end) and "tuned" not in route.path), None)
    return {"application/json": {"schema": _reference(kind) if kind else {"type": "object"}}}


def _schemas() -> dict:
    table = MESSAGES | _OTHERS
    messages = {kind: _message(kind, fields) for kind, fields in table.items()}
    return messages | {name: {"type": "string", "enum": [each for each in names if each]} for name, names in ENUMS.items()}


def _message(kind: str, fields: dict) -> dict:
    """A message; what is refused in any form is left out, and a message in one of its own kind is not followed again."""
    known = {name: each for name, each in fields.items() if kind not in _PICKY or each != "any"}
    properties = {name: _within(kind, each) for name, each in known.items()}
    if kind == "Part":
        beside = {name: properties.pop(name) for name in _BESIDE}
        ways = ({"properties": {name: each} | beside, "required": [name]} for name, each in properties.items())
        return {"oneOf": [{"type": "object", **way, "additionalProperties": False} for way in ways]}
    out = {"type": "object", "properties": properties, "additionalProperties": kind in _OTHERS}
    return out | ({"required": _REQUIRED[kind]} if kind in _REQUIRED else {})


def _within(kind: str, each: str | list | dict) -> dict:
    inner = each if isinstance(each, str) else next(iter(each.values())) if isinstance(each, dict) else each[0]
    if inner != kind:
        return _schema(each)
    again = {"type": "object", "description": f"{kind} again."}
    return again if isinstance(each, str | dict) else {"type": "array", "items": again}


def _schema(kind: str | list | dict) -> dict:
    if isinstance(kind, list):
        return {"type": "array", "items": _schema(kind[0])}
    if isinstance(kind, dict):
        return {"type": "object", "additionalProperties": _schema(kind["*"])}
    return _SCALARS[kind] if kind in _SCALARS else _reference(kind)


def _reference(kind: str) -> dict:
    return {"$ref": f"#/components/schemas/{kind}"}
