"""Image files and arrays -> sRGB from 0 to 1, or an error that says why not.

Whatever Pillow opens is read: palettes, greyscale, 16 bits, CMYK; turned as its EXIF note says; what is transparent lies on white.

Axis letters: H, W rows and columns of pixels; C channels.
"""

from __future__ import annotations

import os

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from pollux.base.errors import MediaError

PIXELS = 100_000_000  # of the largest image
SIDE = 16  # pixels of the smallest
_DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # modes of one channel with more than 8 bits


def read(path: str | os.PathLike) -> np.ndarray:
    """A file's pixels: float32 [H, W, 3], sRGB, 0 to 1.

    Raises:
        MediaError: no image, a damaged one, one with several frames, or one that `checked` refuses.
        OSError: a file that cannot be opened.
    """
    name = os.fsdecode(path)
    try:
        with Image.open(path) as image:
            _check_kind(image, name)
            image.load()
            pixels = _pixels(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        hint = "give a photograph: PNG, JPEG, TIFF, WebP or another kind that Pillow opens"
        raise MediaError(f"{name} is no image that can be read", hint, path=name) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _huge(name) from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        what = f"{name} is damaged or cut short ({str(error).strip() or type(error).__name__})"
        raise MediaError(what, "copy or export it again", path=name) from error
    return checked(pixels, name)


def checked(image: np.ndarray, name: str = "the image") -> np.ndarray:
    """An array of pixels as float32 [H, W, 3] of sRGB from 0 to 1.

    Args:
        image: [H, W] or [H, W, C] with 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha) channels; uint8, uint16, bool, or
            floats from 0 to 1. What is transparent is laid on white.

    Raises:
        MediaError: another shape or dtype, sides under `SIDE`, more than `PIXELS`, NaN or infinity, floats outside 0 to 1, or a
            single colour.
    """
    image = np.asarray(image)
    image = image[..., None] if image.ndim == 2 else image
    if image.ndim != 3 or not 1 <= image.shape[2] <= 4:
        what = f"{name} needs rows, columns and 1 to 4 channels, got the shape {image.shape}"
        raise MediaError(what, "give [H, W, 3]", path=name)
    if min(image.shape[:2]) < SIDE:
        what = f"{name} is {image.shape[1]}x{image.shape[0]} pixels; {SIDE}x{SIDE} is the least"
        raise MediaError(what, "give a larger image", path=name)
    if image.shape[0] * image.shape[1] > PIXELS:
        raise _huge(name)
    image = _alone(_scaled(image, name))
    if np.ptp(image, axis=(0, 1)).max() < 1 / 512:  # half of what 8 bits can tell apart
        hint = "there is nothing to tell apart; give a photograph"
        raise MediaError(f"every pixel of {name} has the same colour", hint, path=name)
    return image


def _check_kind(image: Image.Image, name: str) -> None:
    if image.width * image.height > PIXELS:
        raise _huge(name)
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # a camera's second picture, behind the one that is meant
        raise MediaError(f"{name} holds {frames} frames, and one is segmented", "save the frame that you mean as PNG", path=name)


def _huge(name: str) -> MediaError:
    what = f"{name} has more than the {PIXELS // 1_000_000} million pixels that are read"
    return MediaError(what, "scale it down first", path=name)


def _pixels(image: Image.Image) -> np.ndarray:
    """What `checked` takes."""
    if image.mode in _DEEP:
        deep = np.asarray(image)
        if deep.dtype.kind == "f" or deep.size == 0:
            return deep
        return np.clip(deep, 0, 65535).astype(np.uint16)
    clear = "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa")
    return np.asarray(image.convert("RGBA" if clear else "RGB"))


def _scaled(image: np.ndarray, name: str) -> np.ndarray:
    """From 0 to 1, float32."""
    if image.dtype.kind in "ub" and image.dtype.itemsize <= 2:
        return image.astype(np.float32) / (1 if image.dtype == bool else np.iinfo(image.dtype).max)
    if image.dtype.kind != "f":
        raise MediaError(f"{name} has pixels of {image.dtype}", "give uint8, uint16, or floats from 0 to 1", path=name)
    if not np.isfinite(image).all():
        raise MediaError(f"{name} has pixels that are NaN or infinite", "look at what made them", path=name)
    if image.min() < 0 or image.max() > 1:
        what = f"{name} has floats from {image.min():.4g} to {image.max():.4g}"
        raise MediaError(what, "scale them to 0 to 1, or give uint8", path=name)
    return image.astype(np.float32)


def _alone(image: np.ndarray) -> np.ndarray:
    """Three channels: grey ones copied, alpha laid on white."""
    channels = image.shape[2]
    colour = image[..., : 1 if channels < 3 else 3]
    if channels in (2, 4):
        alpha = image[..., -1:]
        colour = colour * alpha + (1 - alpha)
    return np.ascontiguousarray(np.broadcast_to(colour, (*image.shape[:2], 3)))
