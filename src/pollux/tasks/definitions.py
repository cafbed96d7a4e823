"""Definitions: source files in one context, and the question where a function or class is defined.

The answer is the definition's own line, and its evidence tells file and line.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import NamedTuple

from pollux.tasks.prose import draw_size
from pollux.tasks.task import Example, NoExample, Question, exact

_PYTHON = re.compile(
    r"^[ \t]*(?:(?:async[ \t]+)?(?P<function>def)[ \t]+(?P<f>[A-Za-z_]\w*)[ \t]*[(\[]"
    r"|class[ \t]+(?P<c>[A-Za-z_]\w*)[ \t]*[(:\[])[^\n]*",
    re.MULTILINE,
)
_SCRIPT = re.compile(
    r"^[ \t]*(?:export[ \t]+)?(?:default[ \t]+)?(?:abstract[ \t]+)?"
    r"(?:(?:async[ \t]+)?(?P<function>function)[ \t]*\*?[ \t]*(?P<f>[A-Za-z_$][\w$]*)[ \t]*[<(]"
    r"|class[ \t]+(?P<c>[A-Za-z_$][\w$]*)[ \t]*(?:extends\b|implements\b|[{<]))[^\n]*",
    re.MULTILINE,
)
_PATTERNS = {".py": _PYTHON, ".pyi": _PYTHON, **dict.fromkeys((".js", ".jsx", ".mjs", ".ts", ".tsx"), _SCRIPT)}
_LONGEST = 160  # characters of a line that is asked for: longer ones are seldom written by hand
_SHORTEST = 80  # characters of a piece of a file: less than two lines or so say nothing
_TRIES = 50  # contexts tried before the files are declared to define nothing that can be asked for
_WORDINGS = (
    "Where is the {what} `{name}` defined?",
    "Which file and line defines `{name}`?",
    "Show the line that defines `{name}`.",
    "Find the definition of `{name}`.",
    "On which line does the definition of the {what} `{name}` start?",
    "I am looking for `{name}`. Where is it defined?",
    "Quote the line on which the {what} `{name}` is defined.",
    "Go to the definition of `{name}`.",
)


class Definition(NamedTuple):
    """A defining line: its character range without indentation, the name, and "function", "method" or "class"."""

    start: int
    end: int
    name: str
    what: str


@lru_cache(maxsize=65536)
def find_definitions(path: str, source: str) -> tuple[Definition, ...]:
    """Functions and classes that a file defines, in order; none where the path's ending tells no known language."""
    pattern = _PATTERNS.get(path[path.rfind(".") :])
    return tuple(_definition(m) for m in pattern.finditer(source)) if pattern else ()


def _definition(match: re.Match) -> Definition:
    line = match[0]
    indent = len(line) - len(line.lstrip())
    what = "class" if not match["function"] else "method" if indent and match["function"] == "def" else "function"
    return Definition(match.start() + indent, match.start() + len(line.rstrip()), match["f"] or match["c"], what)


@dataclass(frozen=True)
class Definitions:
    """Several files in one context; a file that is too large gives a run of its lines.

    Attributes:
        files: (path, source) of each file.
        characters: Length of a context, drawn log-uniformly between the two.
        pieces: How many files share a context, drawn uniformly; fewer where files run out.
        questions: How many definitions are asked for; fewer where there are fewer.
        size: How many examples there are.
    """

    files: Sequence[tuple[str, str]]
    characters: tuple[int, int] = (2000, 8000)
    pieces: tuple[int, int] = (1, 5)
    questions: tuple[int, int] = (1, 4)
    seed: int = 0
    size: int = 1_000_000

    def __post_init__(self):
        if not len(self.files):
            raise ValueError("no files to look for definitions in; pass (path, source) pairs")
        for name in ("characters", "pieces", "questions"):
            low, high = getattr(self, name)
            if not 1 <= low <= high:
                raise ValueError(f"{name} must be (low, high) with 1 <= low <= high, got {(low, high)}; mend the pair")

    def __len__(self) -> int:
        return self.size

    def example(self, i: int) -> Example:
        """Example number ``i``.

        Raises:
            NoExample: when the files define nothing that can be asked for.
        """
        rng = Random(f"{self.seed}/{i}")
        for _ in range(_TRIES):
            context, found, files = self._context(rng)
            once = _askable(found)
            if once:
                asked = rng.sample(once, min(rng.randint(*self.questions), len(once)))
                return Example(context, tuple(_ask(d, context, rng) for d in asked), files)
        raise NoExample(
            f"found no definition in {_TRIES} contexts of {len(self.files)} files; "
            f"pass Python or JavaScript files, known by their ending ({', '.join(_PATTERNS)})"
        )

    def _context(self, rng: Random) -> tuple[str, list[Definition], tuple[tuple[int, str], ...]]:
        """Pieces of files, their definitions with ranges in the whole, and where each file starts."""
        size = draw_size(rng, self.characters)
        count = min(rng.randint(*self.pieces), len(self.files))
        parts: list[str] = []
        found: list[Definition] = []
        files: list[tuple[int, str]] = []
        length = 0
        for done, number in enumerate(rng.sample(range(len(self.files)), count)):
            path, source = self.files[number]
            room = (size - length) // (count - done) - len(path)
            if room < _SHORTEST:
                continue
            definitions = find_definitions(path, source)
            start, end = _run(source, definitions, room, rng)
            shift = length - start
            inside = definitions[bisect_left(definitions, (start,)) : bisect_right(definitions, (end,))]
            found += [d._replace(start=d.start + shift, end=d.end + shift) for d in inside if d.end <= end]
            parts.append(source[start:end].rstrip() + "\n")
            files.append((length, path))
            length += len(parts[-1])
        return "".join(parts), found, tuple(files)

    def score(self, question: Question, reply: str) -> float:
        return exact(question, reply)


def _run(source: str, definitions: Sequence[Definition], room: int, rng: Random) -> tuple[int, int]:
    """Range of whole lines, at most ``room`` characters, that holds a definition where the file has one."""
    if len(source) <= room:
        return 0, len(source)
    middle = rng.choice(definitions).start if definitions else rng.randrange(len(source))
    # Anything up to three quarters of the run stands before the definition, so that it is found at every depth.
    start = min(max(0, middle - rng.randrange(max(1, room * 3 // 4))), len(source) - room)
    start = source.rfind("\n", 0, start) + 1
    end = source.rfind("\n", start, start + room) + 1
    return start, end or start


def _askable(found: Sequence[Definition]) -> list[Definition]:
    """Definitions whose name is defined once and whose line is one a person would quote."""
    names = Counter(d.name for d in found)
    return [d for d in found if names[d.name] == 1 and d.end - d.start <= _LONGEST and not d.name.startswith("__")]


def _ask(definition: Definition, context: str, rng: Random) -> Question:
    start, end, name, what = definition
    text = rng.choice(_WORDINGS).replace("{what}", what).replace("{name}", name)
    kind = "class" if what == "class" else "function"
    return Question(text, context[start:end], (start, end), f"definition/{kind}")
