"""Pictures: what a file holds, and its pixels when they are wanted.

    PNG, JPEG, WebP, GIF ─describe→ Image (one for each frame of an animation) ─look→ uint8 [H, W, 3]

Pixels are as they are to be seen: turned as the EXIF note says, on white where they are transparent, 16 bits, palettes and CMYK
brought to sRGB's 8 bits a channel (colour profiles are not applied). Pages of PDFs and pictures on them come through
`pages.Book`.

Axis letters: H, W rows and columns of pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count, groupby
from typing import TYPE_CHECKING

import numpy as np

from pollux.base.errors import MediaError
from pollux.media.pages import Book
from pollux.media.segment import Problem
from pollux.media.senses import Box, Image
from pollux.media.source import Source, library, size

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

FORMATS = {"png": "PNG", "jpeg": "JPEG", "webp": "WEBP", "gif": "GIF"}
_ORIENTATION = 0x0112  # the EXIF tag
_TURNS = ("FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90")  # values 2 to 8
_DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # modes of one channel of 16 bits
_FRAME_SECONDS = 0.1  # what every viewer shows a frame for whose own time is 0.02 s or less


def describe(source: Source, path: str) -> tuple[tuple[Image, ...], list[Problem]]:
    """A picture file as segments, one for each frame of an animation, and warnings. Only its header is looked at.

    Raises:
        MediaError: It is damaged, of a kind that cannot be read, or larger than ``source.bounds`` allows.
    """
    with _picture(source, path) as picture:
        width, height = picture.size
        if _turn(picture) >= 5:
            width, height = height, width
        if not moving(picture):
            return (Image(path, source, width, height),), []
        most = max(min(source.bounds.frames, source.bounds.pixels * 4 // (width * height)), 1)
        found = _count(picture, most + 1)
    images = tuple(Image(path, source, width, height, frame=i + 1) for i in range(min(found, most)))
    if found <= most:
        return images, []
    hint = "read it as a film, or raise Bounds.frames."
    return images, [Problem(path, f"{path}: only its first {most} frames are read", hint, "warning")]


def look(images: Iterable[Image], box: Box | None = None) -> Iterator[np.ndarray]:
    """The pixels of pictures, one after the other: uint8 [H, W, 3]. A file whose pictures follow each other is opened once.

    Args:
        images: What to look at.
        box: The most pixels across and down: larger pictures are scaled down to fit, keeping their shape. A PDF's page is drawn
            as large as fits.

    Raises:
        MediaError: A file is damaged, gone, or larger than its bounds allow; for a page of a PDF, drawing takes too long.
    """
    for (path, source, _), group in groupby(images, _Opening()):
        if source.form == "pdf":
            with Book(source, path) as book:
                for image in group:
                    yield book.draw(image, box)
            continue
        with _picture(source, path) as picture:
            for image in group:
                yield _frame(picture, (image.frame or 1) - 1, box, path)


def is_moving(source: Source, path: str) -> bool:
    """Whether a picture file holds more than one frame. Raises MediaError as `describe` does."""
    with _picture(source, path) as picture:
        return moving(picture)


def animation(source: Source, path: str) -> Iterator[tuple[float, float, Picture]]:
    """Every frame of an animation, with the seconds from which and until which it is on; it is good until the next is asked for.

    Raises:
        MediaError: It is damaged, or has too many frames; those before that have been given.
    """
    with _picture(source, path) as picture:
        time = 0.0
        for number in count():
            try:
                picture.seek(number)
                picture.load()
            except EOFError:
                return
            if number == source.bounds.moving_frames:
                raise MediaError(f"{path} has more than {number:,} frames", "save it as a film (MP4, WebM).", path=path)
            lasts = float(picture.info.get("duration") or 0) / 1000
            lasts = lasts if lasts > 0.02 else _FRAME_SECONDS
            yield time, time + lasts, picture
            time += lasts


def fit(width: int, height: int, box: Box | None) -> tuple[int, int]:
    """The size at which a picture fits the box; it is never made larger."""
    scale = min(box[0] / width, box[1] / height, 1.0) if box else 1.0
    return max(round(width * scale), 1), max(round(height * scale), 1)


def pixels(picture: Picture, box: Box | None = None) -> np.ndarray:
    """The pixels of one of Pillow's pictures as they are to be seen: uint8 [H, W, 3]."""
    from PIL.Image import Resampling, Transpose

    turn = _turn(picture)
    if box and turn >= 5:
        box = box[1], box[0]
    picture = _coloured(picture)
    if (wanted := fit(*picture.size, box)) != picture.size:
        picture = picture.resize(wanted, Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(picture.transpose(Transpose[_TURNS[turn - 2]]) if turn > 1 else picture)


def moving(picture: Picture) -> bool:
    """Whether one of Pillow's pictures holds more than one frame; what cameras put into a JPEG beside the picture is none."""
    return picture.format in ("GIF", "WEBP", "PNG") and bool(getattr(picture, "is_animated", False))


class _Opening:
    """Tells which pictures can be read from a file that was opened once: Pillow does not go back in every animation."""

    def __init__(self) -> None:
        self._last: Image | None = None
        self._number = 0

    def __call__(self, image: Image) -> tuple[str, Source, int]:
        self._number += self._last is not None and (image.frame or 0) < (self._last.frame or 0)
        self._last = image
        return image.path, image.source, self._number


@contextmanager
def _picture(source: Source, path: str) -> Iterator[Picture]:
    """The file opened by Pillow, none of it decoded; whatever Pillow raises inside is a MediaError outside."""
    pil, bounds = library("PIL.Image", path), source.bounds
    with source.open(path) as file:
        length = file.seek(0, 2)
        if length > bounds.image_bytes:
            message = f"{path} is {size(length)}, and a picture may be {size(bounds.image_bytes)} at most"
            raise MediaError(message, "save it smaller, or raise Bounds.image_bytes.", path=path)
        file.seek(0)
        try:
            with pil.open(file, formats=(FORMATS[source.form],)) as picture:
                if picture.width * picture.height > bounds.pixels:
                    raise _huge(path, picture.size, bounds.pixels)
                yield picture
        except MediaError:
            raise
        except (pil.DecompressionBombError, pil.DecompressionBombWarning):
            raise _huge(path, None, bounds.pixels) from None
        except MemoryError as error:
            raise MediaError(f"{path} does not fit in memory", "save it smaller.", path=path) from error
        except Exception as error:  # whatever a damaged file makes Pillow do
            message = f"{path} cannot be read as {source.form.upper()}: {error}"[:300]
            raise MediaError(message, "it is damaged or cut short; save or download it again.", path=path) from error


def _huge(path: str, found: tuple[int, int] | None, most: int) -> MediaError:
    counted = f"{found[0]:,} x {found[1]:,} pixels" if found else "far more pixels"
    message = f"{path} says that it has {counted}, and {most:,} are the most"
    return MediaError(message, "save it smaller, or raise Bounds.pixels.", path=path)


def _frame(picture: Picture, number: int, box: Box | None, path: str) -> np.ndarray:
    """Decode one frame; JPEG is decoded no larger than the box needs."""
    if number or moving(picture):
        picture.seek(number)
    elif box and picture.format in ("JPEG", "MPO"):
        side = max(box)  # the picture may have to be turned
        picture.draft(None, (2 * side, 2 * side))
    picture.load()
    return pixels(picture, box)


def _count(picture: Picture, most: int) -> int:
    """How many frames there are, counted no further than ``most``: what the header says may be absurd, or take hours to find."""
    for number in range(most):
        try:
            picture.seek(number)
        except EOFError:
            return number
    return most


def _turn(picture: Picture) -> int:
    """The EXIF orientation, 1 to 8; a note that cannot be read turns nothing."""
    try:
        value = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # a damaged note is no reason to refuse the picture
        return 1
    return value if value in range(1, 9) else 1


def _coloured(picture: Picture) -> Picture:
    """8 bits each of red, green and blue, on white."""
    import PIL.Image

    if picture.mode in _DEEP:
        deep = np.asarray(picture).astype(np.uint32)  # 65535 is white
        return PIL.Image.fromarray(((np.minimum(deep, 65535) * 255 + 32767) // 65535).astype(np.uint8)).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        clear = picture.convert("RGBA")
        return PIL.Image.alpha_composite(PIL.Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")
