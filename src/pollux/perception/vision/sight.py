"""Sight: from pictures to what is seen of them, codes and words.

    pixels ─ trunk ─┬─ codes ────────────────────────────────────> Seen.codes
                    └─ finder ─ strips.find ─ cut ─ letters ─────> Seen.words

Pictures of one shape go through together. What is compiled is bounded: sides of pictures are padded to few lengths, and pictures
and lines come in few numbers.

Axis letters: B pictures or lines; H, W rows and columns of pixels; R, C of cells; G, J of the finder's map; T steps of a line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from PIL import Image

from pollux.base.checkpoint import load_weights
from pollux.base.errors import CheckpointError, MediaError
from pollux.base.weights import Tree
from pollux.media.segment import Region
from pollux.perception.codes import numbered, quantised
from pollux.perception.percepts import Seen, Word
from pollux.perception.vision import strips
from pollux.perception.vision.finder import line_map
from pollux.perception.vision.letters import STEP, decoded, likeliest
from pollux.perception.vision.spelling import mended
from pollux.perception.vision.strips import Strip
from pollux.perception.vision.trunk import CELL, features

KIND = "sight"
_SMALLEST = 128  # pixels of the longer side: smaller pictures are enlarged
_AT_ONCE = 16  # pictures
# Columns of strips that are read together, and how many of them: two numbers each, for one line and for many.
_WIDTHS = {128: (4, 32), 256: (2, 16), 512: (1, 8), 1024: (1, 4), strips.LONGEST: (1, 2)}
_DOUBTED = 0.5  # a line whose characters are likelier wrong than right is no line


class Found(NamedTuple):
    """A line of text in picture number ``picture``, and its pixels as `strips.cut` gives them."""

    picture: int
    strip: Strip
    pixels: np.ndarray


@dataclass(frozen=True)
class Sight:
    """A trained eye: weights ``trunk``, ``codes``, ``finder`` and ``letters``."""

    params: Tree

    @classmethod
    def load(cls, path: Path) -> Sight:
        """Raises CheckpointError when the file is missing, damaged, or no sight."""
        params, about = load_weights(path)
        if about.get("kind") != KIND:
            raise CheckpointError(f"{path} holds no sight", "name the file that pollux.train.sight.run.join made")
        return cls(jax.device_put(params))

    @staticmethod
    def resize(picture: np.ndarray, cells: int) -> np.ndarray:
        """A picture so that at most ``cells`` cells of 32 x 32 pixels cover it: uint8 [H, W, 3], its shape kept.

        Larger ones are made smaller; those of fewer than 128 pixels on the longer side are enlarged to that, where cells allow.
        """
        height, width = _checked(picture).shape[:2]
        new = _size(width, height, cells)
        if new == (width, height):
            return picture
        return np.asarray(Image.fromarray(picture).resize(new, Image.Resampling.BICUBIC, reducing_gap=3.0))

    def see(self, pictures: Sequence[np.ndarray]) -> list[Seen]:
        """What is seen of pictures, uint8 [H, W, 3] of any shapes: a code for each cell of 32 x 32 pixels begun, and the words.

        Regions are shares of each picture's width and height. Pictures are taken as large as they are: `resize` comes before.

        Raises:
            MediaError: something given is no such picture.
        """
        codes, found = self.look(pictures)
        words: list[list[Word]] = [[] for _ in pictures]
        for line, text, begins, chances in self.read(found):
            words[line.picture] += _words(line, text, begins, chances, pictures[line.picture].shape)
        return [Seen(ids, tuple(read)) for ids, read in zip(codes, words, strict=True)]

    def look(self, pictures: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[Found]]:
        """Codes of pictures, int32 [R, C] each, and the lines of text in them, not yet read. Raises MediaError as `see` does."""
        codes: list[np.ndarray] = [np.zeros((0, 0), np.int32)] * len(pictures)
        found: list[Found] = []
        for shape, numbers in _by_shape(pictures).items():
            for some in _powers(numbers, _AT_ONCE):
                pixels = np.stack([_padded(pictures[i], shape) for i in some])
                for i, ids, map_GJ3 in zip(some, *map(np.asarray, _looking(self.params, pixels)), strict=True):
                    height, width = pictures[i].shape[:2]
                    codes[i] = ids[: -(-height // CELL), : -(-width // CELL)]
                    found += _cuts(i, pictures[i], map_GJ3)
        return codes, found

    def read(self, lines: list[Found]) -> Iterator[tuple[Found, str, np.ndarray, np.ndarray]]:
        """Lines that say something, with the text, the step that each character begins at, and how likely it is."""
        for width, some in _by_width(lines):
            count = next(n for n in _WIDTHS[width] if n >= len(some))
            symbols, chances = map(np.asarray, _reading(self.params, _side_by_side(some, count, width)))
            for line, symbols_T, chances_T in zip(some, symbols, chances, strict=False):
                text, begins = decoded(symbols_T[: line.pixels.shape[1] // STEP])
                if text.strip() and float(chances_T[begins].mean()) > _DOUBTED:
                    yield line, text, begins, chances_T[begins]


@jax.jit
def _looking(params: Tree, pixels_BHWC: jax.Array) -> tuple[jax.Array, jax.Array]:
    seen = features(params["trunk"], pixels_BHWC)
    return numbered(quantised(params["codes"], seen[-1])), line_map(params["finder"], seen)


@jax.jit
def _reading(params: Tree, x_BHWC: jax.Array) -> tuple[jax.Array, jax.Array]:
    return likeliest(params["letters"], x_BHWC.astype("float32"))


def _checked(picture: np.ndarray) -> np.ndarray:
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
        what = f"a picture is uint8 [rows, columns, 3], got {picture.dtype} {list(picture.shape)}"
        raise MediaError(what, "read pictures with pollux.media.image.look")
    return picture


def _size(width: int, height: int, cells: int) -> tuple[int, int]:
    """The size at which a picture is seen: as large as it is, or as large as cells allow, or enlarged a little."""
    covered = lambda scale: math.prod(-(-max(round(side * scale), 1) // CELL) for side in (width, height))  # noqa: E731
    scale = max(_SMALLEST / max(width, height), 1.0)
    # a long picture's cells are begun on one side: the scale by area alone may cover too many of them
    scale = min(scale, math.sqrt(cells * CELL * CELL / (width * height)) * 1.2, cells * CELL / max(width, height))
    while covered(scale) > cells and scale > 1e-6:
        scale *= 0.99
    return max(round(width * scale), 1), max(round(height * scale), 1)


def _by_shape(pictures: Sequence[np.ndarray]) -> dict[tuple[int, int], list[int]]:
    """Numbers of pictures by the shape that they are padded to."""
    found: dict[tuple[int, int], list[int]] = {}
    for i, picture in enumerate(pictures):
        height, width = _checked(picture).shape[:2]
        found.setdefault((_roomy(height), _roomy(width)), []).append(i)
    return found


def _roomy(pixels: int) -> int:
    """The side that one is padded to: a number of cells of which only the first three binary digits may be set."""
    cells = -(-pixels // CELL)
    step = 1 << max(cells.bit_length() - 3, 0)
    return -(-cells // step) * step * CELL


def _padded(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Beyond its edges a picture goes on as it ends."""
    below, beside = shape[0] - picture.shape[0], shape[1] - picture.shape[1]
    return np.pad(picture, ((0, below), (0, beside), (0, 0)), mode="edge") if below or beside else picture


