"""A secret word on one of many pictures: the needle of `video_needle`, where what is looked through are picture files.

Axis letters: H, W rows and columns of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from random import Random

import numpy as np

from pollux.media.segment import Document
from pollux.tasks.lexicon import common
from pollux.tasks.sensed.films.video_needle import NEEDLE, QUESTION, typefaces, written
from pollux.tasks.sensed.pictures.files import encoded, form, names, picture
from pollux.tasks.task import Example, Question, exact

_JITTER = 0.02  # share of the pictures by which depths differ


@dataclass(frozen=True)
class ImageNeedle:
    """``pictures`` files, PNG and JPEG, that are the same in all examples but for the one with the needle.

    Attributes:
        frames: What they show, uint8 [H, W, 3] (`footage.footage`), over and over.
        depths: Where needles may stand, 0 the first picture and 1 the last; example ``i`` takes number ``i``, going round.
        fonts: Files of fonts to draw from; where none are named, the one that comes with matplotlib.
        size: How many examples there are.
    """

    frames: Sequence[np.ndarray]
    pictures: int
    depths: tuple[float, ...] = tuple(step / 9 for step in range(10))
    fonts: tuple[Path, ...] = ()
    seed: int = 0
    size: int = 1_000_000

    def __post_init__(self):
        if self.pictures < 1 or not len(self.frames):
            raise ValueError(f"a needle wants pictures and frames, got {self.pictures} and {len(self.frames)}; give some of both")
        if not self.depths or not all(0 <= depth <= 1 for depth in self.depths):
            raise ValueError(f"depths must be one or more shares from 0 to 1, got {self.depths}; divide per cents by 100")

    def __len__(self) -> int:
        return self.size

    def example(self, i: int) -> Example:
        """Example number ``i``: the files in memory, not yet seen."""
        rng = Random(f"{self.seed}/{i}")
        near = min(max(self.depths[i % len(self.depths)] + rng.uniform(-_JITTER, _JITTER), 0), 1)
        number, word = round(near * (self.pictures - 1)), common(rng)
        pixels = written(self.frames[number % len(self.frames)], NEEDLE.format(word), rng, typefaces(self.fonts))
        documents = list(self._plain)
        documents[number] = picture(documents[number].path, pixels)
        return Example("", (Question(QUESTION, word, None, "image_needle", depth=near),), documents=tuple(documents))

    def score(self, question: Question, reply: str) -> float:
        """1.0 when the reply is the word."""
        return exact(question, reply)

    @cached_property
    def _plain(self) -> tuple[Document, ...]:
        """All pictures without the needle; where they show the same in the same form, they share its bytes."""
        source = cache(lambda which, form: encoded(self.frames[which], form))
        paths = names(Random(f"{self.seed}/names"), self.pictures)
        which = [number % len(self.frames) for number in range(self.pictures)]
        return tuple(picture(path, self.frames[n], source(n, form(path))) for path, n in zip(paths, which, strict=True))
