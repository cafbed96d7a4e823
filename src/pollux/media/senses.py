"""The nouns of seeing and hearing: segments that describe a picture, a sound or a film.

A segment says where pixels and samples are and takes no memory for them; they are streamed when they are wanted:

    Image ── image.look ──> uint8 [H, W, 3]
    Audio ── audio.listen > Sound, Sound, …
    Video ── video.play ──> Frame, Sound, Frame, Sound, …

Axis letters: H, W rows and columns of pixels; S samples, of which 16,000 are a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pollux.media.segment import Region, Spot
from pollux.media.source import Source

RATE = 16_000  # samples of sound a second
Box = tuple[int, int]  # the most pixels, across and down


@dataclass(frozen=True)
class Image:
    """A picture: a file, a frame of an animation, a page of a PDF, or a picture on such a page.

    Attributes:
        path: The file, named as the user named it.
        source: Where its bytes are.
        width, height: In pixels, as it is to be seen (turned as its file says). Of a PDF's page: at 144 dots an inch.
        page: 1-based page of a PDF, None for other files.
        frame: 1-based frame of an animation, None for other files.
        region: Which part of the PDF's page this is, None for all of it.
    """

    path: str
    source: Source
    width: int
    height: int
    page: int | None = None
    frame: int | None = None
    region: Region | None = None

    def place(self, region: Region | None = None) -> Spot:
        """Where a part of this picture is; on a PDF's page, the region is one of the page.

        Raises:
            ValueError: The region is not inside the picture.
        """
        inner = _inside(region)
        if self.region is None or inner is None:
            return Spot(self.path, self.page, self.frame, region=inner or self.region)
        left, top, right, bottom = self.region
        wide, high = right - left, bottom - top
        within = (left + inner[0] * wide, top + inner[1] * high, left + inner[2] * wide, top + inner[3] * high)
        return Spot(self.path, self.page, self.frame, region=within)


@dataclass(frozen=True)
class Audio:
    """Sound with the part of it that is wanted; `dataclasses.replace` wants another part.

    Attributes:
        path: The file, named as the user named it.
        source: Where its bytes are.
        duration: Seconds of the whole file.
        start: Seconds at which to begin.
        end: Seconds at which to stop, None for the end of the file.
    """

    path: str
    source: Source
    duration: float
    start: float = 0.0
    end: float | None = None

    def __post_init__(self) -> None:
        _check_times(self.start, self.end)

    @property
    def stop(self) -> float:
        """Where it is over, in seconds of the file."""
        return self.duration if self.end is None else min(self.end, self.duration)

    @property
    def seconds(self) -> float:
        """How long the wanted part is."""
        return max(self.stop - self.start, 0.0)

    def place(self, start: float, end: float | None = None) -> Spot:
        """Where seconds [start, end) of the file are; without ``end``, a moment. Raises ValueError for times outside the part."""
        return _when(self, start, end, None)


@dataclass(frozen=True)
class Video:
    """A film with the part of it that is wanted, and how densely; `dataclasses.replace` wants it otherwise.

    Attributes:
        path: The file, named as the user named it.
        source: Where its bytes are.
        duration: Seconds of the whole file.
        width, height: In pixels, as it is to be seen (turned as its file says).
        sound: Whether it has any.
        start: Seconds at which to begin.
        end: Seconds at which to stop, None for the end of the file.
        rate: Frames a second; None for every frame there is.
    """

    path: str
    source: Source
    duration: float
    width: int
    height: int
    sound: bool
    start: float = 0.0
    end: float | None = None
    rate: float | None = 1.0

    def __post_init__(self) -> None:
        _check_times(self.start, self.end)
        if self.rate is not None and not 0 < self.rate <= 1000:
            raise ValueError(f"Video wants 0 < rate <= 1000 frames a second, or None for all of them; got {self.rate}")

    @property
    def stop(self) -> float:
        """Where it is over, in seconds of the file."""
        return self.duration if self.end is None else min(self.end, self.duration)

    @property
    def seconds(self) -> float:
        """How long the wanted part is."""
        return max(self.stop - self.start, 0.0)

    def place(self, start: float, end: float | None = None, region: Region | None = None) -> Spot:
        """Where seconds [start, end) of the file are, or a moment; raises ValueError for what is outside the part or picture."""
        return _when(self, start, end, _inside(region))


class Frame(NamedTuple):
    """A film's picture at a moment.

    time: The moment, in seconds of the file. shown: since when this picture is on, in seconds of the file.
    pixels: uint8 [H, W, 3], sRGB.
    """

    time: float
    shown: float
    pixels: np.ndarray


class Sound(NamedTuple):
    """Consecutive samples.

    start: Number of the first one: sample n is n / 16,000 seconds from the file's beginning.
    samples: float32 [S], -1 to 1, all channels mixed.
    """

    start: int
    samples: np.ndarray


def _check_times(start: float, end: float | None) -> None:
    if not (0 <= start < float("inf") and (end is None or start <= end)):
        raise ValueError(f"a part wants 0 <= start <= end in seconds, or no end; got start={start}, end={end}")


def _when(segment: Audio | Video, start: float, end: float | None, region: Region | None) -> Spot:
    end = start if end is None else end
    if not segment.start <= start <= end <= segment.stop:
        raise ValueError(
            f"place() wants {segment.start} <= start <= end <= {segment.stop} (the seconds of the file that this segment "
            f"is), got [{start}, {end})"
        )
    return Spot(segment.path, start=start, end=end, region=region)


def _inside(region: Region | None) -> Region | None:
    if region is not None and not (0 <= region[0] <= region[2] <= 1 and 0 <= region[1] <= region[3] <= 1):
        raise ValueError(f"a region is (left, top, right, bottom) as shares from 0 to 1 of width and height, got {region}")
    return region
