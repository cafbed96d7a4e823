"""Running text as a place to hide things: passages of a document, their sentence ends, and sentences set into them.

Nothing here copies or scans a whole document per call, except once, when a document's paragraphs are first looked up.
"""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from random import Random

Range = tuple[int, int]

# A stop, closing quotes, then either white space before what can open a sentence, or a blank line, or the end.
_STOP = re.compile(r"""[.!?]["'”’)\]]*(?=\s+["'“‘(\[]*[A-Z0-9]|\s*\n\s*\n|\s*\Z)""")
_ABBREVIATION = re.compile(
    r"(?:^|[\s\"'“‘(—-])(?:[A-HJ-Z]|[A-Z]\.[A-Z]|Mr|Mrs|Ms|Dr|St|Messrs|Mme|Mlle|Esq|Capt|Col|Gen|Lieut|Lt|Rev|Hon|Prof|"
    r"Sergt|Sgt|Maj|Sr|Jr|vs|viz|etc|e\.g|i\.e|cf|Vol|Fig|Chap|pp?|ch)$"
)
_TAIL = 600  # characters of a passage's end that are searched for a sentence end: longer than nearly every sentence
_STEMS = (
    "annals", "archive", "book", "chapter", "diary", "draft", "essay", "history", "journal", "letters", "log", "manual", "memoir",
    "minutes", "news", "notes", "novel", "old", "page", "papers", "part", "readme", "record", "report", "story", "tale", "text",
    "volume", "1", "2", "3", "7", "12", "2019", "a", "final",
)  # fmt: skip
_ENDINGS = (".txt", ".txt", ".txt", ".md", ".html", ".pdf", "")
_SEPARATORS = ("-", "_", " ", "")
_LINE_LIKE = ("#", "//", "{", "[", "-", "*", "<")


@lru_cache(maxsize=4096)
def paragraph_starts(document: str) -> array:
    """Offsets at which paragraphs start: after blank lines, or after line breaks where a document has few of these."""
    starts = _starts_after(document, r"\n[ \t\r]*\n\s*?(?=[^\n])")
    if len(document) > 4000 * len(starts):  # some editions write one paragraph a line and no blank lines at all
        starts = _starts_after(document, r"\n+(?=[^\n])")
    return starts


def _starts_after(document: str, pattern: str) -> array:
    return array("L", [0, *(m.end() for m in re.finditer(pattern, document))])


def sentence_ends(text: str) -> list[int]:
    """Offsets just behind each sentence, closing quotes included. Titles (Mr.) and initials do not end one."""
    ends = []
    for match in _STOP.finditer(text):
        at = match.start()
        if match[0] != "." or not _ABBREVIATION.search(text, max(0, at - 8), at):
            ends.append(match.end())
    return ends


def draw_size(rng: Random, sizes: tuple[int, int]) -> int:
    """A whole number between the two, both included, each order of magnitude as likely as the next."""
    low, high = sizes
    if low == high:
        return low
    return min(high, max(low, round(math.exp(rng.uniform(math.log(max(low, 1)), math.log(high))))))


def passage(document: str, rng: Random, characters: int) -> str:
    """At most ``characters`` of the document, from a paragraph's start to a sentence's end where one is near.

    A document that is shorter comes back whole.
    """
    if len(document) <= characters:
        return document.strip("\n")
    starts = paragraph_starts(document)
    last = bisect_left(starts, len(document) - characters)
    start = starts[rng.randrange(max(1, last))]
    return document[start : start + _cut(document, start, characters)].rstrip()


