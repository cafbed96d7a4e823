"""What each kind of value looks like in an answer: from a level of a schema to symbols of the grammar; `schema` says the bounds."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

from pollux.engine.request import LONGEST_ANSWER
from pollux.serve.constrain import numbers
from pollux.serve.constrain.grammar import Grammar, repeated, text
from pollux.serve.constrain.level import FORMATS, Impossible, Level, fits, wrong
from pollux.serve.constrain.members import members
from pollux.serve.constrain.numbers import Range
from pollux.serve.constrain.vocabulary import refusal
from pollux.serve.errors import ApiError

STRING, PATTERNED, ITEMS, MEMBERS, FREE_DEPTH = 4096, 1024, 512, 64, 8
# What is asked for has to be possible within an answer: so many characters, so many items.
LONGEST_STRING, MOST_ITEMS = 4 * LONGEST_ANSWER, LONGEST_ANSWER
_KEY = r'/"[^"\\\x00-\x1f\x7f]{1,64}"/'
# Steps that it takes to try a pattern: a millisecond.
_TRIED = 100
_BESIDE_ENUM = {"pattern", "multipleOf", "properties", "required", "items", "prefixItems", "minItems", "maxItems"}


class Schemas(Protocol):
    """What reads the schemas within a level (`schema.Reader`)."""

    grammar: Grammar

    def value(self, schema: object, where: str) -> str:
        """The symbol for a schema's values."""
        ...

    def one_of(self, schema: object, where: str) -> list | None:
        """The values that a schema names, those alone; None where it names none."""
        ...

    def spend(self, steps: int) -> None:
        """Count work."""
        ...


def enum(reader: Schemas, level: Level, where: str) -> str:
    beside = _BESIDE_ENUM & level.keys() | ({"format"} if level.get("format") in FORMATS else set())
    if beside:
        raise wrong(where, f"{min(beside)} beside an enum cannot be held to. Leave out the values that do not fit it.")
    values = [value for value in level["enum"] if fits(value, level)]
    if not values:
        raise Impossible(400, f"{where}: none of the values fits the rest of the schema.")
    plain = [text(written(value, where)) for value in values if not isinstance(value, dict | list)]
    found = [(reader.grammar.terminal(" | ".join(dict.fromkeys(plain))),)] if plain else []
    found += [_literal(reader, value, where) for value in values if isinstance(value, dict | list)]
    return found[0][0] if len(found) == 1 and len(found[0]) == 1 else reader.grammar.rule(*dict.fromkeys(found))


def _literal(reader: Schemas, value: object, where: str) -> tuple[str, ...]:
    """A value's symbols, as those that a schema for it would have: a longer text would hide what else begins like it."""
    if isinstance(value, list):
        inner = [_literal(reader, item, where) for item in value]
        return (text("["), *_joined(inner), text("]"))
    if isinstance(value, dict):
        inner = [(text(written(key, where) + ":"), *_literal(reader, item, where)) for key, item in value.items()]
        return (text("{"), *_joined(inner), text("}"))
    return (reader.grammar.terminal(text(written(value, where))),)


def null(reader: Schemas, level: Level, where: str) -> str:
    return text("null")


def boolean(reader: Schemas, level: Level, where: str) -> str:
    return reader.grammar.rule((text("true"),), (text("false"),))


def integer(reader: Schemas, level: Level, where: str) -> str:
    range_, step = level.get("range", Range()), level.get("multipleOf")
    low, high = range_.wholes()
    most = 10**range_.digits - 1
    low, high = max(-most, -most if low is None else low), min(most, most if high is None else high)
    if low > high:
        raise Impossible(400, f"{where}: there is no integer within these bounds.")
    if step is None or step == 1 or 1 % step == 0:
        return reader.grammar.terminal(numbers.whole(range_))
    if step != int(step) or step > numbers.LARGEST_STEP:
        raise wrong(f"{where}.multipleOf", f"integers cannot be held to multiples of {step}, only of 1 to {numbers.LARGEST_STEP}.")
    exact = 2**53
    leaf = {"type": "integer", "minimum": max(low, -exact), "maximum": min(high, exact), "multipleOf": int(step)}
    return _checked(reader, leaf, f"{where}.multipleOf")


