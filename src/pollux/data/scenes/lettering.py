"""One line of text drawn into a picture: its ink, its place, and a colour that can be told from what is behind it.

A place is (x, y, width, height, angle): the middle of the line's box in pixels, how long and how high the box is, and how far it is
turned, in radians, clockwise as seen. The box reaches from the tops of the face's tallest letters to the ends of those that hang.

Axis letters: H, W rows and columns of pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from pollux.data.scenes.fonts import Face

Place = tuple[float, float, float, float, float]
Colour = tuple[int, int, int]
_TALL, _HANGING = "bdfhklAHT", "gpqyj"
_LUMINANCE = np.array([0.299, 0.587, 0.114])
_CONTRAST = 70  # of 255, between the ink and what is behind it, at least
_BUSY = 38  # the standard deviation of what is behind, above which ink needs an outline or a box of its own


class Line(NamedTuple):
    """Text and where it stands."""

    text: str
    place: Place


@dataclass(frozen=True)
class Style:
    """How a line is drawn.

    Attributes:
        size: Pixels to the em. spacing: pixels added after each letter; 0 leaves the face's own kerning.
        ink, edge: Colours of letters and of what sets them off.
        outline: Its width in pixels. shadow: how far it falls, in pixels. box: how opaque the box behind is, 0 to 1.
    """

    face: Face
    size: int
    spacing: float = 0.0
    angle: float = 0.0
    ink: Colour = (0, 0, 0)
    edge: Colour = (255, 255, 255)
    outline: int = 0
    shadow: int = 0
    box: float = 0.0

    def length(self, text: str) -> float:
        """How long a line is, in pixels."""
        return self.face.at(self.size).getlength(text) + self.spacing * max(len(text) - 1, 0)

    @property
    def reach(self) -> tuple[int, int]:
        """Pixels above the baseline and below it that the box takes."""
        return _reach(self.face, self.size)

    def shortened(self, text: str, length: float) -> str:
        """As many of the text's first words as fit; where none does, as many letters; "" where not even one fits."""
        text = " ".join(self.face.draws(text).split())
        while text and self.length(text) > length:
            text = text.rsplit(" ", 1)[0].rstrip() if " " in text else text[:-1]
        return text


@lru_cache(maxsize=4096)
def _reach(face: Face, size: int) -> tuple[int, int]:
    font = face.at(size)
    return max(-font.getbbox(_TALL, anchor="ls")[1], 1), max(font.getbbox(_HANGING, anchor="ls")[3], 1)


def place(style: Style, text: str, left: float, top: float) -> Place:
    """The place of a line that begins at ``left``, its box's top there at ``top``, turned about its beginning."""
    width, height = style.length(text), sum(style.reach)
    cos, sin = math.cos(style.angle), math.sin(style.angle)
    return left + (width * cos - height * sin) / 2, top + (width * sin + height * cos) / 2, width, height, style.angle


def corners(where: Place) -> np.ndarray:
    """The box's corners, float [4, 2] as (x, y): top left, top right, bottom right, bottom left."""
    x, y, width, height, angle = where
    along, down = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
    ways = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return np.array([[x, y] + a * width / 2 * along + b * height / 2 * down for a, b in ways])


def extent(where: Place) -> tuple[int, int, int, int]:
    """The upright box around a place, whole pixels."""
    found = corners(where)
    return *(int(v) for v in np.floor(found.min(0))), *(int(v) for v in np.ceil(found.max(0)))


def write(picture: Image.Image, style: Style, text: str, left: float, top: float) -> Line:
    """Draw a line into a picture and say where it stands."""
    where = place(style, text, left, top)
    if style.box:
        _box(picture, style, where)
    if style.outline or style.shadow:
        thick, by = _ink(style, text, style.outline), (where[0] + style.shadow, where[1] + style.shadow)
        _stamp(picture, style.edge, thick if not style.shadow else thick.filter(ImageFilter.BoxBlur(1)), by)
    _stamp(picture, style.ink, _ink(style, text, 0), where[:2])
    return Line(text, where)


def legible(rng: np.random.Generator, picture: Image.Image, style: Style, where: Place) -> Style:
    """The style with colours that can be told from what is at a place; on busy ground with an outline or a box."""
    behind = np.asarray(picture.crop(extent(where)).resize((24, 8), Image.Resampling.BOX), np.float32).reshape(-1, 3) @ _LUMINANCE
    if behind.std() > _BUSY or rng.random() < 0.25:
        ink, edge = _pair(rng)
        if (behind.std() > _BUSY and rng.random() < 0.5) or rng.random() < 0.4:
            return replace(style, ink=ink, edge=edge, box=float(rng.uniform(0.8, 1)))
        width = max(1, round(style.size * rng.uniform(0.04, 0.1)))
        if behind.std() <= _BUSY and abs(_luminance(ink) - behind.mean()) > _CONTRAST:
            return replace(style, ink=ink, edge=edge, shadow=width)
        return replace(style, ink=ink, edge=edge, outline=width)
    return replace(style, ink=contrasting(rng, float(behind.mean())))


def contrasting(rng: np.random.Generator, behind: float) -> Colour:
    """A colour whose luminance differs enough from another, 0 to 255; black or white often."""
    if rng.random() < 0.35:
        return (0, 0, 0) if behind > 127 else (255, 255, 255)
    for _ in range(16):
        colour = rng.integers(256, size=3)
        if abs(_luminance(colour) - behind) > _CONTRAST:
            return tuple(int(c) for c in colour)
    return (0, 0, 0) if behind > 127 else (255, 255, 255)


def _pair(rng: np.random.Generator) -> tuple[Colour, Colour]:
    """Ink, and what it can be told from."""
    edge = tuple(int(c) for c in rng.integers(256, size=3))
    return contrasting(rng, _luminance(edge)), edge


def _luminance(colour: Colour | np.ndarray) -> float:
    return float(np.dot(colour, _LUMINANCE))


def _ink(style: Style, text: str, outline: int) -> Image.Image:
    """Where ink is, as a grey picture whose middle is the middle of the line's box, turned."""
    above, below = style.reach
    width, margin = math.ceil(style.length(text)), max(style.size // 2, 4) + outline
    mask = Image.new("L", (width + 2 * margin, above + below + 2 * margin))
    draw, font, at = ImageDraw.Draw(mask), style.face.at(style.size), (float(margin), margin + above)
    pieces = text if style.spacing else [text]
    for i, piece in enumerate(pieces):
        x = at[0] + (font.getlength(text[:i]) + i * style.spacing if i else 0.0)
        draw.text((x, at[1]), piece, fill=255, font=font, anchor="ls", stroke_width=outline)
    if not style.angle:
        return mask
    return mask.rotate(-math.degrees(style.angle), Image.Resampling.BICUBIC, expand=True)


def _stamp(picture: Image.Image, colour: Colour, mask: Image.Image, middle: tuple[float, float]) -> None:
    left, top = (round(m - s / 2) for m, s in zip(middle, mask.size, strict=True))
    picture.paste(colour, (left, top, left + mask.width, top + mask.height), mask)


def _box(picture: Image.Image, style: Style, where: Place) -> None:
    x, y, width, height, angle = where
    grown = corners((x, y, width + 0.6 * height, height * 1.25, angle))
    mask = Image.new("L", picture.size)
    ImageDraw.Draw(mask).polygon([tuple(p) for p in grown], fill=round(255 * style.box))
    picture.paste(style.edge, (0, 0), mask)
