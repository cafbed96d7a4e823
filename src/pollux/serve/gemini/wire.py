"""JSON as Google's clients write it, read into camelCase; and our answers as they read them.

    bytes ─read→ dict, camelCase at every level of `messages`, users' own keys untouched
    dict ─reply→ Response        dict ─sse→ bytes of one event

Clients mix camelCase and snake_case in one body, write integers as strings and enumerations as numbers, and give one message
where a list of them is meant (contract §1.2, §1.8, §2). What they write is brought into one form here, or refused.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
from starlette.responses import Response

from pollux.serve.errors import ApiError
from pollux.serve.gemini.messages import generate, live, stored
from pollux.serve.gemini.messages.enums import ENUMS

MESSAGES = generate.MESSAGES | stored.MESSAGES | live.MESSAGES
# Line ends to some clients' older readers, though not to JSON.
_LINE_ENDS = {char.encode(): f"\\u{ord(char):04x}".encode() for char in "\u2028\u2029\u0085"}
_SURROGATE = re.compile("[\ud800-\udfff]")
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)s")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
_DEEPEST = 64
_LONGEST_SHOWN = 60


def read(body: bytes, kind: str) -> dict:
    """A request's body as a message of this kind; an empty body is an empty message.

    Raises:
        ApiError: 400 for what is no JSON, for unknown names and for values of other types, with the place.
    """
    if not body.strip():
        return {}
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, f"Invalid JSON payload received. {error}") from error
    return message(data, kind)


def message(data: Any, kind: str, at: str = "") -> dict:
    """The same for JSON that is parsed already; ``at`` is where it stands, for errors."""
    return _message(data, kind, at, 0)


def reply(data: dict, code: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(dumps(data), code, headers, "application/json")


def sse(data: dict) -> bytes:
    """One event: exactly ``data: {…}`` and an empty line (contract §1.4)."""
    return b"data: " + dumps(data) + b"\n\n"


def dumps(data: Any) -> bytes:
    """JSON on one line. What is no Unicode (bytes of a broken character) becomes U+FFFD."""
    try:
        text = orjson.dumps(data)
    except TypeError:
        whole = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        text = _SURROGATE.sub("\ufffd", whole).encode()
    for raw, escaped in _LINE_ENDS.items():
        text = text.replace(raw, escaped)
    return text


def bytes_of(text: str, at: str = "data") -> bytes:
    """Bytes of base64 in either alphabet, padded or not. Raises ApiError 400."""
    plain = text.translate(_ALPHABET).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _invalid(at, "TYPE_BYTES", text, f"Base64 decoding failed: {error}") from error


_ALPHABET = str.maketrans({"-": "+", "_": "/", "\n": None, "\r": None})


def seconds_of(duration: str) -> float:
    """Seconds of a duration that `read` has let through."""
    return float(duration.removesuffix("s"))


def time_of(timestamp: str) -> datetime:
    """The moment of a timestamp that `read` has let through; finer than microseconds is cut."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", timestamp)).astimezone(UTC)


def _message(data: Any, kind: str, at: str, depth: int) -> dict:
    if not isinstance(data, dict):
        raise _invalid(at, kind, data)
    if depth > _DEEPEST:
        raise ApiError(400, f"Invalid JSON payload received. Message too deep at '{at}': {_DEEPEST} levels are the most.")
    fields, names = MESSAGES[kind], _names(kind)
    out = {}
    for key, value in data.items():
        if (name := names.get(key)) is None:
            where = f" at '{at}'" if at else ""
            raise ApiError(400, f'Invalid JSON payload received. Unknown name "{_short(key)}"{where}: Cannot find field.')
        if value is not None:
            out[name] = _value(value, fields[name], f"{at}.{name}" if at else name, depth)
    return out


def _value(value: Any, kind: str | list | dict, at: str, depth: int) -> Any:
    if isinstance(kind, list):
        values = value if isinstance(value, list) else [value]
        return [_value(each, kind[0], f"{at}[{number}]", depth) for number, each in enumerate(values)]
    if isinstance(kind, dict):
        if not isinstance(value, dict):
            raise _invalid(at, "map", value)
        return {key: _value(each, kind["*"], f"{at}.{_short(key)}", depth + 1) for key, each in value.items()}
    if kind in MESSAGES:
        return _message(value, kind, at, depth + 1)
    if kind in ENUMS:
        return _enum(value, kind, at)
    return _SCALARS[kind](value, at)


def _enum(value: Any, kind: str, at: str) -> str:
    names = ENUMS[kind]
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
        value = names[value]
    name = value.upper() if isinstance(value, str) else ""
    if not name or (name not in names and name not in _LATER.get(kind, ())):
        raise _invalid(at, f"type.googleapis.com/google.ai.generativelanguage.v1beta.{kind}", value)
    return name


# Names whose numbers are not public.
_LATER = {"HarmCategory": {f"HARM_CATEGORY_{name}" for name in (
    "JAILBREAK", "IMAGE_HATE", "IMAGE_DANGEROUS_CONTENT", "IMAGE_HARASSMENT", "IMAGE_SEXUALLY_EXPLICIT",
)}}  # fmt: skip


def _string(value: Any, at: str) -> str:
    if not isinstance(value, str):
        raise _invalid(at, "TYPE_STRING", value)
    return value


def _bool(value: Any, at: str) -> bool:
    if not isinstance(value, bool):
        raise _invalid(at, "TYPE_BOOL", value)
    return value


def _number(value: Any, at: str) -> float:
    number = _parsed(value)
    if number is None or not math.isfinite(number):
        raise _invalid(at, "TYPE_FLOAT", value)
    return number


def _int(value: Any, at: str) -> int:
    number = _parsed(value)
    if number is None or not math.isfinite(number) or number != int(number) or abs(number) >= 1 << 63:
        raise _invalid(at, "TYPE_INT64", value)
    return int(value) if isinstance(value, int) else int(number)


def _parsed(value: Any) -> float | None:
    """A number, or one written as a string; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not re.fullmatch(r"-?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,3})?", value, re.ASCII):
        return None
    return float(value)


def _duration(value: Any, at: str) -> str:
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise _invalid(at, "type.googleapis.com/google.protobuf.Duration", value)
    return value


def _timestamp(value: Any, at: str) -> str:
    try:
        if isinstance(value, str) and _TIME.fullmatch(value):
            time_of(value)
            return value
    except (ValueError, OverflowError):
        pass
    raise _invalid(at, "type.googleapis.com/google.protobuf.Timestamp", value)


_SCALARS: dict[str, Callable[[Any, str], Any]] = {
    "string": _string, "bytes": _string, "bool": _bool, "number": _number, "int": _int, "duration": _duration,
    "timestamp": _timestamp, "any": lambda value, at: value,
}  # fmt: skip


@cache
def _names(kind: str) -> dict[str, str]:
    """Every spelling of a message's fields."""
    snake = lambda name: re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()  # noqa: E731
    return {spelt: name for name in MESSAGES[kind] for spelt in (snake(name), name)}


def _invalid(at: str, kind: str, value: Any, why: str = "") -> ApiError:
    shown = _short(dumps(value).decode())
    return ApiError(400, f"Invalid value at '{at or 'request'}' ({kind}), {shown}" + (f". {why}" if why else ""))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
