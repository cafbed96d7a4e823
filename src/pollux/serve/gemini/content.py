"""Contents of a conversation, as they come over the wire, into messages of texts and documents.

    {"role", "parts": [{"text"} | {"inlineData"} | {"fileData"} | {"functionCall"} | …]} ──> Message(role, (text | Document, …))

Files are taken apart by `pollux.media`, each once (`Perceiver`). Every model reads text, source code, HTML and PDF; pictures, sound
and films are for those that have senses, and refused by others.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pollux.media.segment import Document
from pollux.serve.constrain.functions import Call, returned
from pollux.serve.errors import ApiError
from pollux.serve.gemini.wire import bytes_of, seconds_of
from pollux.serve.material.arrange import Message
from pollux.serve.material.perceived import Manner, manner

if TYPE_CHECKING:
    from pollux.serve.server import Server

_ROLES: dict[str, Literal["user", "model"]] = {
    "": "user", "user": "user", "function": "user", "tool": "user", "model": "model",
}  # fmt: skip
_DATA = (
    "text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult", "toolCall",
    "toolResponse", "audioTranscription",
)  # fmt: skip
_FILE = re.compile(r"(?:^|/)(files/[a-z0-9-]{1,40})(?![a-z0-9-])")
_READS = "This model reads text, source code, HTML and PDF."


def messages(contents: list[dict], server: Server, resolution: str = "") -> list[Message]:
    """The messages of a conversation; what was thought is left out, as no model reads it again. ``resolution``: at which pictures
    are seen whose parts do not say.

    Raises:
        ApiError: 400 for roles, parts and files that cannot be read, 403 for files that are not there (contract §2).
    """
    out = []
    for number, content in enumerate(contents):
        at = f"GenerateContentRequest.contents[{number}]"
        role = _ROLES.get(content.get("role", ""))
        if role is None:
            raise ApiError(400, "Please use a valid role: user, model.")
        if not content.get("parts") and role == "user":
            raise ApiError(400, f"* {at}.parts: contents.parts must not be empty.")
        parts = tuple(_parts(content.get("parts", []), at, f"message {number + 1}", server, resolution))
        out.append(Message(role, parts))
    return out


def text(content: dict, at: str) -> str:
    """The text of a content that may hold nothing else, such as a system instruction. Raises ApiError 400."""
    parts = content.get("parts", [])
    for number, part in enumerate(parts):
        if _kind(part, f"{at}.parts[{number}]") not in ("text", ""):
            raise ApiError(400, f"* {at}.parts[{number}]: only text is allowed here.")
    return "\n".join(part["text"] for part in parts if "text" in part)


def file_name(uri: str) -> str:
    """``files/…`` of a file's address. Raises ApiError 400 for what is no address of a file here."""
    if found := _FILE.search(uri):
        return found[1]
    told = f"Invalid or unsupported file uri: {uri[:200]}. Upload the file and give its uri, or send its bytes as inlineData."
    raise ApiError(400, told)


def _parts(parts: list[dict], at: str, where: str, server: Server, resolution: str) -> Iterator[str | Document]:
    """``where``: in what the parts stand, of which the names of files without one are made."""
    for number, part in enumerate(parts):
        here, name = f"{at}.parts[{number}]", f"{where}, part {number + 1}"
        kind = _kind(part, here)
        _check_video(part, here)
        if part.get("thought") or not kind:
            continue
        if kind == "inlineData":
            yield _inline(part[kind], here, f"({name})", server, manner(part, resolution))
        elif kind == "fileData":
            yield _stored(part[kind], here, server, manner(part, resolution))
        else:
            yield _said(kind, part, here)
            if kind == "functionResponse":  # with files that the function gave back, such as a picture of the screen
                yield from _parts(part[kind].get("parts", []), f"{here}.{kind}", name, server, resolution)


def _kind(part: dict, at: str) -> str:
    """Which of the fields that exclude each other a part has; "" for one that is a signature alone."""
    given = [name for name in _DATA if name in part]
    if len(given) > 1:
        raise ApiError(400, f"* {at}.data: oneof field 'data' is already set. Cannot set '{given[1]}' beside '{given[0]}'.")
    if not given and not part.get("thought") and "thoughtSignature" not in part:
        raise ApiError(400, f"* {at}.data: required oneof field 'data' must have one initialized field.")
    return given[0] if given else ""


def _said(kind: str, part: dict, at: str) -> str:
    """What is said in words: text, calls of functions and what came of them."""
    if kind == "text":
        return part["text"]
    value = part[kind]
    if kind in ("functionCall", "functionResponse"):
        if not value.get("name"):
            raise ApiError(400, f"* {at}.{kind}.name: Name cannot be empty.")
        given = value.get("args" if kind == "functionCall" else "response") or {}
        return Call(value["name"], given).text if kind == "functionCall" else returned(value["name"], given)
    if kind == "executableCode":
        return f"```python\n{value.get('code', '')}\n```"
    if kind == "codeExecutionResult":
        return f"```\n{value.get('output', '')}\n```"
    raise ApiError(400, f"* {at}.{kind}: this server has no tools of its own, so it cannot go on from one's call.")


def _inline(blob: dict, at: str, name: str, server: Server, how: Manner) -> Document:
    mime = blob.get("mimeType", "")
    _check_mime(mime, server)
    data = bytes_of(blob.get("data", ""), f"{at}.inlineData.data")
    if not data:
        raise ApiError(400, f"* {at}.inlineData.data: it is empty.")
    path = blob.get("displayName") or name + (mimetypes.guess_extension(mime.partition(";")[0]) or "")
    return server.perceiver.sent(data, path, how)


def _stored(given: dict, at: str, server: Server, how: Manner) -> Document:
    if not given.get("fileUri"):
        raise ApiError(400, f"* {at}.fileData.fileUri: file_uri is not specified.")
    file = server.library.files.find(file_name(given["fileUri"]))
    file.check_state()
    _check_mime(file.mime, server)
    return server.perceiver.stored(file, how)


def _check_mime(mime: str, server: Server) -> None:
    """Raises ApiError 400 for media that the model does not read; what else it says is not trusted, the bytes decide."""
    if server.perceiver.perception is not None:
        return
    if mime.partition("/")[0].lower() in ("image", "audio", "video") and mime != "image/svg+xml":
        raise ApiError(400, f"Unsupported MIME type: {mime}. {_READS}")


def _check_video(part: dict, at: str) -> None:
    """Offsets and rates have to be sound, and to belong to a file (contract §4.1)."""
    if (video := part.get("videoMetadata")) is None:
        return
    if "inlineData" not in part and "fileData" not in part:
        raise ApiError(400, f"* {at}.video_metadata: it may only stand beside inlineData or fileData.")
    if not 0 < video.get("fps", 1) <= 24:
        raise ApiError(400, f"* {at}.video_metadata.fps: fps must be in the range (0.0, 24.0].")
    if "endOffset" in video and seconds_of(video["endOffset"]) <= seconds_of(video.get("startOffset", "0s")):
        raise ApiError(400, f"* {at}.video_metadata.end_offset: it must come after start_offset.")
