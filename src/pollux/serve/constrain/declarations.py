"""A function as a request declares it, in Google's words or OpenAI's, and as a model is told of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from pollux.serve.errors import ApiError

Mode = Literal["AUTO", "ANY", "NONE", "VALIDATED"]
_MODES = ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED")  # in the order of Google's numbers
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
# Kinds within kinds are told so deep, and of choices and members so many; of a parameter's kind so many characters.
_DEPTH, _CHOICES, _MEMBERS, _LONGEST = 2, 20, 12, 400


@dataclass(frozen=True)
class Function:
    """Attributes: ``parameters``: a schema of either dialect, None for no parameters. ``where``: its place in the request."""

    name: str
    description: str
    parameters: dict | bool | None
    where: str


def google(function: object, where: str) -> Function:
    """One of Google's ``functionDeclarations``. Raises ApiError (400) where it is none."""
    function = dict_of(function, where)
    if function.get("parameters") is not None and function.get("parametersJsonSchema") is not None:
        raise ApiError(400, f"{where}: parameters and parametersJsonSchema are both given. Give one alone.")
    if function.get("behavior") in ("NON_BLOCKING", 2):
        raise ApiError(400, f"{where}.behavior: NON_BLOCKING is not available on this server, only BLOCKING.")
    key = "parametersJsonSchema" if function.get("parametersJsonSchema") is not None else "parameters"
    return _function(function, key, where)


def openai(tool: object, where: str) -> Function:
    """One of OpenAI's ``tools``. Raises ApiError (400) where it is no function."""
    tool = dict_of(tool, where)
    if tool.get("type", "function") != "function":
        raise ApiError(400, f"{where}.type: {str(tool['type'])[:60]!r} is not available on this server, only function.")
    if "function" in tool:
        tool, where = dict_of(tool["function"], f"{where}.function"), f"{where}.function"
    return _function(tool, "parameters", where)


def _function(function: dict, key: str, where: str) -> Function:
    name = function.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        told = "A name has up to 128 letters, digits, and characters of _.:- and begins with a letter or _."
        raise ApiError(400, f"{where}.name: {str(name)[:60]!r} is no name of a function. {told}")
    description = function.get("description") or ""
    if not isinstance(description, str):
        raise ApiError(400, f"{where}.description has to be a text.")
    parameters = function.get(key)
    if parameters is not None and not isinstance(parameters, dict):
        raise ApiError(400, f"{where}.{key} has to be a schema.")
    return Function(name, description, parameters, f"{where}.{key}")


def mode_of(mode: object, place: str) -> Mode:
    """Google's ``mode``, by name or number."""
    if mode is None or mode in (0, "MODE_UNSPECIFIED"):
        return "AUTO"
    if isinstance(mode, int) and 0 < mode < len(_MODES):
        mode = _MODES[mode]
    if isinstance(mode, str) and mode.upper() in _MODES:
        return mode.upper()  # type: ignore[return-value]
    raise ApiError(400, f"{place}.mode: there is no mode {str(mode)[:60]!r}. It is one of {', '.join(_MODES[1:])}.")


def choice_of(choice: object) -> tuple[Mode, tuple[str, ...]]:
    """OpenAI's ``tool_choice`` as a mode and names."""
    plain = {None: "AUTO", "auto": "AUTO", "required": "ANY", "any": "ANY", "none": "NONE", "validated": "VALIDATED"}
    if choice is None or isinstance(choice, str):
        if choice not in plain:
            raise ApiError(400, f"tool_choice: there is no choice {choice[:60]!r}. It is one of auto, required, none.")
        return plain[choice], ()
    choice = dict_of(choice, "tool_choice")
    if isinstance(some := choice.get("allowed_tools"), dict):
        tools = [tool if isinstance(tool, str) else _named(tool) for tool in list_of(some.get("tools"), "tool_choice.tools")]
        return choice_of(some.get("mode"))[0], names_of(tools, "tool_choice.allowed_tools")
    return "ANY", names_of([_named(choice)], "tool_choice")


def _named(tool: object) -> object:
    """The name of the function that a tool refers to."""
    tool = dict_of(tool, "tool_choice")
    return dict_of(tool.get("function", tool), "tool_choice.function").get("name")


def names_of(names: object, where: str) -> tuple[str, ...]:
    found = list_of(names, where)
    if not all(isinstance(name, str) for name in found):
        raise ApiError(400, f"{where} has to hold names of functions.")
    return tuple(dict.fromkeys(found))


def list_of(value: object, where: str) -> list:
    if value is not None and not isinstance(value, list):
        raise ApiError(400, f"{where} has to be a list.")
    return value or []


def dict_of(value: object, where: str) -> dict:
    if not isinstance(value, dict):
        raise ApiError(400, f"{where} has to be an object.")
    return value


def described(name: str, description: str, parameters: object) -> str:
    """A line for the function and one for each parameter. Takes any schema, sound or not: what is wrong is told elsewhere."""
    root = parameters if isinstance(parameters, dict) else {}
    properties = root.get("properties")
    required = {name for name in root["required"] if isinstance(name, str)} if isinstance(root.get("required"), list) else set()
    lines = [f"{name}: {_line(description)}" if description else name]
    for key, schema in properties.items() if isinstance(properties, dict) else ():
        kind = _kind(schema, root, _DEPTH)[:_LONGEST] + ("" if key in required else ", may be left out")
        about = _line(schema.get("description")) if isinstance(schema, dict) else ""
        lines.append(f"  {key} ({kind})" + (f": {about}" if about else ""))
    return "\n".join(lines)


def _line(text: object) -> str:
    return " ".join(text.split()) if isinstance(text, str) else ""


def _kind(schema: object, root: dict, depth: int) -> str:
    """What values a schema is for, in a few words."""
    schema = _found(schema, root)
    choices = schema.get("enum") if isinstance(schema.get("enum"), list) else [schema["const"]] if "const" in schema else []
    if choices:
        return " or ".join(json.dumps(value, ensure_ascii=False) for value in choices[:_CHOICES])
    options = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(options, list) and depth:
        return " or ".join(dict.fromkeys(_kind(option, root, depth - 1) for option in options[:_CHOICES]))
    kinds = schema.get("type")
    kinds = [kind.lower() for kind in (kinds if isinstance(kinds, list) else [kinds]) if isinstance(kind, str)]
    return " or ".join(_one(kind, schema, root, depth) for kind in kinds) or "any value"


def _one(kind: str, schema: dict, root: dict, depth: int) -> str:
    properties = schema.get("properties")
    if kind == "array" and depth and "items" in schema:
        return f"list of {_kind(schema['items'], root, depth - 1)}"
    if kind == "object" and depth and isinstance(properties, dict):
        named = (f"{key}: {_kind(value, root, depth - 1)}" for key, value in islice(properties.items(), _MEMBERS))
        return "{" + ", ".join(named) + (", …}" if len(properties) > _MEMBERS else "}")
    return {"array": "list", "object": "object"}.get(kind, kind)


def _found(schema: object, root: dict) -> dict:
    """The schema, or what it refers to among the definitions."""
    for _ in range(_DEPTH):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str):
            break
        home, _, name = reference.removeprefix("#/").rpartition("/")
        within = root.get(home) if home in ("$defs", "definitions") else None
        schema = within.get(name) if isinstance(within, dict) else None
    return schema if isinstance(schema, dict) else {}