def _powers(items: list[int], most: int) -> Iterator[list[int]]:
    """Items in groups whose sizes are powers of two."""
    while items:
        size = min(1 << (len(items).bit_length() - 1), most)
        yield items[:size]
        items = items[size:]


def _cuts(number: int, pixels: np.ndarray, map_GJ3: np.ndarray) -> Iterator[Found]:
    lines = strips.find(map_GJ3)
    picture = Image.fromarray(pixels) if lines else None
    for strip in lines:
        if 0 <= strip.x < pixels.shape[1] and 0 <= strip.y < pixels.shape[0]:  # not in what was padded
            yield Found(number, strip, strips.cut(picture, strip))


def _by_width(lines: Iterable[Found]) -> Iterator[tuple[int, list[Found]]]:
    """Lines of about one length, no more than are read at once."""
    by_width: dict[int, list[Found]] = {}
    for line in lines:
        by_width.setdefault(next(width for width in _WIDTHS if width >= line.pixels.shape[1]), []).append(line)
    for width, some in sorted(by_width.items()):
        most = _WIDTHS[width][-1]
        for i in range(0, len(some), most):
            yield width, some[i : i + most]


def _side_by_side(lines: list[Found], count: int, width: int) -> np.ndarray:
    out = np.zeros((count, strips.ROWS, width, 3), np.float16)
    for i, line in enumerate(lines):
        out[i, :, : line.pixels.shape[1]] = line.pixels
    return out


def _words(line: Found, text: str, begins: np.ndarray, chances: np.ndarray, shape: tuple[int, ...]) -> list[Word]:
    """A line's words, mended, with their regions."""
    middles = (begins + 0.5) * STEP  # columns of the strip
    advance = float(np.diff(middles).mean()) if len(middles) > 1 else float(line.pixels.shape[1]) / 2
    words, start = [], 0
    for word in text.split(" "):
        end = start + len(word)
        if word:
            left, right = middles[start] - advance / 2, middles[end - 1] + advance / 2
            region = _region(line, left / line.pixels.shape[1], right / line.pixels.shape[1], shape)
            words.append(Word(mended(word, chances[start:end]), region))
        start = end + 1
    return words


def _region(line: Found, left: float, right: float, shape: tuple[int, ...]) -> Region:
    """The upright box around part of a strip, as shares of the picture."""
    box = strips.outer(line.strip)
    inner = (1 - line.strip.height / box.height) / 2
    corners = np.array([box.at(along, down) for along in (left, right) for down in (inner, 1 - inner)])
    shares = np.clip(corners / (shape[1], shape[0]), 0, 1)
    (x0, y0), (x1, y1) = shares.min(0), shares.max(0)
    return float(x0), float(y0), float(x1), float(y1)
