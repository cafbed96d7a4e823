"""What was seen or heard of a file, as a model reads it: times and words as text, and codes for what no words say.

    Image, Audio, Video ─perception→ Transcript ─tokens.template→ Stream

It takes the place of the segment that it was made of, and like one of text it knows where each of its characters comes from: the
moment and the part of the picture where a word was read or heard.

Axis letters: N codes and marks, R runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pollux.media.segment import Region, Spot, snippet

# Codes are numbers: 0 to 1,023 for a cell of a picture, from there on for 40 ms of sound.
SIGHTS = SOUNDS = 1024
CODES = SIGHTS + SOUNDS
# What begins with a mark: a picture, a frame of a film, a stretch of sound.
PICTURE, FRAME, SOUND = -1, -2, -3

_NOWHERE = (np.nan,) * 4


class Run(NamedTuple):
    """Words of a transcript that stand in one place: seconds of the file, and the part of the picture; None where there is none."""

    text: str
    start: float | None = None
    end: float | None = None
    region: Region | None = None


class Runs(NamedTuple):
    """Where the words of a transcript come from; each run goes on to the next.

    at: int64 [R], its first character. where: float32 [R, 6], start and end in seconds (after 100 hours good to 0.03 s), then left,
    top, right and bottom of the part of the picture; NaN where there is none.
    """

    at: np.ndarray
    where: np.ndarray


@dataclass(frozen=True, eq=False)
class Transcript:
    """What was seen or heard of a file, or of a page.

    Attributes:
        path: The file, named as the user named it.
        text: All words, and before those of each frame and stretch of sound its time.
        codes: int32 [N], codes, and marks (below 0), in order. places: int32 [N], the character that each comes before.
        runs: Where the words come from.
        page: 1-based page of a PDF, None for other files.
        frame: 1-based frame of an animation, None for other files.
        start: Always 0, as a text of its own (`segment.Text.start`).
    """

    path: str
    text: str
    codes: np.ndarray
    places: np.ndarray
    runs: Runs
    page: int | None = None
    frame: int | None = None
    start: int = 0

    def place(self, start: int, end: int) -> Spot:
        """Where characters [start, end) were seen or heard: from when until when, and in one picture, the part that holds them all.

        Raises:
            ValueError: The range is not inside the text.
        """
        if not 0 <= start <= end <= len(self.text):
            raise ValueError(f"place() wants 0 <= start <= end <= {len(self.text)} (the text's length), got [{start}, {end})")
        first = max(int(np.searchsorted(self.runs.at, start, "right")) - 1, 0)
        stop = max(int(np.searchsorted(self.runs.at, end, "left")), first + 1)
        where, around = self.runs.where[first:stop], snippet(self.text, start, end)
        one = len(np.unique(where[:, 0])) == 1  # of several frames there is no one part
        return Spot(self.path, self.page, self.frame, *_during(where[:, :2]), _around(where[:, 2:]) if one else None, around)

    def line(self, offset: int) -> int:
        """The 1-based line of the character at ``offset``."""
        return self.text.count("\n", 0, offset) + 1


def _during(seconds: np.ndarray) -> tuple[float | None, float | None]:
    """From when until when, of rows of both."""
    seconds = seconds[~np.isnan(seconds).any(-1)]
    return (float(seconds.min()), float(seconds.max())) if len(seconds) else (None, None)


def _around(region: np.ndarray) -> Region | None:
    """The smallest part that holds all of the given ones that are parts."""
    region = region[~np.isnan(region).any(-1)]
    if not len(region):
        return None
    left, top = region[:, :2].min(0).tolist()
    right, bottom = region[:, 2:].max(0).tolist()
    return left, top, right, bottom


class Writer:
    """Puts a transcript together, piece by piece."""

    def __init__(self, path: str, page: int | None = None, frame: int | None = None) -> None:
        self._about = {"path": path, "page": page, "frame": frame}
        self._runs: list[Run] = []
        self._at: list[int] = []
        self._codes: list[np.ndarray] = []
        self._places: list[np.ndarray] = []
        self._length = 0

    def mark(self, kind: int) -> None:
        """Something begins: `PICTURE`, `FRAME` or `SOUND`."""
        self.codes(np.array([kind]))

    def codes(self, codes: np.ndarray) -> None:
        """Codes, int [N], of what the words so far came before."""
        self._codes.append(np.asarray(codes, np.int32))
        self._places.append(np.full(codes.size, self._length, np.int32))

    def words(self, runs: Iterable[Run]) -> None:
        """Words, with the white space between them."""
        for run in runs:
            self._runs.append(run)
            self._at.append(self._length)
            self._length += len(run.text)

    def done(self) -> Transcript:
        """All of it."""
        none = np.zeros(0, np.int32)
        where = [[*(np.nan if t is None else t for t in run[1:3]), *(run.region or _NOWHERE)] for run in self._runs]
        runs = Runs(np.array(self._at, np.int64), np.array(where, np.float32).reshape(-1, 6))
        text = "".join(run.text for run in self._runs)
        codes, places = (np.concatenate([none, *pieces]) for pieces in (self._codes, self._places))
        return Transcript(text=text, codes=codes, places=places, runs=runs, **self._about)
