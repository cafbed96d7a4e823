"""Pictures with text and without, made by a seed, and where each line stands: what seeing is trained on.

    film      a photograph with one caption of a line or two, as in a film
    signs     a few lines of any size, face and colour, anywhere, turned a little
    page      paragraphs in one or two columns, as in a book or on a screen
    nothing   no text at all

Scene number n of a seed is the same picture whenever it is asked for. Axis letters: H, W rows and columns of pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from pollux.data.scenes.backdrop import Backdrops, paper
from pollux.data.scenes.fonts import Face, Fonts
from pollux.data.scenes.lettering import Line, Style, contrasting, extent, legible, place, write
from pollux.data.scenes.wording import Wording, fitted

SMALLEST, LARGEST = 9, 80  # pixels to the em
_TILT = math.radians(6)


class Scene(NamedTuple):
    """A picture, uint8 [H, W, 3], and the lines of text in it."""

    pixels: np.ndarray
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Scenes:
    """Where scenes come from, and how often each kind is drawn (film, signs, page, nothing)."""

    fonts: Fonts
    backdrops: Backdrops
    wording: Wording
    chances: tuple[float, float, float, float] = (0.2, 0.45, 0.25, 0.1)

    def make(self, seed: int, n: int, height: int, width: int) -> Scene:
        """Scene number ``n`` of a seed, at a size in pixels."""
        rng = np.random.default_rng((seed, n))
        kind = _KINDS[rng.choice(len(_KINDS), p=self.chances)]
        picture, lines = kind(self, rng, (width, height))
        return Scene(damaged(rng, picture), tuple(lines))


_Drawn = tuple[Image.Image, list[Line]]


def film(scenes: Scenes, rng: np.random.Generator, size: tuple[int, int], *, least: float = 0.055, most: float = 0.14) -> _Drawn:
    """A photograph with a caption, whose lines are ``least`` to ``most`` of the picture's height; nothing else is written there."""
    picture = scenes.backdrops.photo(rng, size)
    face = scenes.fonts.draw(rng)
    style = Style(face, _size_for(face, size[1] * rng.uniform(least, most)))
    texts = [scenes.wording.line(rng, int(rng.integers(6, 40))) for _ in range(1 + (rng.random() < 0.15))]
    texts = [text for text in (style.shortened(text, size[0] * 0.94) for text in texts) if text]
    pitch = round(sum(style.reach) * rng.uniform(1.1, 1.4))
    top = _caption_top(rng, size[1], pitch * len(texts))
    middle = rng.random() < 0.8
    lefts = [(size[0] - style.length(text)) / 2 if middle else size[0] * 0.04 for text in texts]
    tops = [top + i * pitch for i in range(len(texts))]
    if texts:
        style = legible(rng, picture, style, place(style, texts[0], lefts[0], tops[0]))
    return picture, [write(picture, style, text, left, y) for text, left, y in zip(texts, lefts, tops, strict=True)]


def _caption_top(rng: np.random.Generator, height: int, needed: int) -> float:
    """Captions stand at the bottom mostly, at the top or anywhere else sometimes."""
    room = max(height - needed, 0)
    chance = rng.random()
    return room * (rng.uniform(0.85, 0.99) if chance < 0.6 else rng.uniform(0.01, 0.12) if chance < 0.8 else rng.uniform(0, 1))


def signs(scenes: Scenes, rng: np.random.Generator, size: tuple[int, int]) -> _Drawn:
    """Lines here and there that do not touch each other."""
    picture, lines, taken = scenes.backdrops.draw(rng, size), [], []
    for _ in range(rng.integers(1, 13)):
        style = _style(scenes, rng, size)
        text = style.shortened(scenes.wording.line(rng, int(rng.integers(2, 60))), size[0] * 0.94)
        left, top = rng.uniform(0.01, 0.9) * size[0], rng.uniform(0.01, 0.95) * size[1]
        if not text:
            continue
        left = min(left, max(size[0] * 0.98 - style.length(text), 2.0))
        where = place(style, text, left, top)
        box = _grown(extent(where), where[3] * 0.35)
        inside = box[0] >= -where[3] and box[1] >= 0 and box[2] <= size[0] + where[3] and box[3] <= size[1]
        if inside and not any(_meet(box, other) for other in taken):
            taken.append(box)
            lines.append(write(picture, legible(rng, picture, style, where), text, left, top))
    return picture, lines


