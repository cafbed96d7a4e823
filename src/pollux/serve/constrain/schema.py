"""Schemas as what an answer is held to.

    schema ─Reader─> Grammar ─ready─> Callable[[], Constraint]

Both dialects are read, Gemini's and JSON Schema (`level`). An answer is compact JSON: no white space outside strings, members in
the order of ``propertyOrdering``, else of ``properties``. Where a schema says how much there may be, that holds; where it does not,
a small model may never stop, so there are bounds of ours:

    texts         4,096 characters; 1,024 where a pattern or format is given
    arrays        512 items; of ``prefixItems`` all are given; with ``uniqueItems`` some of an enum's values, in its order
    objects       64 members that are not named; none where others are and ``additionalProperties`` is not given; names of theirs
                  have 64 characters
    any value     nested 8 deep
    numbers       18 digits before the point, 17 behind it (`numbers`)

A schema whose kind lies within itself has no bound of depth: such an answer may end by its limit of tokens. Formats other than
those of `level.FORMATS` (and int32, int64) are remarks, as JSON Schema has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from urllib.parse import unquote

from pollux.engine.request import Constraint
from pollux.serve.constrain.grammar import Grammar, text
from pollux.serve.constrain.kinds import FREE_DEPTH, KINDS, enum, free
from pollux.serve.constrain.level import TYPES, Impossible, Level, fits, read, shared, wrong
from pollux.serve.constrain.merge import merge
from pollux.serve.constrain.vocabulary import ready
from pollux.tokens.vocabulary import Vocabulary

# A request's schema may have so many characters, values and levels; reading it may take so many steps, as parts of it are read
# again wherever they are combined with others.
MOST_CHARACTERS, MOST_VALUES, MOST_LEVELS, MOST_STEPS = 1_000_000, 50_000, 64, 60_000
_SPACE = '" "?'


def json_constraint(vocabulary: Vocabulary, schema: dict | bool | None, where: str = "schema") -> Callable[[], Constraint]:
    """Hold an answer to a schema; None for any JSON value. The text is the JSON and nothing else, but that a space may come first,
    which is not shown.

    Args:
        where: What the caller calls the schema, for the error's text.

    Raises:
        ApiError: 400 naming the keyword and its place, where the schema is wrong, nothing fits it, or it cannot be held to.
    """
    grammar = Grammar()
    value = Reader(grammar, True if schema is None else schema, where).start()
    return ready(vocabulary, grammar.lark(grammar.rule((_SPACE, value))), where)


def enum_constraint(vocabulary: Vocabulary, values: Sequence[str], where: str = "schema.enum") -> Callable[[], Constraint]:
    """Hold an answer to one of some texts, bare (``text/x.enum``). Raises ApiError (400) where there are none, or one could not be
    told in an answer's text, which begins where white space ends."""
    if not values:
        raise wrong(where, "there has to be at least one value.")
    for value in values:
        if not isinstance(value, str) or not value.strip() or value != value.lstrip():
            raise wrong(where, f"{str(value)[:60]!r} is no value: each is a text that does not begin with white space.")
    _check_size(list(values), where)
    grammar = Grammar()
    one = grammar.terminal(" | ".join(text(value) for value in dict.fromkeys(values)))
    return ready(vocabulary, grammar.lark(grammar.rule((_SPACE, one))), where)


