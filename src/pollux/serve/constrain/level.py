"""One level of a schema as it is meant, whichever of its dialects it is written in.

Gemini's dialect (the subset of OpenAPI's: types in capitals, ``nullable``, numbers as strings) and JSON Schema are read alike.
Keywords that only describe are passed over, as are formats that name no rule for texts; those that would have to hold and cannot be
are refused by name.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation

from pollux.serve.constrain.numbers import Range, common, exact
from pollux.serve.errors import ApiError

TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")  # in the order of Google's numbers for them, from 1
FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri")
_WHOLE = {"int32": 31, "int64": 63}
COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_SHAPES = {
    "properties": dict, "required": list, "enum": list, "anyOf": list, "oneOf": list, "allOf": list, "prefixItems": list,
    "$ref": str, "pattern": str, "format": str, "propertyOrdering": list, "items": dict | bool, "additionalProperties": dict | bool,
    "discriminator": dict,
}  # fmt: skip
# What would have to hold; the value beside each says nothing, and is passed over.
_REFUSED = {
    "not": {}, "if": None, "dependentRequired": {}, "dependentSchemas": {}, "dependencies": {}, "unevaluatedProperties": True,
    "unevaluatedItems": True, "contains": None, "propertyNames": {}, "patternProperties": {}, "$dynamicRef": None,
    "$recursiveRef": None,
}  # fmt: skip
# Keywords by which schemas within one another evaluate what this one leaves; without them, what is left is what is additional.
_EVALUATING = ("$ref", "anyOf", "oneOf", "allOf", "if", "dependentSchemas", "$dynamicRef", "$recursiveRef")
_LEFT = {"unevaluatedItems": "items", "unevaluatedProperties": "additionalProperties"}
# Keywords that tell the type where none is given.
_TELLING = {
    "object": ("properties", "required", "additionalProperties", "minProperties", "maxProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems"),
    "string": ("pattern", "minLength", "maxLength"),
    "number": _BOUNDS,
}
Level = dict


class Impossible(ApiError):
    """Nothing fits a schema. As one of several alternatives it is left out."""


def wrong(where: str, message: str) -> ApiError:
    return ApiError(400, f"{where}: {message}")


def read(schema: object, where: str) -> Level:
    """A schema's own level: keywords that hold, in one form; schemas within it as they are.

    ``type`` is a tuple, ``enum`` a list, ``pattern`` a tuple of which each holds, bounds are one `Range` as ``range``.

    Raises:
        ApiError: 400 for what is no schema, and for what cannot be held to. Impossible for the schema ``false``.
    """
    if schema is False:
        raise Impossible(400, f"{where}: the schema false lets nothing through.")
    if schema is True:
        return {}
    if not isinstance(schema, dict):
        raise wrong(where, f"a schema has to be an object, this is {shown(schema)}.")
    if schema.get("nullable") is True:
        rest = {key: value for key, value in schema.items() if key != "nullable"}
        return {"anyOf": [rest, {"type": "null"}]}
    schema = {key: value for key, value in schema.items() if value is not None or key == "const"}
    if "ref" in schema and "$ref" not in schema:  # as Google's dialect spells it
        schema["$ref"] = schema["ref"]
    schema = _evaluated(schema)
    _refuse(schema, where)
    level = {key: schema[key] for key in (*_SHAPES, *COUNTS) if key in schema}
    if isinstance(level.get("items"), list):  # a tuple in JSON Schema before 2020
        level |= {"prefixItems": level["items"], "items": schema.get("additionalItems", False)}
    for key, shape in _SHAPES.items():
        if key in level and (not isinstance(level[key], shape) or (key.endswith("Of") and not level[key])):
            raise wrong(f"{where}.{key}", f"{shown(level[key])} is not what belongs here.")
    for key in (key for key in COUNTS if key in level):
        level[key] = _count(level[key], f"{where}.{key}")
    for name in (name for key in ("required", "propertyOrdering") for name in level.get(key, ())):
        if not isinstance(name, str):
            raise wrong(f"{where}.required", f"{shown(name)} is no name.")
    if "pattern" in level:
        level["pattern"] = (level["pattern"],)
    if schema.get("uniqueItems", False) is not False:
        level["uniqueItems"] = True
    if "const" in schema:
        level["enum"] = [schema["const"]]
    level |= _types(schema, where) | _numbers(schema, where)
    if "enum" in level and {"number", "integer"} >= set(level.get("type", "?")):
        level["enum"] = [_plain(value) for value in level["enum"]]
    return level


def _plain(value: object) -> object:
    """A number that Google's dialect has to write as a text, as all in its enums."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _evaluated(schema: dict) -> dict:
    """``unevaluatedItems`` and ``unevaluatedProperties`` as what they are where nothing else evaluates; elsewhere they stay."""
    if any(key in schema for key in _EVALUATING):
        return schema
    plain = {key: value for key, value in schema.items() if key not in _LEFT}
    return {_LEFT[key]: value for key, value in schema.items() if key in _LEFT} | plain


