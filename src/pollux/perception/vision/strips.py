"""Lines of text as strips of a picture: found in the finder's map, drawn as such a map for training, and cut out to be read.

No jax here. Axis letters: H, W rows and columns of pixels; G, J rows (2 pixels high) and columns (4 pixels wide) of a map.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image

ROWS = 32  # of pixels, of a strip that is to be read
LONGEST = 2048  # columns; longer lines are squeezed
_DOWN, _ACROSS = 2, 4  # pixels to a row and to a column of the map
_CORE = 0.25  # how far from the middle of a line its core reaches, in line heights
_SURE, _LIKELY = 0.7, 0.5  # the mean chance of a line's cells, and the least chance of a cell
_STEEPEST = math.radians(10)
_LEAST = 3  # cells of a line
# What is cut out beyond a line's box, in line heights: letters may rise above it, and begin before it.
_ABOVE, _BESIDE = 0.1, 0.3


class Strip(NamedTuple):
    """A line's box: its middle and its sides in pixels, and how far it is turned, in radians, clockwise as seen."""

    x: float
    y: float
    width: float
    height: float
    angle: float

    def at(self, along: float, down: float) -> tuple[float, float]:
        """A point of the box, (x, y) in the picture; (0, 0) is its top left corner and (1, 1) its bottom right one."""
        u, v = (along - 0.5) * self.width, (down - 0.5) * self.height
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return self.x + u * cos - v * sin, self.y + u * sin + v * cos

    def scaled(self, across: float, down: float) -> Strip:
        """The strip where it is in the same picture at another size."""
        return Strip(self.x * across, self.y * down, self.width * across, self.height * down, self.angle)


def find(map_GJ3: np.ndarray) -> list[Strip]:
    """Lines in a map of logits and logarithms (`finder.line_map`), from top to bottom."""
    from scipy import ndimage

    logit = map_GJ3[..., 0]
    labels, count = ndimage.label(logit > math.log(_LIKELY / (1 - _LIKELY)), np.ones((3, 3)))
    if not count:
        return []
    rows, columns = np.nonzero(labels)
    found = map_GJ3[rows, columns]
    order, sizes = np.argsort(labels[rows, columns], kind="stable"), np.bincount(labels[rows, columns])[1:]
    parts = np.split(order, np.cumsum(sizes)[:-1])
    x, y = (columns + 0.5) * _ACROSS, (rows + 0.5) * _DOWN
    strips = [_strip(x[part], y[part], found[part]) for part in parts if len(part) >= _LEAST]
    return sorted((strip for strip in strips if strip is not None), key=lambda strip: strip.y)


def _strip(x: np.ndarray, y: np.ndarray, found_N3: np.ndarray) -> Strip | None:
    """The line that some cells are the core of; None where they are not sure enough."""
    chance = 1 / (1 + np.exp(-found_N3[:, 0]))
    if chance.mean() < _SURE:
        return None
    top, bottom = np.exp(np.clip(found_N3[:, 1:], -2, 7)).T
    height, middle = float(np.median(top + bottom)), y + (bottom - top) / 2
    x0, y0, spread = x.mean(), float(np.median(middle)), x - x.mean()
    slope = float((spread * middle).sum() / np.square(spread).sum()) if np.ptp(x) > 2 * height else 0.0
    angle = min(max(math.atan(slope), -_STEEPEST), _STEEPEST)
    left, right = x.min() - _ACROSS / 2, x.max() + _ACROSS / 2
    x1 = (left + right) / 2
    return Strip(float(x1), y0 + math.tan(angle) * float(x1 - x0), float(right - left) / math.cos(angle), height, angle)


def drawn(strips: Iterable[Strip], height: int, width: int) -> np.ndarray:
    """The map that should be found: float32 [G, J, 3], whether a cell is in a core (0 or 1), and two logarithms, 0 elsewhere."""
    out = np.zeros((height // _DOWN, width // _ACROSS, 3), np.float32)
    for strip in strips:
        corners = np.array([strip.at(a, d) for a in (0, 1) for d in (0, 1)])
        (left, top), (right, bottom) = corners.min(0), corners.max(0)
        rows = slice(max(int(top // _DOWN), 0), max(int(bottom // _DOWN) + 1, 0))
        columns = slice(max(int(left // _ACROSS), 0), max(int(right // _ACROSS) + 1, 0))
        part = out[rows, columns]
        y = (np.arange(rows.start, rows.start + part.shape[0])[:, None] + 0.5) * _DOWN - strip.y
        x = (np.arange(columns.start, columns.start + part.shape[1])[None] + 0.5) * _ACROSS - strip.x
        u, v = x * math.cos(strip.angle) + y * math.sin(strip.angle), y * math.cos(strip.angle) - x * math.sin(strip.angle)
        core = (np.abs(u) <= strip.width / 2) & (np.abs(v) <= _CORE * strip.height)
        half = strip.height / 2
        part[core] = np.stack([np.ones_like(v), np.log(np.maximum(half + v, 1)), np.log(np.maximum(half - v, 1))], -1)[core]
    return out


def outer(strip: Strip) -> Strip:
    """What of a picture is cut out for a strip."""
    return strip._replace(width=strip.width + 2 * _BESIDE * strip.height, height=strip.height * (1 + 2 * _ABOVE))


def cut(picture: Image.Image, strip: Strip) -> np.ndarray:
    """A strip with some room about it, as it is read: float32 [32, W, 3], its mean 0 and its spread about 1, whatever its colours.

    W is what keeps the letters' shape, 2,048 at most; beyond the picture's edges everything is black.
    """
    box = outer(strip)
    columns = min(max(round(box.width / box.height * ROWS), ROWS // 4), LONGEST)
    finer = max(int(box.height / ROWS), 1)  # drawn larger and averaged where the line is higher than what is read
    size = columns * finer, ROWS * finer
    (left, top), cos, sin = box.at(0, 0), math.cos(box.angle), math.sin(box.angle)
    a, b = box.width / size[0], box.height / size[1]
    affine = a * cos, -b * sin, left, a * sin, b * cos, top
    drawn_large = picture.transform(size, Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
    pixels = np.asarray(drawn_large.reduce(finer) if finer > 1 else drawn_large, np.float32)
    return (pixels - pixels.mean()) / (pixels.std() + 4)
