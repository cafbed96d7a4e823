"""Small pictures with a class, for teaching codes what things look like: photographs by folder, and digits from IDX files.

    photos/cat/0001.jpg   a folder for each class, whose name is the class
    *idx3-ubyte.gz        MNIST's pictures with the labels (*idx1-ubyte.gz) beside them

Axis letters: M pictures; B pictures of a batch; S pixels to a side.
"""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pollux.base.errors import ConfigError

_KINDS = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Labelled:
    """Pictures, uint8 [M, S, S, 3], their classes, int64 [M], and what these are called."""

    pictures: np.ndarray
    classes: np.ndarray
    names: tuple[str, ...]

    def augmented(self, rng: np.random.Generator, count: int, side: int) -> tuple[np.ndarray, np.ndarray]:
        """``count`` pictures drawn at random: cropped, mirrored where that keeps the class, recoloured and with a hole in them.

        Returns:
            uint8 [B, side, side, 3] and int32 [B].
        """
        rows = rng.integers(len(self.classes), size=count)
        return np.stack([self._changed(rng, i, side) for i in rows]), self.classes[rows].astype(np.int32)

    def plain(self, rows: np.ndarray, side: int) -> np.ndarray:
        """Some pictures as they are, enlarged: uint8 [B, side, side, 3]."""
        return np.stack(
            [np.asarray(Image.fromarray(self.pictures[i]).resize((side, side), Image.Resampling.BILINEAR)) for i in rows]
        )

    def _changed(self, rng: np.random.Generator, i: int, side: int) -> np.ndarray:
        own, mirrored = self.pictures.shape[1], not self.names[self.classes[i]].isdigit()
        size = own * np.sqrt(rng.uniform(0.5, 1, 2)) if mirrored else own * rng.uniform(0.85, 1, 2)
        left, top = rng.uniform(0, own - size)
        part = Image.fromarray(self.pictures[i])
        part = part.resize((side, side), Image.Resampling.BILINEAR, box=(left, top, left + size[0], top + size[1]))
        pixels = np.asarray(part)[:, ::-1] if mirrored and rng.random() < 0.5 else np.array(part)
        return _with_hole(rng, _recoloured(rng, pixels))


def photographs(folder: Path) -> Labelled:
    """Pictures of one size in a folder for each class. Raises ConfigError where there are none, or sizes differ."""
    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    files = [
        (i, path) for i, name in enumerate(names) for path in sorted((folder / name).iterdir()) if path.suffix.lower() in _KINDS
    ]
    pictures = [np.asarray(Image.open(path).convert("RGB")) for _, path in files]
    if not pictures or len({picture.shape for picture in pictures}) > 1:
        what = f"{folder} holds {'pictures of several sizes' if pictures else 'no folders with pictures, one for each class'}"
        raise ConfigError(what, "name a folder laid out like CIFAR-10: cat/0001.jpg, dog/0001.jpg, all of one size")
    return Labelled(np.stack(pictures), np.array([i for i, _ in files]), tuple(names))


def digits(folder: Path, side: int = 32) -> Labelled:
    """MNIST's digits of a folder as grey pictures of so many pixels to a side. Raises ConfigError where they are not there."""
    pictures, labels = (sorted(folder.glob(f"*{kind}*")) for kind in ("idx3-ubyte", "idx1-ubyte"))
    if len(pictures) != 1 or len(labels) != 1:
        raise ConfigError(
            f"{folder} does not hold one file of digits and one of labels", "name a folder with MNIST's two IDX files"
        )
    raw = _idx(pictures[0], 3)
    border = (side - raw.shape[1]) // 2
    grey = np.pad(raw, ((0, 0), (border, side - raw.shape[1] - border), (border, side - raw.shape[2] - border)))
    return Labelled(np.repeat(grey[..., None], 3, -1), _idx(labels[0], 1).astype(np.int64), tuple("0123456789"))


def part(data: Labelled, first: int, last: int) -> Labelled:
    """Pictures ``first`` to ``last`` of a set."""
    return Labelled(data.pictures[first:last], data.classes[first:last], data.names)


def joined(sets: list[Labelled]) -> Labelled:
    """Sets of one size as one; classes keep their names, and their numbers follow each other."""
    offsets = np.cumsum([0] + [len(each.names) for each in sets[:-1]])
    classes = np.concatenate([each.classes + offset for each, offset in zip(sets, offsets, strict=True)])
    return Labelled(np.concatenate([each.pictures for each in sets]), classes, sum((each.names for each in sets), ()))


def _idx(path: Path, axes: int) -> np.ndarray:
    with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
        data = file.read()
    shape = struct.unpack(f">{axes}I", data[4 : 4 + 4 * axes])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _recoloured(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """Brightness, contrast and balance changed by one table for each colour; a negative now and then where there is no colour."""
    gain, shift = rng.uniform(0.7, 1.3) * rng.uniform(0.85, 1.15, 3), rng.uniform(-30, 30) + rng.uniform(-10, 10, 3)
    table = np.clip((np.arange(256)[:, None] - 128) * gain + 128 + shift, 0, 255).astype(np.uint8)
    return np.stack([table[pixels[..., c], c] for c in range(3)], -1)


def _with_hole(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """One square of up to half a side, of one grey."""
    if rng.random() < 0.5:
        side = pixels.shape[0]
        size = int(rng.uniform(0.15, 0.5) * side)
        top, left = rng.integers(0, side - size, 2)
        pixels[top : top + size, left : left + size] = rng.integers(256)
    return pixels
