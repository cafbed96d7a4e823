"""Pictures of 28 x 28 pixels from a folder: MNIST's IDX files, or Omniglot's PNGs in a zip file.

    *idx3-ubyte, *idx3-ubyte.gz   light on dark, as they are
    *.zip with *.png in it        dark on light: turned round, each new pixel the mean of those that it covers

All files of a kind below the folder are taken together, in the order of their names. Pictures are shuffled by a fixed seed; a ninth
of them (rounded down) is for validation, a ninth for testing, the rest for training.
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pollux.base.errors import ConfigError, MediaError

SIDE = 28
_MAGIC = 0x0803  # bytes, in three dimensions
_HELD_OUT = 9
# Above these, a file is not what it says.
_MOST_PICTURES, _MOST_BYTES, _MOST_PIXELS = 1_000_000, 1 << 20, 1 << 20


class Pictures(NamedTuple):
    """Grey pictures, uint8 [M, 784] each, and 16 hex digits that tell them from others."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    fingerprint: str


def load(folder: Path) -> Pictures:
    """The pictures of a folder.

    Raises:
        ConfigError: when there is no such folder, or it holds no such files, files of both kinds, or fewer than 9 pictures.
        MediaError: when a file is damaged or of another size.
    """
    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder}", "name a folder with pictures: --data DIR")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    idx = [path for path in files if path.name.removesuffix(".gz").endswith("idx3-ubyte")]
    zips = [path for path in files if path.suffix == ".zip"]
    if bool(idx) == bool(zips):
        what = "both IDX and zip files" if idx else "neither IDX files (*idx3-ubyte, *idx3-ubyte.gz) nor a *.zip of PNGs"
        raise ConfigError(f"{folder} holds {what}", "name a folder with MNIST's files, or one with Omniglot's")
    found = np.concatenate([_idx(path) for path in idx] or [_pngs(path) for path in zips])
    if len(found) < _HELD_OUT:
        raise ConfigError(f"{folder} holds {len(found)} pictures; at least {_HELD_OUT} are needed", "name a folder with more")
    return split(found.reshape(len(found), -1))


def split(pictures: np.ndarray) -> Pictures:
    """Parts of pictures, uint8 [M, P]."""
    order, held = np.random.default_rng(0).permutation(len(pictures)), len(pictures) // _HELD_OUT
    shuffled = pictures[order]
    digest = hashlib.sha256(shuffled.tobytes()).hexdigest()[:16]
    return Pictures(shuffled[2 * held :], shuffled[:held], shuffled[held : 2 * held], digest)


def _idx(path: Path) -> np.ndarray:
    """uint8 [M, 28, 28]."""
    again = "fetch it again"
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            header = file.read(16)
            if len(header) < 16:
                raise MediaError(f"{path} ends within its header", again, path=str(path))
            magic, count, *sides = struct.unpack(">IIII", header)
            if magic != _MAGIC:
                what = f"{path} is no IDX file of pictures: it begins with {magic:#010x}, not {_MAGIC:#010x}"
                raise MediaError(what, again, path=str(path))
            if sides != [SIDE, SIDE] or count > _MOST_PICTURES:
                what = f"{path} says that it holds {count:,} pictures of {sides[0]} x {sides[1]}; {SIDE} x {SIDE} is what is read"
                raise MediaError(what, f"up to {_MOST_PICTURES:,} pictures of that size are", path=str(path))
            data = file.read(count * SIDE * SIDE + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise MediaError(f"{path} is damaged: {error}", again, path=str(path)) from error
    if len(data) != (size := count * SIDE * SIDE):
        held = "more" if len(data) > size else f"{len(data):,}"
        raise MediaError(f"{path} should hold {count:,} pictures, {size:,} bytes, and holds {held}", again, path=str(path))
    return np.frombuffer(data, np.uint8).reshape(count, SIDE, SIDE)


def _pngs(path: Path) -> np.ndarray:
    """uint8 [M, 28, 28] of the PNGs in a zip file, in the order of their names."""
    try:
        with zipfile.ZipFile(path) as file:
            hidden = lambda name: name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith(".")  # noqa: E731
            entries = sorted((i for i in file.infolist() if i.filename.endswith(".png")), key=lambda i: i.filename)
            entries = [entry for entry in entries if not hidden(entry.filename)]
            if not 0 < len(entries) <= _MOST_PICTURES:
                what = f"{path} holds {len(entries):,} pictures (*.png); 1 to {_MOST_PICTURES:,} is what is read"
                raise MediaError(what, "name a folder with Omniglot's zip files", path=str(path))
            return np.stack([_png(path, entry, file) for entry in entries])
    # zipfile raises the last one for a password, and for a way of packing that it does not know
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise MediaError(f"{path} is damaged or locked: {error}", "fetch it again", path=str(path)) from error


def _png(path: Path, entry: zipfile.ZipInfo, file: zipfile.ZipFile) -> np.ndarray:
    from PIL import Image

    name = f"{path}: {entry.filename}"
    if entry.file_size > _MOST_BYTES:
        raise MediaError(f"{name} has {entry.file_size:,} bytes, more than {_MOST_BYTES:,}", "remove it", path=str(path))
    try:
        with Image.open(BytesIO(file.read(entry)), formats=["PNG"]) as image:
            if image.width * image.height > _MOST_PIXELS:
                what = f"{name} has {image.width} x {image.height} pixels, more than {_MOST_PIXELS:,}"
                raise MediaError(what, "remove it, or make it smaller", path=str(path))
            small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    except (OSError, SyntaxError, ValueError) as error:  # Pillow tells damage by any of these
        raise MediaError(f"{name} is no sound PNG: {error}", "fetch the file again", path=str(path)) from error
    return 255 - np.asarray(small)
