"""A fact on a scanned page: a page of a novel as a picture, on which one line is the needle of the Gemini 1.5 report.

Axis letters: H, W rows and columns of pixels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from pollux.tasks.prose import filler
from pollux.tasks.published.needle import Needle
from pollux.tasks.sensed.films.video_needle import typefaces
from pollux.tasks.sensed.pictures.files import names, picture
from pollux.tasks.task import Example, Question

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

A4 = (1240, 1754)  # pixels across and down, at 150 dots an inch
# Shares of the page's width:
_TYPE = (24 / 1240, 30 / 1240)  # the type's height
_MARGIN = 0.08
_LEADING = (1.25, 1.5)  # from line to line, in heights of the type
_LEAST = 400  # pixels across, where type is 8 pixels high
_PAPERS = ((255, 255, 255), (250, 247, 238), (246, 237, 213))
_NOISE = (0.0, 6.0)  # of 255
_WIDEST = 120  # characters of a line, at the most
_HAYSTACK = 400  # characters of the text that the fact is made for, and taken from


@dataclass(frozen=True)
class ImagePage:
    """Pages with a special magic number for a city on one of their lines.

    Attributes:
        texts: Running text, which stands on the pages.
        depths: Where facts may stand, 0 the first line and 1 the last; example ``i`` takes number ``i``, going round.
        page: Pixels across and down; type is smaller on narrower ones, 24 to 30 pixels on `A4`.
        fonts: Files of fonts to draw from; where none are named, the one that comes with matplotlib.
        size: How many examples there are.
    """

    texts: Sequence[str]
    depths: tuple[float, ...] = tuple(step / 9 for step in range(10))
    page: tuple[int, int] = A4
    fonts: tuple[Path, ...] = ()
    seed: int = 0
    size: int = 1_000_000

    def __post_init__(self):
        width, height = self.page
        if width < _LEAST or 2 * height < width:
            raise ValueError(
                f"a page is {_LEAST} pixels or more across and half as high, got {self.page}; make it larger or higher"
            )
        _ = self._needle  # refuses what it cannot be made of

    def __len__(self) -> int:
        return self.size

    def example(self, i: int) -> Example:
        """Example number ``i``: the page as a PNG in memory, not yet seen."""
        rng, needle, depth = Random(f"{self.seed}/{i}"), self._needle.example(i), self.depths[i % len(self.depths)]
        (asked,) = needle.questions
        (path,) = names(rng, 1, ("png",))
        pixels = self._printed(needle.context[slice(*asked.evidence)], depth, rng)
        asked = replace(asked, evidence=None, parts=(), kind="image_page", depth=depth)
        return Example("", (asked,), documents=(picture(path, pixels),))

    def score(self, question: Question, reply: str) -> float:
        """1.0 when the number is in the reply, as for the needle in a text."""
        return float(question.answer in reply)

    def _printed(self, fact: str, depth: float, rng: Random) -> np.ndarray:
        """A page full of text with the fact on a line of its own, uint8 [H, W, 3]."""
        from PIL import ImageFont

        width, height = self.page
        font = ImageFont.truetype(str(rng.choice(typefaces(self.fonts))), round(width * rng.uniform(*_TYPE)))
        pitch, margin = round(font.size * rng.uniform(*_LEADING)), round(width * _MARGIN)
        rows, own = (height - 2 * margin) // pitch, _lines(fact, font, width - 2 * margin)
        text = filler(self.texts, rng, rows * _WIDEST)
        lines = [line for part in re.split(r"\n\s*\n", text) for line in _lines(part, font, width - 2 * margin)]
        lines = lines[: rows - len(own)]
        at = round(depth * len(lines))
        return _scanned(self.page, [*lines[:at], *own, *lines[at:]], font, (margin, pitch), rng)

    @cached_property
    def _needle(self) -> Needle:
        return Needle(self.texts, _HAYSTACK, len, depths=self.depths, seed=self.seed, size=self.size)


def _lines(text: str, font: FreeTypeFont, width: int) -> list[str]:
    """Text as lines that are no wider than so many pixels, a single word apart."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _scanned(size: tuple[int, int], lines: Sequence[str], font: FreeTypeFont, grid: tuple[int, int], rng: Random) -> np.ndarray:
    """Black lines on paper with some noise, uint8 [H, W, 3]. ``grid``: the margin, and from line to line, in pixels."""
    from PIL import Image, ImageDraw

    page = Image.new("RGB", size, rng.choice(_PAPERS))
    draw, (margin, pitch) = ImageDraw.Draw(page), grid
    for row, line in enumerate(lines):
        draw.text((margin, margin + row * pitch), line, "black", font)
    noise = np.random.default_rng(rng.getrandbits(32)).standard_normal((size[1], size[0], 1), np.float32)
    return np.clip(np.asarray(page) + noise * rng.uniform(*_NOISE), 0, 255).astype(np.uint8)
