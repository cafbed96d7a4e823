"""A secret word on one frame of a long film, as in the Gemini 1.5 report (section 5.2.1.3).

The report writes ``The secret word is "needle"`` on a single frame of a film of up to 10.5 hours, one frame a second, the time of
each as text before it, and asks for the secret word. Here the word is another each time, and so are its place, size and colours.

Axis letters: H, W rows and columns of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

import numpy as np

from pollux.media.segment import Document
from pollux.media.senses import Video
from pollux.media.source import Source
from pollux.tasks.lexicon import common
from pollux.tasks.sensed.film import Film
from pollux.tasks.task import Example, Question, exact

NEEDLE, QUESTION = 'The secret word is "{}"', "What is the secret word?"
_PATH = "film.mp4"
_ROWS = (0.07, 0.12)  # the text's height, as a share of the frame's
_JITTER = 0.02  # share of the film by which depths differ


@dataclass(frozen=True)
class VideoNeedle:
    """Films of ``seconds`` frames that are alike but for the one with the needle.

    Attributes:
        frames: What the film is made of, uint8 [H, W, 3] of one size (`footage.footage`), over and over.
        depths: Where needles may stand, 0 the beginning and 1 the end; example ``i`` takes number ``i``, going round.
        fonts: Files of fonts to draw from; where none are named, the one that comes with matplotlib.
        size: How many examples there are.
    """

    frames: Sequence[np.ndarray]
    seconds: int
    depths: tuple[float, ...] = tuple(step / 9 for step in range(10))
    fonts: tuple[Path, ...] = ()
    seed: int = 0
    size: int = 1_000_000

    def __post_init__(self):
        if self.seconds < 1 or not self.depths or not all(0 <= depth <= 1 for depth in self.depths):
            raise ValueError(f"a film has a second or more and depths from 0 to 1, got {self.seconds} and {self.depths}")

    def __len__(self) -> int:
        return self.size

    def example(self, i: int) -> Example:
        """Example number ``i``: the film as a file in memory, not yet seen."""
        rng = Random(f"{self.seed}/{i}")
        near = min(max(self.depths[i % len(self.depths)] + rng.uniform(-_JITTER, _JITTER), 0), 1)
        second, word = round(near * (self.seconds - 1)), common(rng)
        pixels = written(self._film.frame(second), NEEDLE.format(word), rng, self._fonts)
        data = self._film.write({second: pixels})
        height, width = pixels.shape[:2]
        film = Video(_PATH, Source("mp4", data=data), float(self.seconds), width, height, sound=False)
        asked = Question(QUESTION, word, None, "video_needle", moment=(second, second + 1), depth=near)
        return Example("", (asked,), documents=(Document(_PATH, (film,)),))

    def score(self, question: Question, reply: str) -> float:
        """1.0 when the reply is the word."""
        return exact(question, reply)

    @cached_property
    def _film(self) -> Film:
        return Film(self.frames, self.seconds)

    @cached_property
    def _fonts(self) -> tuple[Path, ...]:
        if self.fonts:
            return self.fonts
        import matplotlib

        return (Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf",)


def written(pixels: np.ndarray, text: str, rng: Random, fonts: Sequence[Path]) -> np.ndarray:
    """A frame with a line of text over it, uint8 [H, W, 3]: black or white with an edge of the other, or on a box."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    size = round(picture.height * rng.uniform(*_ROWS))
    font = ImageFont.truetype(str(rng.choice(fonts)), size)
    while draw.textlength(text, font) > picture.width * 0.96:
        size -= 1
        font = font.font_variant(size=size)
    left, top, right, bottom = draw.textbbox((0, 0), text, font)
    x = rng.uniform(0.02, 0.98) * (picture.width - (right - left)) - left
    y = rng.uniform(0.02, 0.98) * (picture.height - (bottom - top)) - top
    ink, edge = rng.choice((("white", "black"), ("black", "white"), ("yellow", "black")))
    if rng.random() < 0.3:
        draw.rectangle((x + left - 4, y + top - 4, x + right + 4, y + bottom + 4), fill=edge)
    draw.text((x, y), text, ink, font, stroke_width=max(1, size // 12), stroke_fill=edge)
    return np.asarray(picture)
