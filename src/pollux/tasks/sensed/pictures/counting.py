"""Counting across pictures: in how many of them a word is written. Others have another word, or none.

Axis letters: H, W rows and columns of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from pollux.tasks.lexicon import common
from pollux.tasks.sensed.films.video_needle import typefaces, written
from pollux.tasks.sensed.pictures.files import names, picture
from pollux.tasks.task import Example, Question, exact

QUESTION = "In how many pictures is the word {} written?"
_OTHER = 0.5  # share of the pictures without the word that have another


@dataclass(frozen=True)
class ImageCount:
    """``pictures`` files, in 1 to all of which the word that is asked for is written.

    Attributes:
        frames: What they show, uint8 [H, W, 3] (`footage.footage`).
        fonts: Files of fonts to draw from; where none are named, the one that comes with matplotlib.
        size: How many examples there are. They go round: in example ``i``, one more picture has the word than in the one before.
    """

    frames: Sequence[np.ndarray]
    pictures: int = 6
    fonts: tuple[Path, ...] = ()
    seed: int = 0
    size: int = 1_000_000

    def __post_init__(self):
        if self.pictures < 2 or not len(self.frames):
            raise ValueError(f"counting wants two pictures or more, got {self.pictures} of {len(self.frames)} frames; give more")

    def __len__(self) -> int:
        return self.size

    def example(self, i: int) -> Example:
        """Example number ``i``: the files in memory, not yet seen."""
        rng = Random(f"{self.seed}/{i}")
        count, word = i % self.pictures + 1, common(rng)
        texts = [word] * count + [_other(word, rng) for _ in range(self.pictures - count)]
        rng.shuffle(texts)
        pictures = zip(names(rng, self.pictures), texts, strict=True)
        documents = tuple(picture(path, self._pixels(text, rng)) for path, text in pictures)
        return Example("", (Question(QUESTION.format(word), str(count), None, "image_count"),), documents=documents)

    def score(self, question: Question, reply: str) -> float:
        """1.0 when the reply is the number, in digits."""
        return exact(question, reply)

    def _pixels(self, text: str, rng: Random) -> np.ndarray:
        """A frame, with a word over it where there is one: uint8 [H, W, 3]."""
        frame = rng.choice(self.frames)
        return written(frame, text, rng, typefaces(self.fonts)) if text else frame


def _other(word: str, rng: Random) -> str:
    """Another word, neither of the two being part of the other, or "" for none."""
    if rng.random() >= _OTHER:
        return ""
    while (other := common(rng)) in word or word in other:
        pass
    return other
