"""A grammar while it is put together: rules, each of some alternatives, each of some symbols.

    Grammar.rule((text("["), value, text("]")))  ->  "r7", a symbol
    Grammar.lark(start)                          ->  r7: "[" r6 "]" …

Rules are flat and shared where they say the same. What has no finite text is left out, so that nothing can be begun that can never
be ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from pollux.serve.errors import ApiError

# The library follows rules within rules by recursion, and overflows its stack at about 3,000.
DEEPEST = 600
# So much compiles in about half a second: a symbol counts one, a pattern ten and one for every fifty characters.
MOST_SYMBOLS = 60_000
# Where only one text can follow, the library would let through one way to spell it in tokens alone, which is not always ours.
_OPTIONS = '%llguidance {"no_forcing": true}'

Alternative = tuple[str, ...]


def text(literal: str) -> str:
    """The symbol for itself."""
    return json.dumps(literal, ensure_ascii=False)


def repeated(symbol: str, low: int, high: int) -> str:
    """The symbol ``low`` to ``high`` times."""
    return f"{symbol}{{{low},{high}}}" if high else text("")


class Grammar:
    def __init__(self) -> None:
        self._rules: dict[str, tuple[Alternative, ...]] = {}
        self._bodies: dict[str, str] = {}
        self._names: dict[object, str] = {}
        self._symbols = 0

    def rule(self, *alternatives: Alternative) -> str:
        """The symbol for any of the alternatives; that which is there already, where one says the same."""
        if alternatives in self._names:
            return self._names[alternatives]
        name = self._names[alternatives] = self.reserve()
        self.define(name, *alternatives)
        return name

    def reserve(self) -> str:
        """A symbol that is said later what it stands for, so that it may stand within itself."""
        name = f"r{len(self._rules)}"
        self._rules[name] = ()
        return name

    def define(self, name: str, *alternatives: Alternative) -> None:
        """Raises ApiError (400) where the grammar gets too large."""
        self._rules[name] = alternatives
        self._count(sum(map(len, alternatives)) + 1)

    def _count(self, symbols: int) -> None:
        self._symbols += symbols
        if self._symbols > MOST_SYMBOLS:
            raise ApiError(400, f"The schema is too large: it takes more than {MOST_SYMBOLS:,} symbols. Leave parts of it out.")

    def terminal(self, expression: str) -> str:
        """The symbol for what an expression matches: patterns ``/…/`` and texts ``"…"``, with ``|``, ``&`` and ``~``."""
        return self._named("T", expression, expression)

    def leaf(self, schema: dict) -> str:
        """The symbol for the JSON values of a schema that the library compiles itself."""
        body = json.dumps({**schema, "x-guidance": {"whitespace_flexible": False}})
        return self._named("j", body, f"%json {body}")

    def _named(self, prefix: str, key: str, body: str) -> str:
        if (prefix, key) not in self._names:
            self._count(10 + len(body) // 50)
            self._names[prefix, key] = f"{prefix}{len(self._bodies)}"
            self._bodies[self._names[prefix, key]] = body
        return self._names[prefix, key]

    def lark(self, start: str) -> str:
        """The whole as text.

        Raises:
            ApiError: 400 where nothing fits, or nothing that ever ends, or rules lie too deep in one another.
        """
        finite = self._finite()
        if start not in finite:
            raise ApiError(400, "No finite value fits the schema: each would have to hold another of its own kind.")
        rules = {name: [_kept(a, finite) for a in some if _ends(a, finite)] for name, some in self._rules.items() if name in finite}
        used = self._used(start, rules)
        lines = [_OPTIONS, f"start: {start}"]
        for name in used:
            body = self._bodies.get(name) or " | ".join(" ".join(alternative) or '""' for alternative in rules[name])
            lines.append(f"{name}: {body}")
        return "\n".join(lines)

    def _finite(self) -> set[str]:
        """Symbols that some finite text fits."""
        finite = set(self._bodies)
        waiting = dict(self._rules)
        while found := [name for name, some in waiting.items() if any(_ends(alternative, finite) for alternative in some)]:
            finite.update(found)
            for name in found:
                del waiting[name]
        return finite

    def _used(self, start: str, rules: dict[str, list[Alternative]]) -> list[str]:
        """Rules and terminals that the start leads to, in the order that they are met, as the library goes through them."""
        order, open_ = [start], [self._next(start, rules)]
        seen = {start}
        while open_:
            if (name := next(open_[-1], None)) is None:
                open_.pop()
            elif name not in seen:
                seen.add(name)
                order.append(name)
                open_.append(self._next(name, rules))
                if len(open_) > DEEPEST:
                    raise ApiError(400, f"The schema is too deep: definitions lie within definitions more than {DEEPEST} times.")
        return order

    def _next(self, name: str, rules: dict[str, list[Alternative]]) -> Iterator[str]:
        symbols = (symbol.partition("{")[0] for alternative in rules.get(name, ()) for symbol in alternative if symbol[0] != '"')
        return iter([symbol for symbol in symbols if symbol])


def _ends(alternative: Alternative, finite: set[str]) -> bool:
    """Whether each symbol is a text, has a finite one, or may be left out."""
    return all(symbol[0] == '"' or symbol.partition("{")[0] in finite or "{0," in symbol for symbol in alternative)


def _kept(alternative: Alternative, finite: set[str]) -> Alternative:
    """The symbols less those that have to be left out."""
    return tuple(symbol for symbol in alternative if symbol[0] == '"' or symbol.partition("{")[0] in finite)