def number(reader: Schemas, level: Level, where: str) -> str:
    range_, step = level.get("range", Range()), level.get("multipleOf")
    if step is not None and step == int(step):
        return integer(reader, level, where)
    open_ = range_.low_open or range_.high_open
    beyond = 10**numbers.LONGEST
    low, high = (range_.low if range_.low is not None else -beyond), (range_.high if range_.high is not None else beyond)
    if low > high or (low == high and open_) or low >= beyond or high <= -beyond:
        raise Impossible(400, f"{where}: there is no number within these bounds.")
    if (terminal := numbers.decimal(range_, step)) is None:
        finest = Decimal(1) / numbers.FINEST
        raise wrong(f"{where}.multipleOf", f"numbers cannot be held to multiples of {step}, only of 1/n down to {finest}.")
    return reader.grammar.terminal(terminal)


def string(reader: Schemas, level: Level, where: str) -> str:
    patterns, form = level.get("pattern", ()), level.get("format")
    form = form if form in FORMATS else None
    least = level.get("minLength", 0)
    free = PATTERNED if patterns or form else STRING
    most = min(level.get("maxLength", max(free, 2 * least)), LONGEST_STRING)
    if least > level.get("maxLength", least):
        raise Impossible(400, f"{where}: no text is at least {least} and at most {most} long.")
    if least > LONGEST_STRING:
        raise wrong(f"{where}.minLength", f"an answer cannot hold a text of {least:,} characters, only of {LONGEST_STRING:,}.")
    leaf = {"type": "string", "minLength": least, "maxLength": most}
    leaf |= ({"format": form} if form else {}) | ({"allOf": [{"pattern": each} for each in patterns]} if patterns else {})
    if not patterns and not form:
        return reader.grammar.leaf(leaf)
    where = f"{where}.{'pattern' if patterns else 'format'}"
    if "maxLength" in level:
        return _checked(reader, leaf, where)
    try:
        return _checked(reader, leaf, where)
    except ApiError:  # a bound of ours may be what is too much
        return _checked(reader, {key: value for key, value in leaf.items() if key != "maxLength"}, where)


