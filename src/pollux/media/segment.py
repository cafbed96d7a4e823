"""The nouns of reading: a segment is a run of one medium that knows its place.

    Reading ── documents ── Document ── segments ── Text ── .place(start, end) ── Place (file, page, line, range, snippet)
            └─ problems ─── Problem              └─ Image, Audio, Video (`senses`), Transcript ─ Spot (file, page, time, region)

Offsets count characters (code points) of decoded text and lines count "\\n", so "\\r\\n" is one line end and a lone "\\r" none,
as in git, grep and most editors.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pollux.media.senses import Audio, Image, Video
    from pollux.media.transcript import Transcript

# Newlines are counted once per block of this many characters: str.count passes 64 Ki characters in microseconds, and the
# counts of a 2 GiB text are 32 Ki integers, where one integer per line would be gigabytes.
_BLOCK = 1 << 16
_SNIPPET = 160

Region = tuple[float, float, float, float]  # left, top, right, bottom, as shares of width and height, from the top left

# Where a snippet may begin or stop: after a sentence, at an empty line, or where the next line does not simply go on (it is
# indented, or begins with a mark), so that hard-wrapped prose gives its sentence while code and lists give their line.
_BOUNDARY = re.compile(r"[.!?…][\"'”’)\]]*\s+|[。！？]|\r?\n\s*\n|\r?\n(?![^\W_]|[\"'“‘(])")
# Snippets are printed: control characters go with the white space, so that a file cannot steer a terminal.
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True)
class Place:
    """Where something stands.

    Attributes:
        path: The file, named as the user named it; "-" is standard input.
        line: 1-based line in the file, or in the page for a PDF; the line of the *source* for HTML. None where unknown.
        page: 1-based page of a PDF, None for other files.
        start: First character, counted in the file's decoded text: without byte order mark; the page's text for a PDF; the
            visible text for HTML.
        end: One past the last character, counted likewise.
        snippet: The sentence or line around the range, white space folded, at most 160 characters.
    """

    path: str
    line: int | None
    page: int | None
    start: int
    end: int
    snippet: str


@dataclass(frozen=True)
class Spot:
    """Where something is seen or heard: what `Place` is for text.

    Attributes:
        path: The file, named as the user named it; "-" is standard input.
        page: 1-based page of a PDF, None for other files.
        frame: 1-based frame of an animation that is read as pictures, None for other files.
        start: Seconds from the file's beginning, None for pictures.
        end: Where it ends, likewise; equal to ``start`` for a single moment.
        region: The part of the picture, None for all of it and for sound.
        snippet: The words that were read or heard there and around, where there are any.
    """

    path: str
    page: int | None = None
    frame: int | None = None
    start: float | None = None
    end: float | None = None
    region: Region | None = None
    snippet: str = ""

    @property
    def time(self) -> str:
        """The start as "mm:ss" (`clock`), "" for pictures."""
        return "" if self.start is None else clock(self.start)


@dataclass(frozen=True)
class Text:
    """A run of text with the file it comes from.

    Attributes:
        path: The file, named as the user named it.
        text: The characters, line ends included as they were.
        page: 1-based page of a PDF, None for other files.
        start: Where ``text[0]`` stands in the file's decoded text (in the page's for a PDF), in characters.
        lines: Sorted pairs (offset in ``text``, 1-based source line), the first at offset 0. A pair says which line its offset
            is on; newlines in ``text`` count on from there until the next pair. None means ``((0, 1),)``, which is right for
            a whole file; a part of one, and text that was taken out of HTML, say more.
    """

    path: str
    text: str
    page: int | None = None
    start: int = 0
    lines: tuple[tuple[int, int], ...] | None = None

    def place(self, start: int, end: int) -> Place:
        """Say where characters [start, end) of this segment's own text stand.

        Raises:
            ValueError: The range is not inside the text.
        """
        if not 0 <= start <= end <= len(self.text):
            raise ValueError(
                f"place() wants 0 <= start <= end <= {len(self.text)} (the text's length), got [{start}, {end}); "
                f"give offsets in this segment's own text, without its start ({self.start})"
            )
        around = snippet(self.text, start, end)
        return Place(self.path, self.line(start), self.page, self.start + start, self.start + end, around)

    def line(self, offset: int) -> int:
        """The 1-based source line of the character at ``offset`` in this segment's text."""
        pairs = self.lines or ((0, 1),)
        at, line = pairs[max(bisect_right(pairs, offset, key=lambda pair: pair[0]) - 1, 0)]
        return line + self._newlines(offset) - self._newlines(at)

    def _newlines(self, offset: int) -> int:
        """How many newlines stand before ``offset``."""
        block = offset // _BLOCK
        return self._counts[block] + self.text.count("\n", block * _BLOCK, offset)

    @cached_property
    def _counts(self) -> list[int]:
        counts = [0]
        for at in range(0, len(self.text), _BLOCK):
            counts.append(counts[-1] + self.text.count("\n", at, at + _BLOCK))
        return counts


