"""The members of an object: those that have names, in order, some of which may be left out, and then others."""

from __future__ import annotations

from pollux.serve.constrain.grammar import Grammar, repeated, text
from pollux.serve.constrain.level import Impossible, wrong

# Objects of which members are counted one by one: their rules are as many as members times counts.
MOST_COUNTED = 100
_COMMA = text(",")


def members(
    grammar: Grammar,
    named: list[tuple[str, bool]],
    extra: str,
    least: int,
    most: int | None,
    free: int,
    where: str,
    ends: str = "{}",
) -> str:
    """The symbol for an object.

    Args:
        named: A symbol for each member with a name, and whether it has to be there.
        extra: The symbol for another member, empty where there may be none; at most ``free`` of those.
        least, most: How many members there are altogether, None for no bound.
        ends: What stands before and behind them; of an array of things that are there or not, other than of an object.

    Raises:
        Impossible: there cannot be so many. ApiError: 400 where so many cannot be held to.
    """
    required = sum(needed for _, needed in named)
    if (most is not None and max(required, least) > most) or (not extra and least > len(named)):
        raise Impossible(400, f"{where}: no object has that many properties, and fits the rest.")
    # a name that is free may come twice, which counts once
    if least > len(named) + 1:
        raise wrong(f"{where}.minProperties", "so many names that are not given cannot be held apart. Name them as properties.")
    if not named:
        inner = _only(grammar, extra, least, free if most is None else min(most, free))
    elif least <= required and (most is None or most >= len(named) + (free if extra else 0)):
        inner = _uncounted(grammar, named, extra, free)
    elif len(named) > MOST_COUNTED:
        raise wrong(where, f"of more than {MOST_COUNTED} properties it cannot be said how many there may be.")
    else:
        inner = _counted(grammar, named, extra, least, most, free)
    return grammar.rule((text(ends[0]), inner, text(ends[1])))


def _only(grammar: Grammar, extra: str, least: int, most: int) -> str:
    """Members without names alone."""
    if not extra or not most:
        return grammar.rule(())
    some = (extra, repeated(grammar.rule((_COMMA, extra)), 0, most - 1))
    return grammar.rule(some) if least else grammar.rule((), some)


def _uncounted(grammar: Grammar, named: list[tuple[str, bool]], extra: str, free: int) -> str:
    """Whichever comes first, and behind it the others, each with a comma before it."""
    behind = _Behind(grammar, named)
    tail = (repeated(grammar.rule((_COMMA, extra)), 0, free),) if extra else ()
    options = []
    for number, (symbol, needed) in enumerate(named):
        options.append((symbol, *behind.since(number + 1), *tail))
        if needed:
            break
    else:
        options.append((_only(grammar, extra, 0, free),))
    return grammar.rule(*options)


class _Behind:
    """Members behind the first: a tree of rules, so that they lie only so deep in one another however many there are."""

    def __init__(self, grammar: Grammar, named: list[tuple[str, bool]]) -> None:
        self._grammar, self._named = grammar, named
        self._blocks: dict[tuple[int, int], str] = {}

    def since(self, start: int) -> tuple[str, ...]:
        """The symbols for members from number ``start`` on."""
        symbols, stop, size = [], len(self._named), 1
        while start < stop:
            while start % (2 * size) == 0 and start + 2 * size <= stop:
                size *= 2
            while start % size or start + size > stop:
                size //= 2
            symbols.append(self._block(start, size))
            start += size
        return tuple(symbols)

    def _block(self, start: int, size: int) -> str:
        if (start, size) not in self._blocks:
            self._blocks[start, size] = self._grammar.rule(*self._alternatives(start, size))
        return self._blocks[start, size]

    def _alternatives(self, start: int, size: int) -> list[tuple[str, ...]]:
        if size > 1:
            half = size // 2
            return [(self._block(start, half), self._block(start + half, half))]
        symbol, needed = self._named[start]
        return [(_COMMA, symbol)] if needed else [(), (_COMMA, symbol)]


def _counted(grammar: Grammar, named: list[tuple[str, bool]], extra: str, least: int, most: int | None, free: int) -> str:
    """As many rules as there are members and counts: from the last member to the first, what may follow where so many are there."""
    top = max(1, least) if most is None else min(most, len(named))
    follow = [_last(grammar, count, extra, least, most, free) for count in range(top + 1)]
    for symbol, needed in reversed(named):
        before = follow
        follow = []
        for count in range(top + 1):
            options = []
            full = most is not None and count >= most
            if not full and (rest := before[min(count + 1, top)]):
                options.append((_COMMA, symbol, rest) if count else (symbol, rest))
            if not needed and before[count]:
                options.append((before[count],))
            follow.append(grammar.rule(*options) if options else "")
    if not follow[0]:
        raise Impossible(400, "no object has that many properties.")
    return follow[0]


def _last(grammar: Grammar, count: int, extra: str, least: int, most: int | None, free: int) -> str:
    """What may come behind the named members, of which ``count`` are there; empty where nothing may."""
    low, high = max(0, least - count), free if most is None else min(free, most - count)
    if not extra or not high:
        return grammar.rule(()) if not low else ""
    if low > 1:
        return ""
    if count:
        return grammar.rule((repeated(grammar.rule((_COMMA, extra)), low, high),))
    return _only(grammar, extra, low, high)