def _checked(reader: Schemas, leaf: dict, where: str) -> str:
    """A leaf that the library may refuse, tried alone so that the refusal can name it."""
    grammar = Grammar()
    alone = grammar.lark(grammar.leaf(leaf))
    reader.spend(_TRIED + len(alone) // 10)
    if why := refusal(alone):
        kind = Impossible if "nsatisfiable" in why else ApiError
        raise kind(400, f"{where}: answers cannot be held to this: {why}.")
    return reader.grammar.leaf(leaf)


def array(reader: Schemas, level: Level, where: str) -> str:
    if "uniqueItems" in level and level.get("maxItems", 2) > 1:
        return _set(reader, level, where)
    prefix = level.get("prefixItems", [])
    first = [reader.value(item, f"{where}.prefixItems[{number}]") for number, item in enumerate(prefix)]
    least, more = level.get("minItems", 0), level.get("items", not prefix)
    most = min(level.get("maxItems", max(ITEMS, 2 * least)), MOST_ITEMS)
    if least > MOST_ITEMS:
        raise wrong(f"{where}.minItems", f"an answer cannot hold {least:,} items, only {MOST_ITEMS:,}.")
    if least > most or (more is False and least > len(first)):
        raise Impossible(400, f"{where}: no array has at least {least} items and fits the rest.")
    first = first[:most]
    least, most = max(0, least - len(first)), most - len(first)
    comma, begin, end = text(","), text("["), text("]")
    item = reader.value(more, f"{where}.items") if most and more is not False else ""
    if first:
        tail = (repeated(reader.grammar.rule((comma, item)), least, most),) if item else ()
        return reader.grammar.rule((begin, *_joined([(each,) for each in first]), *tail, end))
    if not item:
        return reader.grammar.rule((begin, end))
    some = (begin, item, repeated(reader.grammar.rule((comma, item)), max(0, least - 1), most - 1), end)
    return reader.grammar.rule(*([some] if least else [(begin, end), some]))


def _set(reader: Schemas, level: Level, where: str) -> str:
    """An array in which nothing is twice: of some named values, each of them or not, in their order. Others cannot be told apart
    while they are written."""
    values = reader.one_of(level.get("items", True), f"{where}.items")
    if values is None or "prefixItems" in level or any(isinstance(value, dict | list) for value in values):
        raise wrong(f"{where}.uniqueItems", "answers can be held to this only where items have an enum of plain values.")
    apart = {(isinstance(value, bool), value): value for value in reversed(values)}  # 1 and 1.0 are the same, 1 and true are not
    named = [(reader.grammar.terminal(text(written(value, where))), False) for value in reversed(apart.values())]
    return members(reader.grammar, named, "", level.get("minItems", 0), level.get("maxItems"), 0, where, ends="[]")


def object_(reader: Schemas, level: Level, where: str) -> str:
    properties = dict(level.get("properties", {}))
    order = [name for name in level.get("propertyOrdering", ()) if name in properties]
    more = level.get("additionalProperties", "properties" not in level)
    unnamed = [name for name in level.get("required", ()) if name not in properties]
    properties |= {name: more if isinstance(more, dict) else level.get("additionalProperties", True) for name in unnamed}
    required, named = set(level.get("required", ())), []
    for name in dict.fromkeys([*order, *properties]):
        try:
            value = reader.value(properties[name], f"{where}.properties.{name[:80]}")
        except Impossible:
            if name in required:
                raise
            continue
        key = text(written(name, where) + ":")
        named.append((reader.grammar.rule((key, value)), name in required))
    extra = "" if more is False else _extra(reader, more, list(properties), where)
    least, most = level.get("minProperties", 0), level.get("maxProperties")
    return members(reader.grammar, named, extra, least, most, MEMBERS, where)


def _extra(reader: Schemas, more: dict | bool, names: list[str], where: str) -> str:
    """The symbol for a member with any name but those that are given."""
    taken = [text(key) for key in (written(name, where) for name in names) if "\\" not in key]  # free names have no escapes
    key = _KEY + (f" & ~({' | '.join(taken)})" if taken else "")
    value = reader.value(more, f"{where}.additionalProperties")
    return reader.grammar.rule((reader.grammar.terminal(key), text(":"), value))


def free(reader: Schemas, depth: int) -> str:
    """The symbol for any value."""
    grammar = reader.grammar
    plain = [string(reader, {}, ""), number(reader, {}, ""), boolean(reader, {}, ""), text("null")]
    if depth:
        inner, comma = free(reader, depth - 1), text(",")
        more = repeated(grammar.rule((comma, inner)), 0, ITEMS - 1)
        pair = grammar.rule((grammar.terminal(_KEY), text(":"), inner))
        pairs = repeated(grammar.rule((comma, pair)), 0, MEMBERS - 1)
        plain.append(grammar.rule((text("["), text("]")), (text("["), inner, more, text("]"))))
        plain.append(grammar.rule((text("{"), text("}")), (text("{"), pair, pairs, text("}"))))
    return grammar.rule(*((symbol,) for symbol in plain))


def _joined(parts: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Symbols with commas between."""
    return tuple(symbol for number, part in enumerate(parts) for symbol in ((text(","), *part) if number else part))


def written(value: object, where: str) -> str:
    """A value as an answer would hold it."""
    try:
        told = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        told.encode()
    except ValueError:
        raise wrong(where, f"{str(value)[:60]!r} cannot be written as JSON.") from None
    return told


KINDS: dict[str, Callable[[Schemas, Level, str], str]] = {
    "string": string, "number": number, "integer": integer, "boolean": boolean, "array": array, "object": object_, "null": null,
}  # fmt: skip