@dataclass(frozen=True)
class Document:
    """One file as segments in reading order: one Text for a text file, one per page for a PDF.

    Where the senses are asked for: an Image per picture, frame of an animation, page without text and picture on a page that has
    some (after its text), an Audio for a sound file, a Video for a film; and once these are perceived, a Transcript for each.
    """

    path: str
    segments: tuple[Text | Image | Audio | Video | Transcript, ...]


@dataclass(frozen=True)
class Problem:
    """What went wrong with one file.

    Attributes:
        path: The file, named as the user named it.
        message: What was wanted and what came, naming the file, as one sentence.
        hint: What to do, as one sentence; may be empty.
        severity: "error" when the file was not read, "warning" when it was, with a loss or a guess the user should know of.
    """

    path: str
    message: str
    hint: str = ""
    severity: Literal["error", "warning"] = "error"


@dataclass(frozen=True)
class Reading:
    """What came of reading: the documents in the order given, the problems, and how many files in folders were passed over.

    ``skipped`` counts files found through a folder or a pattern that are empty, binary, archives, images, sound or video, and
    things that are no files at all (pipes, sockets). Named one by one, each of them is a Problem.
    """

    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]
    skipped: int = 0


def snippet(text: str, start: int, end: int, width: int = _SNIPPET) -> str:
    """The sentence or line of ``text`` around characters [start, end), white space folded, at most ``width`` characters.

    The range is inside; one that is itself too long is cut, and "…" marks each cut.
    """
    first = max(start - width, 0)
    stop = min(end, start + 4 * width)  # a range may be the whole file; more than this cannot fit
    begin = max((m.end() for m in _BOUNDARY.finditer(text, first, start + 1) if m.end() <= start), default=first)
    # The search begins inside the range, so that a range that ends with its sentence's full stop stops there.
    finish = _BOUNDARY.search(text, max(stop - 1, start), min(stop + width, len(text)))
    until = max(finish.end() if finish else min(stop + width, len(text)), stop)
    left, inner, right = (_BLANK.sub(" ", part) for part in (text[begin:start], text[start:stop], text[stop:until]))
    return _fit(left.lstrip(), inner, right.rstrip(), width, begin == first > 0, not finish and until < len(text))


def _fit(left: str, inner: str, right: str, width: int, cut_left: bool, cut_right: bool) -> str:
    """Join the three parts and keep at most ``width`` characters around the inner one."""
    if left.endswith(" ") or not left:
        inner = inner.lstrip()
    if len(inner) > width - 2:
        return inner[: width - 1].rstrip() + "…"
    room = width - 2 - len(inner)  # two marks of a cut may have to fit as well
    keep_left = min(len(left), max(room // 2, room - len(right)))
    keep_right = min(len(right), room - keep_left)
    cut_left, cut_right = cut_left or keep_left < len(left), cut_right or keep_right < len(right)
    whole = left[len(left) - keep_left :] + inner + right[:keep_right]
    return "…" * cut_left + whole.strip() + "…" * cut_right


def clock(seconds: float) -> str:
    """A time as "mm:ss", rounded down; the minutes go on beyond 59, as in "633:14"."""
    whole = int(seconds)
    return f"{whole // 60:02}:{whole % 60:02}"
