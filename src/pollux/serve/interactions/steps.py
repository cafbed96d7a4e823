"""Steps of an interaction, and the contents that they make.

    input: "text" | Content | [Content] | [Step] | [Turn]  ─steps→  [Step]  ─contents→  Google's contents
    parts of an answer ─said→ [Step]
"""

from __future__ import annotations

import json

from pollux.serve.web.fields import Fields, name

_MEDIA = {"image": "image/*", "audio": "audio/*", "video": "video/*", "document": "application/octet-stream"}
_SAID = ("user_input", "model_output")


def steps(request: Fields) -> list[dict]:
    """What ``input`` holds, as steps.

    Raises:
        ApiError: 400 where it is missing or malformed; a step or a content of a kind that is not known among it.
    """
    given = request.data.get("input")
    if isinstance(given, str):
        return [_user([{"type": "text", "text": given}])]
    if isinstance(given, dict):
        return [_user([_content(request.inner("input"))])]
    if not isinstance(given, list) or not given:
        raise request.refuse("input", f"it is required: a string, a content, or an array of contents or steps, got {name(given)}.")
    found: list[dict] = []
    for one in request.each("input"):
        if one.data.get("type") in ("text", *_MEDIA):
            content = _content(one)
            if found and found[-1].get("loose"):
                found[-1]["content"].append(content)
            else:
                found.append(_user([content]) | {"loose": True})
        else:
            found.append(_step(one))
    return [{key: value for key, value in step.items() if key != "loose"} for step in found]


def _user(content: list[dict]) -> dict:
    return {"type": "user_input", "content": content}


def _step(step: Fields) -> dict:
    """One step, checked."""
    if "type" not in step.data and "role" in step.data:
        return _turn(step)
    kind = step.text("type")
    if kind in _SAID:
        return {"type": kind, "content": _contents(step)}
    if kind == "thought":
        return {"type": "thought"}
    if kind == "function_call":
        arguments = step.get("arguments", dict, default={})
        return {"type": kind, "id": step.get("id", str, default=""), "name": step.text("name"), "arguments": arguments}
    if kind == "function_result":
        return _result(step)
    raise step.refuse("type", f"expected user_input, model_output, thought, function_call or function_result, got {kind!r}.")


def _turn(turn: Fields) -> dict:
    """A turn, the form of the API's first clients: a role and a content."""
    role = turn.text("role")
    if role not in ("user", "model"):
        raise turn.refuse("role", f"expected user or model, got {role!r}.")
    return {"type": "user_input" if role == "user" else "model_output", "content": _contents(turn)}


def _contents(step: Fields) -> list[dict]:
    if isinstance(text := step.get("content", str, list, dict, default=[]), str):
        return [{"type": "text", "text": text}]
    return [_content(step.inner("content"))] if isinstance(text, dict) else [_content(one) for one in step.each("content")]


def _content(content: Fields) -> dict:
    """A text or a file, checked."""
    kind = content.text("type")
    if kind == "text":
        return {"type": "text", "text": content.text("text")}
    if kind not in _MEDIA:
        raise content.refuse("type", f"expected text, image, audio, video or document, got {kind!r}.")
    kept = {field: content.get(field, str) for field in ("data", "uri", "mime_type", "resolution")}
    if not (kept["data"] or kept["uri"]):
        raise content.refuse("data", f"a content of type {kind} needs data (base64) or a uri.")
    return {"type": kind} | {field: value for field, value in kept.items() if value is not None}


def _result(step: Fields) -> dict:
    result = step.get("result", dict, str, list)
    if result is None:
        raise step.refuse("result", "it is required: an object, a string or an array of contents.")
    kept = {"type": "function_result", "call_id": step.text("call_id"), "result": result, "is_error": step.flag("is_error")}
    called = step.get("name", str)
    return kept | ({"name": called} if called else {})


def contents(whole: list[dict]) -> list[dict]:
    """A conversation's steps, oldest first, as contents; thoughts are not repeated."""
    calls = {step["id"]: step["name"] for step in whole if step["type"] == "function_call"}
    return [_as_content(step, calls) for step in whole if step["type"] != "thought"]


def _as_content(step: dict, calls: dict[str, str]) -> dict:
    if step["type"] == "function_call":
        call = {"id": step["id"], "name": step["name"], "args": step["arguments"]}
        return {"role": "model", "parts": [{"functionCall": call}]}
    if step["type"] == "function_result":
        called = step.get("name") or calls.get(step["call_id"], "function")
        response = {"id": step["call_id"], "name": called, "response": _response(step["result"], step["is_error"])}
        return {"role": "user", "parts": [{"functionResponse": response}]}
    role = "user" if step["type"] == "user_input" else "model"
    return {"role": role, "parts": [_part(content) for content in step["content"]]}


def _response(result: dict | str | list, error: bool) -> dict:
    """What a function gave, as an object."""
    if isinstance(result, list):
        texts = [one["text"] for one in result if isinstance(one, dict) and isinstance(one.get("text"), str)]
        result = "\n".join(texts) if len(texts) == len(result) else json.dumps(result)
    if isinstance(result, dict) and not error:
        return result
    return {"error" if error else "result": result}


def _part(content: dict) -> dict:
    if content["type"] == "text":
        return {"text": content["text"]}
    mime = content.get("mime_type") or _MEDIA[content["type"]]
    if "uri" in content:
        return {"fileData": {"fileUri": content["uri"], "mimeType": mime}}
    return {"inlineData": {"mimeType": mime, "data": content["data"]}}