def _refuse(schema: dict, where: str) -> None:
    for key, nothing in _REFUSED.items():
        if key in schema and not same(schema[key], nothing):
            raise wrong(f"{where}.{key}", "answers cannot be held to this keyword. Leave it out.")


def _types(schema: dict, where: str) -> Level:
    given = schema.get("type")
    given = given if isinstance(given, list) else [given]
    names = [_type(name, f"{where}.type") for name in given if name not in (None, 0, "TYPE_UNSPECIFIED")]
    if not names and "enum" not in schema and "const" not in schema:
        names = [kind for kind, keys in _TELLING.items() if any(key in schema for key in keys)]
    return {"type": tuple(dict.fromkeys(names))} if names else {}


def _type(name: object, where: str) -> str:
    if isinstance(name, int) and not isinstance(name, bool) and 1 <= name <= len(TYPES):
        return TYPES[name - 1]
    if isinstance(name, str) and name.lower() in TYPES:
        return name.lower()
    raise wrong(where, f"there is no type {shown(name)}. It is one of {', '.join(TYPES)}.")


def _numbers(schema: dict, where: str) -> Level:
    """The range and the step that a level's keywords say, those of whole numbers' formats included."""
    found: dict[str, Decimal | bool] = {}
    for key in (key for key in _BOUNDS if key in schema):
        value = schema[key]
        found[key] = value if isinstance(value, bool) and key.startswith("exclusive") else _number(value, f"{where}.{key}")
    level: Level = {}
    if (step := found.pop("multipleOf", None)) is not None:
        if step <= 0:
            raise wrong(f"{where}.multipleOf", f"it has to be above 0, got {step}.")
        level["multipleOf"] = step
    range_ = _range(found)
    if bits := _WHOLE.get(str(schema.get("format")).lower()):
        range_ = common(range_, Range(Decimal(-(2**bits)), Decimal(2**bits - 1)))
    return level | ({} if range_ == Range() else {"range": range_})


def _range(found: dict[str, Decimal | bool]) -> Range:
    low, high = found.get("minimum"), found.get("maximum")
    below, above = found.get("exclusiveMinimum", False), found.get("exclusiveMaximum", False)
    range_ = Range(low, high, below is True and low is not None, above is True and high is not None)
    return common(range_, Range(*(None if isinstance(x, bool) else x for x in (below, above)), True, True))


def _number(value: object, where: str) -> Decimal:
    try:
        number = Decimal(value.strip()) if isinstance(value, str) else exact(value)  # type: ignore[arg-type]
    except (InvalidOperation, ValueError):
        raise wrong(where, f"{shown(value)} is no number.") from None
    places = number.as_tuple().exponent
    if not isinstance(places, int) or len(number.as_tuple().digits) > 400 or number.adjusted() > 400 or places < -60:
        raise wrong(where, f"{shown(value)} is no number that can be held to.")
    return number


def _count(value: object, where: str) -> int:
    number = _number(value, where)
    if number < 0 or number != number.to_integral_value():
        raise wrong(where, f"{shown(value)} is no count.")
    return int(min(number, 1 << 31))


def fits(value: object, level: Level) -> bool:
    """Whether one of a level's ``enum`` fits its type, its range and its lengths."""
    kinds = level.get("type")
    if kinds is not None and not any(_is(value, kind) for kind in kinds):
        return False
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "range" not in level or level["range"].inside(value)
    if isinstance(value, str):
        return level.get("minLength", 0) <= len(value) <= level.get("maxLength", len(value))
    return True


def _is(value: object, kind: str) -> bool:
    if kind in ("number", "integer"):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and (kind == "number" or isinstance(value, int) or value.is_integer())
    shapes = {"string": str, "boolean": bool, "array": list, "object": dict, "null": type(None)}
    return isinstance(value, shapes[kind])


def same(a: object, b: object) -> bool:
    """Whether two JSON values are the same; 1 and true are not."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def shared(a: list, b: list) -> list:
    """JSON values that are in both lists."""
    there = {json.dumps(value, sort_keys=True) for value in b}
    return [value for value in a if json.dumps(value, sort_keys=True) in there]


def shown(value: object) -> str:
    return repr(value)[:60]