class Reader:
    """Puts one schema into a grammar.

    Attributes:
        where: What the caller calls the schema.
    """

    def __init__(self, grammar: Grammar, root: dict | bool, where: str) -> None:
        _check_size(root, where)
        self.where = where
        self.grammar, self._root = grammar, root
        self._steps = self._depth = 0
        self._named: dict[str, str] = {}
        self._free = ""

    def start(self) -> str:
        """The symbol for the schema's values. Raises as `json_constraint`."""
        return self.value(self._root, self.where)

    def object(self) -> str:
        """The symbol for those of the schema's values that are objects; where it says nothing of them, for the empty one."""
        level = merge(read(self._root, self.where), {"type": ("object",)}, self.where)
        level = {"properties": {}} | level if level == {"type": ("object",)} else level
        return self._level(level, self.where, ())

    def value(self, schema: object, where: str, within: tuple[str, ...] = ()) -> str:
        """The symbol for a schema's values.

        Args:
            within: Definitions that this schema is, or is an alternative of, so that one of them again would say nothing.
        """
        return self._any_or(read(schema, where), where, within)

    def one_of(self, schema: object, where: str) -> list | None:
        """The values that a schema names, those alone; None where it names none. Raises as `value`."""
        level = self._plain(read(schema, where), where, ())
        self._step(level)
        if "enum" not in level or not level.keys() <= {"enum", "type"}:
            return None
        return [value for value in level["enum"] if fits(value, level)]

    def _any_or(self, level: Level, where: str, within: tuple[str, ...]) -> str:
        if level:
            return self._level(level, where, within)
        self._free = self._free or free(self, FREE_DEPTH)
        return self._free

    def _level(self, level: Level, where: str, within: tuple[str, ...]) -> str:
        self._step(level)
        self._depth += 1
        if self._depth > MOST_LEVELS:
            raise wrong(self.where, f"it has more than {MOST_LEVELS} levels, at {where[-200:]}.")
        try:
            return self._symbol(level, where, within)
        finally:
            self._depth -= 1

    def _step(self, level: Level) -> None:
        self.spend(1 + len(level.get("properties", ())) + len(repr(level.get("enum", ""))) // 50)

    def spend(self, steps: int) -> None:
        """Count work. Raises ApiError (400) where the schema takes too much."""
        self._steps += steps
        if self._steps > MOST_STEPS:
            raise wrong(self.where, f"it takes more than {MOST_STEPS:,} steps to read. Leave parts of it out.")

    def _symbol(self, level: Level, where: str, within: tuple[str, ...]) -> str:
        for key in ("$ref", "anyOf", "oneOf", "allOf"):
            if key in level:
                rest = {name: value for name, value in level.items() if name not in (key, "discriminator")}
                if key == "$ref":
                    return self._reference(level[key], rest, f"{where}.$ref", within)
                if key == "allOf":
                    return self._level(self._all(level[key], rest, where, within), where, within)
                return self._any(level, key, rest, f"{where}.{key}", within)
        if "enum" in level:
            return enum(self, level, f"{where}.enum")
        kinds = level.get("type", TYPES)
        kinds = [kind for kind in kinds if kind != "integer" or "number" not in kinds]
        return self._one([partial(KINDS[kind], self, level, where) for kind in kinds], where)

    def _one(self, options: list[Callable[[], str]], where: str) -> str:
        """The symbol for any of the options that are possible."""
        found, failed = [], None
        for option in options:
            try:
                found.append((option(),))
            except Impossible as error:
                failed = error
        if not found:
            raise failed or Impossible(400, f"{where}: no type is left.")
        return found[0][0] if len(found) == 1 else self.grammar.rule(*dict.fromkeys(found))

    def _reference(self, reference: str, rest: Level, where: str, within: tuple[str, ...]) -> str:
        if reference in within:
            raise wrong(where, f"{reference[:80]} is defined as itself.")
        key = f"{reference} {rest}"
        self.spend(len(key) // 100)
        if key not in self._named:
            name = self._named[key] = self.grammar.reserve()
            level = merge(read(self._find(reference, where), reference), rest, where)
            self.grammar.define(name, (self._any_or(level, reference[-80:], (*within, reference)),))
        return self._named[key]

    def _find(self, reference: str, where: str) -> object:
        """What a reference within the schema points at."""
        if reference != "#" and not reference.startswith("#/"):
            raise wrong(where, f"{reference[:60]!r} is not within the schema. A reference begins with #/, as in #/$defs/Name.")
        found = self._root
        for part in reference.split("/")[1:]:
            part = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and part.isdecimal() and int(part) < len(found):
                found = found[int(part)]
            elif isinstance(found, dict) and part in found:
                found = found[part]
            elif isinstance(found, dict) and part == "$defs" and "defs" in found:  # as Google's dialect spells it
                found = found["defs"]
            else:
                raise wrong(where, f"there is no {reference[:60]!r} in the schema.")
        return found

    def _plain(self, level: Level, where: str, within: tuple[str, ...]) -> Level:
        """The level with what it refers to put in its place."""
        while "$ref" in level:
            reference = level["$ref"]
            if reference in within:
                raise wrong(where, f"{reference[:80]} is defined as itself.")
            within = (*within, reference)
            rest = {key: value for key, value in level.items() if key != "$ref"}
            level = merge(read(self._find(reference, where), reference), rest, where)
        return level

    def _all(self, options: list, level: Level, where: str, within: tuple[str, ...]) -> Level:
        for number, option in enumerate(options):
            here = f"{where}.allOf[{number}]"
            level = merge(level, self._plain(read(option, here), here, within), here)
            self._step(level)
        return level

    def _any(self, level: Level, key: str, rest: Level, where: str, within: tuple[str, ...]) -> str:
        options = [(option, f"{where}[{number}]") for number, option in enumerate(level[key])]
        if key == "oneOf":
            if isinstance(tag := level.get("discriminator", {}).get("propertyName"), str):
                rest = merge(rest, {"required": [tag]}, where)
            self._check_apart(list(self._possible(options, rest, within)), where)

        def with_rest(option: object, here: str) -> str:
            if not rest:
                return self.value(option, here, within)
            return self._level(merge(rest, read(option, here), here), here, within)

        return self._one([partial(with_rest, *option) for option in options], where)

    def _possible(self, options: list[tuple[object, str]], rest: Level, within: tuple[str, ...]) -> Iterator[Level]:
        for option, here in options:
            try:
                level = merge(rest, self._plain(read(option, here), here, within), here)
            except Impossible:
                continue
            self._step(level)
            yield level

    def _check_apart(self, options: list[Level], where: str) -> None:
        """oneOf says that the others do not fit, which is held to only where none ever could."""
        for i, one in enumerate(options):
            for other in options[:i]:
                self._step(one)
                if not self._apart(one, other):
                    raise wrong(where, "a value may fit several of these, and answers cannot be held to one alone. Use anyOf.")

    def _apart(self, one: Level, other: Level) -> bool:
        try:
            merge(*({"type": level["type"]} if "type" in level else {} for level in (one, other)), "")
        except Impossible:
            return True
        if "enum" in one and "enum" in other:
            return not shared(one["enum"], other["enum"])
        if one.get("type") != ("object",) or other.get("type") != ("object",):
            return False
        for name in set(one.get("required", ())) & set(other.get("required", ())):
            tags = [self._plain(read(x.get("properties", {}).get(name, True), name), name, ()).get("enum") for x in (one, other)]
            if None not in tags and not shared(*tags):
                return True
        return _members_apart(one, other)


def _members_apart(one: Level, other: Level) -> bool:
    """Whether no object that is written for one of two levels fits the other, as that needs a member which it has not. What is
    written has the members alone that its level names, unless others are allowed."""
    if any(key in level for level in (one, other) for key in ("$ref", "anyOf", "oneOf", "allOf", "enum")):
        return False
    lacks, lacked = _lacks(one, other), _lacks(other, one)
    # what has a member that the other has not does not fit it only where the other forbids that
    return (lacks and (lacked or one.get("additionalProperties") is False)) or (
        lacked and other.get("additionalProperties") is False
    )


def _lacks(one: Level, other: Level) -> bool:
    """Whether objects that are written for one level never have a member that the other requires."""
    if one.get("additionalProperties", "properties" not in one) is not False:
        return False
    return any(name not in one.get("properties", ()) and name not in one.get("required", ()) for name in other.get("required", ()))


def _check_size(schema: object, where: str) -> None:
    """Refuse what is too large to be read in bounded time, before anything is."""
    characters = values = 0
    waiting = [(schema, 0)]
    while waiting:
        value, depth = waiting.pop()
        inner = [*value.keys(), *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
        waiting += [(each, depth + 1) for each in inner]
        characters += len(value) if isinstance(value, str) else 1
        values += 1
        if characters > MOST_CHARACTERS or values > MOST_VALUES or depth > 2 * MOST_LEVELS:
            told = f"{MOST_CHARACTERS:,} characters, {MOST_VALUES:,} values and {MOST_LEVELS} levels"
            raise wrong(where, f"it is too large: a schema may have {told}.")