def _cut(document: str, start: int, characters: int) -> int:
    """How much to take: up to the last sentence end in reach, else the last line's or word's."""
    stop = start + characters
    low = stop - min(_TAIL, characters // 2)
    tail = document[low:stop]
    # The text behind the cut tells whether a stop ends a sentence, so a few characters more are looked at.
    ends = [end for end in sentence_ends(document[low : stop + 8]) if end <= len(tail)]
    keep = ends[-1] if ends else max(tail.rfind("\n"), 0) or max(tail.rfind(" "), 0) or len(tail)
    return low + keep - start


def file_name(rng: Random) -> str:
    """A name such as a user's file may have."""
    stem = rng.choice(_SEPARATORS).join(rng.choice(_STEMS) for _ in range(rng.randint(1, 3)))
    folder = rng.choice(("", "", rng.choice(_STEMS) + "/"))
    return f"{folder}{stem}{rng.choice(_ENDINGS)}"


def filler(documents: Sequence[str], rng: Random, characters: int) -> str:
    """About ``characters`` of running text: one passage, or several joined where documents are too short."""
    parts, left = [], characters
    while left > 0 and len(parts) < 1000:
        part = passage(documents[rng.randrange(len(documents))], rng, left)
        if part:
            parts.append(part)
        left -= max(len(part), 1) + 2
        if left < characters // 10 or left < 80:  # a scrap more would only be noise
            break
    return "\n\n".join(parts)


def is_line_like(statement: str) -> bool:
    """Whether a statement needs a line of its own: a table row, a comment, a setting, anything that is no sentence."""
    bare = statement.rstrip("\"'”’)")
    marked = "\n" in statement or "|" in statement or statement.startswith(_LINE_LIKE)
    return marked or not bare.endswith((".", "!", "?"))


def is_code(text: str) -> bool:
    """Whether a text reads like source code: brackets, equals signs and underscores far beyond what prose has."""
    return text.count("(") + text.count("=") + text.count("_") > max(4, len(text) // 60)


def sentence_ranges(text: str) -> list[Range]:
    """Character ranges of a text's sentences. A paragraph's end closes one too, so headings stand apart."""
    breaks = [m.start() for m in re.finditer(re.escape(_separator(text)), text)]
    ranges, start = [], 0
    for end in sorted({*sentence_ends(text), *breaks, len(text)}):
        part = text[start:end]
        if part.strip():
            ranges.append((start + len(part) - len(part.lstrip()), start + len(part.rstrip())))
        start = end
    return ranges


def _separator(text: str) -> str:
    """What stands between two paragraphs: a blank line, or one line break where each paragraph is one long line."""
    if "\n\n" in text:
        return "\n\n"
    return "\n" if text.count("\n") * 100 < len(text) else "\n\n"


def insert(text: str, statements: Sequence[str], rng: Random, alone: float = 0.25) -> tuple[str, list[Range]]:
    """Sets statements into a text at random sentence ends.

    Args:
        alone: Share of the sentences that get a paragraph of their own; the others follow on in a line. What is no
            sentence (see `is_line_like`), and everything within source code, always stands alone. In code, sentences
            are comments.

    Returns:
        The text, and for each statement, in the order given, its character range in that text.
    """
    if text:
        separator, code = _separator(text), is_code(text)
        breaks = [m.start() for m in re.finditer(re.escape(separator), text)]
        ends = breaks if code else sentence_ends(text)
    else:
        separator, code, breaks, ends = rng.choice(("\n", "\n\n")), False, [], []
        alone = rng.choice((0.0, 1.0, 1.0))
    mark = "" if not code else "// " if text.count("//") > text.count("#") else "# "
    places = []
    for number, statement in enumerate(statements):
        own = code or is_line_like(statement) or rng.random() < alone
        # With only a paragraph or two, breaks alone would put every statement at the same few depths.
        choices = breaks if own and len(breaks) > 3 else ends
        pick = rng.randrange(-1, len(choices))
        prefix = mark if code and "\n" not in statement and not statement.startswith(_LINE_LIKE) else ""
        places.append((choices[pick] if pick >= 0 else 0, rng.random(), number, own, prefix))
    return _assemble(text, statements, sorted(places), separator)


def _assemble(text: str, statements: Sequence[str], places: list, separator: str) -> tuple[str, list[Range]]:
    """Text and statements in turn. ``gap`` is what must stand between the last statement and whatever comes next."""
    parts: list[str] = []
    ranges: list[Range] = [(0, 0)] * len(statements)
    length, at, gap = 0, 0, ""
    for place, _, number, own, prefix in places:
        if place > at:
            chunk = _join(gap, text[at:place]) if at else gap + text[:place]
            parts.append(chunk)
            length, at, gap = length + len(chunk), place, ""
        lead = "" if not length else separator if own or gap == separator else " "
        lead += prefix
        statement = statements[number]
        ranges[number] = (length + len(lead), length + len(lead) + len(statement))
        parts += (lead, statement)
        length += len(lead) + len(statement)
        gap = separator if own else " "
    if at < len(text):
        parts.append(_join(gap, text[at:]) if at else gap + text)
    return "".join(parts), ranges


def _join(gap: str, chunk: str) -> str:
    """A chunk of text behind a statement: white space that it starts with gives way to a paragraph's gap."""
    if not gap:
        return chunk
    bare = chunk.lstrip()
    lead = chunk[: len(chunk) - len(bare)]
    if gap == " ":
        return chunk if lead else gap + chunk
    return gap + lead[lead.rfind("\n") + 1 :] + bare if "\n" in lead else gap + bare
