"""Pictures as files in memory, PNG or JPEG, with names such as a user's have: what tasks about pictures are made of.

    pixels ─encoded→ Source ─picture→ Document (one Image)

Axis letters: H, W rows and columns of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from random import Random

import numpy as np

from pollux.media.image import FORMATS
from pollux.media.segment import Document
from pollux.media.senses import Image
from pollux.media.source import Source

_STEMS = "photo scan picture IMG holiday slide DSC view".split()
# How Pillow writes them: PNG fast, JPEG as well as cameras do.
_OPTIONS = {"png": {"compress_level": 3}, "jpeg": {"quality": 92}}
_FORMS = {"png": "png", "jpg": "jpeg"}


def names(rng: Random, count: int, endings: Sequence[str] = ("png", "jpg")) -> list[str]:
    """Names of picture files, each another, such as "scan-0412.png"."""
    numbers = rng.sample(range(max(10_000, count)), count)
    return [f"{rng.choice(_STEMS)}{rng.choice('-_')}{number:04}.{rng.choice(endings)}" for number in numbers]


def form(path: str) -> str:
    """What kind of file a name from `names` stands for, as `Source.form` calls it."""
    return _FORMS[path.rpartition(".")[2]]


def encoded(pixels: np.ndarray, form: str) -> Source:
    """A picture, uint8 [H, W, 3], as the bytes of a "png" or "jpeg" file."""
    from PIL import Image as Pictures

    out = BytesIO()
    Pictures.fromarray(pixels).save(out, FORMATS[form], **_OPTIONS[form])
    return Source(form, data=out.getvalue())


def picture(path: str, pixels: np.ndarray, source: Source | None = None) -> Document:
    """A picture, uint8 [H, W, 3], as a file of the kind that its name says, not yet seen. ``source``: its bytes, if known."""
    height, width = pixels.shape[:2]
    return Document(path, (Image(path, source or encoded(pixels, form(path)), width, height),))