def _style(scenes: Scenes, rng: np.random.Generator, size: tuple[int, int]) -> Style:
    most = min(LARGEST, size[1] * 0.4)
    pixels = round(SMALLEST * (most / SMALLEST) ** rng.uniform(0, 1) ** 1.3)
    angle = 0.0 if rng.random() < 0.6 else float(rng.uniform(-_TILT, _TILT))
    spacing = 0.0 if rng.random() < 0.8 else float(rng.uniform(0, 0.2) * pixels)
    return Style(scenes.fonts.draw(rng), pixels, spacing, angle)


def page(scenes: Scenes, rng: np.random.Generator, size: tuple[int, int]) -> _Drawn:
    """Paragraphs: lines close to each other, in one face, of running text."""
    picture = paper(rng, size) if rng.random() < 0.8 else Image.blend(paper(rng, size), scenes.backdrops.draw(rng, size), 0.15)
    face, pixels = scenes.fonts.draw(rng), int(rng.integers(SMALLEST, 23))
    style = Style(face, pixels)
    style = replace(style, ink=contrasting(rng, float(np.asarray(picture.convert("L")).mean())))
    columns = 2 if size[0] > 16 * pixels * 2 and rng.random() < 0.3 else 1
    margin, gutter = size[0] * rng.uniform(0.02, 0.1), 1.8 * pixels
    width = (size[0] - 2 * margin - gutter * (columns - 1)) / columns
    return picture, [
        line for i in range(columns) for line in _column(scenes, rng, picture, style, margin + i * (width + gutter), width, size[1])
    ]


def _column(
    scenes: Scenes, rng: np.random.Generator, picture: Image.Image, style: Style, left: float, width: float, bottom: int
) -> list[Line]:
    """Paragraphs one below the other, now and then a heading."""
    height = sum(style.reach)
    pitch, y, lines = height * rng.uniform(1.02, 1.7), bottom * rng.uniform(0.02, 0.12), []
    while y + 2 * height < bottom:
        if rng.random() < 0.25:
            heading = replace(style, size=round(style.size * rng.uniform(1.2, 2)))
            text = heading.shortened(scenes.wording.line(rng, 30), width)
            if text and y + sum(heading.reach) < bottom:
                lines.append(write(picture, heading, text, left, y))
            y += sum(heading.reach) * 1.3
        words, indent = scenes.wording.run(rng, int(rng.integers(5, 90))), style.size * int(rng.integers(3)) / 2
        while words and y + height < bottom:
            text = style.shortened(fitted(words, 160), width - indent)
            words = words[max(len(text.split(" ")), 1) :]
            if text:
                lines.append(write(picture, style, text, left + indent, y))
            y, indent = y + pitch, 0.0
        y += pitch * rng.uniform(0, 1.2)
    return lines


def nothing(scenes: Scenes, rng: np.random.Generator, size: tuple[int, int]) -> _Drawn:
    return scenes.backdrops.draw(rng, size), []


_KINDS: tuple[Callable[[Scenes, np.random.Generator, tuple[int, int]], _Drawn], ...] = (film, signs, page, nothing)


def caption(scenes: Scenes, seed: int, n: int, height: int, width: int, least: float = 0.06) -> Scene:
    """Like `Scenes.make`, but always a film's frame with a caption whose lines are at least that share of its height."""
    rng = np.random.default_rng((seed, n))
    picture, lines = partial(film, least=least)(scenes, rng, (width, height))
    return Scene(damaged(rng, picture), tuple(lines))


def damaged(rng: np.random.Generator, picture: Image.Image) -> np.ndarray:
    """What cameras and files do: blur, noise, JPEG. uint8 [H, W, 3]."""
    if rng.random() < 0.25:
        picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.2, 0.8))))
    if rng.random() < 0.25:
        noise = rng.normal(0, rng.uniform(1, 14), (picture.height, picture.width, 1)).astype(np.float32)
        picture = Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))
    if rng.random() < 0.5:
        file = BytesIO()
        picture.save(file, "JPEG", quality=int(rng.integers(30, 96)))
        picture = Image.open(file)
    return np.array(picture)


def _size_for(face: Face, height: float) -> int:
    """The size at which a face's box is about that high."""
    return max(round(height * 100 / sum(Style(face, 100).reach)), SMALLEST)


def _grown(box: tuple[int, int, int, int], by: float) -> tuple[float, float, float, float]:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def _meet(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
