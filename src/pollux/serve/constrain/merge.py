"""Two levels of schemas made one: what ``allOf`` means, and keywords beside ``anyOf`` and ``$ref``."""

from __future__ import annotations

from decimal import Decimal
from math import lcm

from pollux.serve.constrain.level import COUNTS, Impossible, Level, same, shared, wrong
from pollux.serve.constrain.numbers import common


def merge(a: Level, b: Level, where: str) -> Level:
    """The level that holds where both do.

    Raises:
        Impossible: nothing fits both. ApiError: 400 where what fits both cannot be said.
    """
    level = a | b
    both = a.keys() & b.keys()
    if "type" in both:
        level["type"] = _shared_types(a["type"], b["type"])
        if not level["type"]:
            raise Impossible(400, f"{where}: a value cannot be {' or '.join(a['type'])} and {' or '.join(b['type'])} at once.")
    if "enum" in both:
        level["enum"] = shared(a["enum"], b["enum"])
    if "range" in both:
        level["range"] = common(a["range"], b["range"])
    if "multipleOf" in both:
        level["multipleOf"] = _common_step(a["multipleOf"], b["multipleOf"], where)
    for key in both & set(COUNTS):
        level[key] = (max if key.startswith("min") else min)(a[key], b[key])
    for key in both & {"required", "propertyOrdering", "pattern"}:
        level[key] = type(a[key])(dict.fromkeys([*a[key], *b[key]]))
    for key in both & {"anyOf", "oneOf", "$ref"}:
        level[key] = a[key]
        level["allOf"] = [*level.get("allOf", ()), {key: b[key]}]
    if "allOf" in both:
        level["allOf"] = [*a["allOf"], *level["allOf"]]
    if "items" in both:
        level["items"] = _all_of([a["items"], b["items"]])
    for key in both & {"prefixItems", "format"}:
        if not same(a[key], b[key]):
            raise wrong(f"{where}.{key}", "two of them cannot hold at once. Give one alone.")
    return level | _shared_properties(a, b)


def _shared_types(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    """The types of both; integers are numbers."""
    shared = [kind for kind in a if kind in b or (kind == "integer" and "number" in b)]
    return tuple(dict.fromkeys([*shared, *(kind for kind in b if kind == "integer" and "number" in a)]))


def _common_step(a: Decimal, b: Decimal, where: str) -> Decimal:
    places = max(0, -a.normalize().as_tuple().exponent, -b.normalize().as_tuple().exponent)
    if places > 20 or max(a, b) > 10**20:
        raise wrong(f"{where}.multipleOf", "two such different ones cannot hold at once. Give one alone.")
    return Decimal(lcm(int(a.scaleb(places)), int(b.scaleb(places)))).scaleb(-places)


def _shared_properties(a: Level, b: Level) -> Level:
    """Properties of both levels; what one does not name has to be one of its additional ones."""
    if "properties" not in a and "properties" not in b:
        if "additionalProperties" in a and "additionalProperties" in b:
            return {"additionalProperties": _all_of([a["additionalProperties"], b["additionalProperties"]])}
        return {}
    found: Level = {"properties": {}}
    for name in dict.fromkeys([*a.get("properties", ()), *b.get("properties", ())]):
        sides = [x.get("properties", {}).get(name, x.get("additionalProperties", True)) for x in (a, b)]
        found["properties"][name] = _all_of(sides)
    if more := [x["additionalProperties"] for x in (a, b) if "additionalProperties" in x]:
        found["additionalProperties"] = _all_of(more)
    return found


def _all_of(schemas: list) -> dict | bool:
    if False in schemas:
        return False
    schemas = [schema for schema in schemas if schema is not True]
    return True if not schemas else schemas[0] if len(schemas) == 1 else {"allOf": schemas}
