"""Something written on one frame of a long film: a secret word, as in the Gemini 1.5 report (section 5.2.1.3), or a name.

The report writes ``The secret word is "needle"`` on a single frame of a film of up to 10.5 hours, one frame a second, the time of
each as text before it, and asks for the secret word. Here the word is another each time, and so are its place, size and colours.
Of a name it is asked when it appears.

Axis letters: H, W rows and columns of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

import numpy as np

from pollux.media.segment import Document, clock
from pollux.media.senses import Video
from pollux.media.source import Source
from pollux.tasks.lexicon import common, draw
from pollux.tasks.sensed.films.film import Film
from pollux.tasks.task import Example, Question, exact

NEEDLE, QUESTION = 'The secret word is "{}"', "What is the secret word?"
WHEN = 'At what time does "{}" appear?'
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
        when: Whether a name is written, and the time asked for at which it appears.
        size: How many examples there are.
    """

    frames: Sequence[np.ndarray]
    seconds: int
    depths: tuple[float, ...] = tuple(step / 9 for step in range(10))
    fonts: tuple[Path, ...] = ()
    when: bool = False
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
        second = round(near * (self.seconds - 1))
        text, question, answer = self._written(second, rng)
        pixels = written(self._film.frame(second), text, rng, typefaces(self.fonts))
        data = self._film.write({second: pixels})
        height, width = pixels.shape[:2]
        film = Video(_PATH, Source("mp4", data=data), float(self.seconds), width, height, sound=False)
        asked = Question(
            question, answer, None, "video_when" if self.when else "video_needle", moment=(second, second + 1), depth=near
        )
        return Example("", (asked,), documents=(Document(_PATH, (film,)),))

    def score(self, question: Question, reply: str) -> float:
        """1.0 when the reply is the word, or the time to the second."""
        return exact(question, reply)

    def _written(self, second: int, rng: Random) -> tuple[str, str, str]:
        """What the frame says, and what is asked and answered."""
        if self.when:
            name = draw(rng.choice(("person", "place")), rng, "heldout")
            return name, WHEN.format(name), clock(second)
        word = common(rng)
        return NEEDLE.format(word), QUESTION, word

    @cached_property
    def _film(self) -> Film:
        return Film(self.frames, self.seconds)


def typefaces(fonts: tuple[Path, ...]) -> tuple[Path, ...]:
    """Those fonts, or, where there are none, the one that comes with matplotlib."""
    if fonts:
        return fonts
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
