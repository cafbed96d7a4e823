"""What stands behind the text of training pictures: parts of photographs, and gradients, noise, shapes and paper made here.

Axis letters: H, W rows and columns of pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pollux.base.errors import ConfigError

_KINDS = (".jpg", ".jpeg", ".png")
_LARGEST = 1024  # pixels of a photograph's longer side: as much as a picture shows, and a folder of them stays small
_SMALLEST = 0.25  # the least share of a photograph's shorter side that is shown


@dataclass(frozen=True)
class Backdrops:
    """Photographs to draw from; without any, everything is made."""

    photos: tuple[Image.Image, ...] = ()

    @classmethod
    def load(cls, folder: Path) -> Backdrops:
        """The photographs of a folder and those below it. Raises ConfigError where there are none."""
        photos = tuple(_photo(path) for path in sorted(folder.rglob("*")) if path.suffix.lower() in _KINDS)
        if not photos:
            raise ConfigError(f"{folder} holds no photographs (*.jpg, *.png)", "name a folder with some")
        return cls(photos)

    def photo(self, rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
        """A part of a photograph at (width, height), perhaps mirrored, its colours changed a little."""
        if not self.photos:
            return made(rng, size)
        photo = self.photos[rng.integers(len(self.photos))]
        part = photo.resize(size, Image.Resampling.BILINEAR, box=_part(rng, photo.size, size), reducing_gap=2.0)
        part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else part
        return _recoloured(rng, part)

    def draw(self, rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
        """A photograph, or something made."""
        return self.photo(rng, size) if rng.random() < 0.55 else made(rng, size)


def made(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A backdrop that is no photograph, at (width, height)."""
    return _MADE[rng.integers(len(_MADE))](rng, size)


def paper(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Nearly one colour, mostly light: pages, slides and dark screens."""
    light = rng.random() < 0.8
    base = rng.integers(200, 256) if light else rng.integers(0, 60)
    colour = np.clip(base + rng.normal(0, 8, 3), 0, 255).astype(np.uint8)
    page = Image.new("RGB", size, tuple(map(int, colour)))
    return Image.blend(page, _clouds(rng, size), float(rng.uniform(0, 0.06))) if rng.random() < 0.4 else page


def _photo(path: Path) -> Image.Image:
    with Image.open(path) as photo:
        photo.thumbnail((_LARGEST, _LARGEST), Image.Resampling.LANCZOS, reducing_gap=3.0)
        return photo.convert("RGB")


def _part(rng: np.random.Generator, whole: tuple[int, int], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """A box of about the wanted shape inside a picture."""
    largest = min(whole[0] / size[0], whole[1] / size[1])
    scale = largest * rng.uniform(_SMALLEST, 1)
    width, height = size[0] * scale, size[1] * scale
    left, top = rng.uniform(0, whole[0] - width), rng.uniform(0, whole[1] - height)
    return left, top, left + width, top + height


def _recoloured(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    gain, shift = rng.uniform(0.6, 1.2, 3) * rng.uniform(0.6, 1.1), rng.uniform(-20, 40)
    table = np.clip(np.arange(256)[None] * gain[:, None] + shift, 0, 255).astype(np.uint8)
    return picture.point(table.ravel().tolist())


def _colour(rng: np.random.Generator) -> tuple[int, int, int]:
    return tuple(int(c) for c in rng.integers(256, size=3))


def _plain(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    return Image.new("RGB", size, _colour(rng))


def _clouds(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Noise of any coarseness, from gradients to grain."""
    cells = 2 ** int(rng.integers(1, 7))
    grid = rng.integers(256, size=(cells, cells + 1, 3), dtype=np.uint8)
    return Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC)


def _faint(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    return Image.blend(_plain(rng, size), _clouds(rng, size), float(rng.uniform(0.1, 0.6)))


def _shapes(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Rectangles, ellipses and strokes, which may look like letters and are none."""
    picture = _faint(rng, size) if rng.random() < 0.5 else _plain(rng, size)
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(3, 25)):
        reach = rng.choice((0.08, 0.3, 0.8))
        x, y = rng.uniform(-0.1, 1, 2) * size
        w, h = rng.uniform(1, 2 + reach * max(size), 2)
        form = rng.integers(4)
        if form == 0:
            draw.rectangle((x, y, x + w, y + h), fill=_colour(rng))
        elif form == 1:
            draw.ellipse((x, y, x + w, y + h), fill=_colour(rng))
        elif form == 2:
            draw.line((x, y, x + w, y + rng.choice((-1, 0, 1)) * h), fill=_colour(rng), width=int(rng.integers(1, 6)))
        else:
            draw.ellipse((x, y, x + w, y + h), outline=_colour(rng), width=int(rng.integers(1, 5)))
    return picture


_MADE: tuple[Callable[..., Image.Image], ...] = (_plain, _clouds, _faint, _shapes, paper)
