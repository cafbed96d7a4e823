"""OpenAI's messages as Google's contents, so that one path leads to the model.

    system, developer → systemInstruction      user → user parts      assistant → model parts and function calls
    tool → the function's response, named after the call that it answers
"""

from __future__ import annotations

import mimetypes
import re

import orjson

from pollux.serve.web.fields import Fields

_DATA = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w.+-]+=[^;,]*)*;base64,", re.IGNORECASE)
_SENT = "send what is to be read as text, or its bytes as a data: URL, or as a file part with the id of a file."
_DETAIL = {"low": "MEDIA_RESOLUTION_LOW", "high": "MEDIA_RESOLUTION_HIGH"}


def contents(request: Fields) -> dict:
    """``contents`` and, where there is one, ``systemInstruction``.

    Raises:
        ApiError: 400 where a message or a part is malformed, or of a kind that the model cannot read.
    """
    system: list[dict] = []
    turns: list[dict] = []
    calls: dict[str, str] = {}
    messages = request.each("messages")
    if not messages:
        raise request.refuse("messages", "it is required: at least one message.")
    for message in messages:
        role = message.text("role")
        if role in ("system", "developer"):
            system += _parts(message)
        elif role == "user":
            turns.append({"role": "user", "parts": _parts(message)})
        elif role == "assistant":
            turns.append({"role": "model", "parts": _assistant(message, calls)})
        elif role == "tool":
            turns.append({"role": "user", "parts": [_result(message, calls)]})
        else:
            raise message.refuse("role", f"expected system, developer, user, assistant or tool, got {role!r}.")
    return {"contents": turns} | ({"systemInstruction": {"parts": system}} if system else {})


def _assistant(message: Fields, calls: dict[str, str]) -> list[dict]:
    """What the model said and which functions it called; ``calls`` notes whose id is whose."""
    parts = [part for part in _parts(message, needed=False) if part.get("text") != ""]
    for call in message.each("tool_calls"):
        if call.get("type", str, default="function") != "function":
            raise call.refuse("type", "only function calls are known.")
        function = call.inner("function")
        name, text = function.text("name"), function.get("arguments", str, default="") or "{}"
        try:
            arguments = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise function.refuse("arguments", f"it has to be JSON in a string: {error}.") from error
        if not isinstance(arguments, dict):
            raise function.refuse("arguments", "it has to be a JSON object in a string.")
        identity = call.get("id", str, default="")
        calls[identity] = name
        parts.append({"functionCall": {"id": identity, "name": name, "args": arguments}})
    return parts


def _result(message: Fields, calls: dict[str, str]) -> dict:
    """A tool's message as the response to the call that it names."""
    identity = message.text("tool_call_id")
    if identity not in calls:
        raise message.refuse("tool_call_id", f"no assistant message before it has a tool call of the id {identity!r}.")
    text = "\n".join(part["text"] for part in _parts(message) if "text" in part)
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = text
    response = value if isinstance(value, dict) else {"result": value}
    return {"functionResponse": {"id": identity, "name": calls[identity], "response": response}}


def _parts(message: Fields, *, needed: bool = True) -> list[dict]:
    """A message's content: a string, or parts."""
    content = message.get("content", str, list)
    if content is None:
        if needed:
            raise message.refuse("content", "it is required: a string or an array of parts.")
        return []
    if isinstance(content, str):
        return [{"text": content}]
    return [_part(part) for part in message.each("content")]


def _part(part: Fields) -> dict:
    kind = part.text("type")
    if kind in ("text", "refusal"):
        return {"text": part.text(kind)}
    if kind == "file":
        return _file(part.inner("file"))
    if kind == "image_url":
        return _linked(part.inner("image_url"))
    if kind == "video_url":
        return _linked(part.inner("video_url"))
    if kind == "input_audio":
        audio = part.inner("input_audio")
        return {"inlineData": {"mimeType": f"audio/{audio.get('format', str, default='wav')}", "data": audio.text("data")}}
    raise part.refuse("type", f"expected text, file, image_url, input_audio or video_url, got {kind!r}.")


def _file(file: Fields) -> dict:
    """A file that was uploaded, by its id, or one that is in the message, as a data: URL or in bare base64."""
    identity, data = file.get("file_id", str), file.get("file_data", str)
    if identity is not None:
        return {"fileData": {"fileUri": identity if "files/" in identity else f"files/{identity}"}}
    if data is None:
        raise file.refuse("file_data", "a file part needs file_data or file_id.")
    name = file.get("filename", str, default="")
    found = _DATA.match(data)
    if data.startswith("data:") and not found:
        raise file.refuse("file_data", "expected a data: URL in base64, as in data:application/pdf;base64,JVBERi0…")
    mime = (found and found[1]) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    blob = {"mimeType": mime, "data": data[found.end() :] if found else data}
    return {"inlineData": blob | ({"displayName": name} if name else {})}


def _linked(link: Fields) -> dict:
    """A data: URL of a picture or a film, or of what else can be read, as some clients send PDFs."""
    url = link.text("url")
    found = _DATA.match(url)
    if not found:
        raise link.refuse("url", f"addresses are not fetched: {_SENT}")
    blob = {"mimeType": (found[1] or "").lower() or "application/octet-stream", "data": url[found.end() :]}
    level = _DETAIL.get(link.get("detail", str, default=""))
    return {"inlineData": blob} | ({"mediaResolution": {"level": level}} if level else {})
