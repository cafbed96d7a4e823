"""Films and photographs of a folder as frames of one size, for films that things are hidden in.

Axis letters: H, W rows and columns of pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from pollux.base.errors import ConfigError
from pollux.media import image, video
from pollux.media.decode import Senses, read
from pollux.media.senses import Image, Video

SIZE = (426, 240)  # across and down
_RATE = 2.0  # frames a second of each film: what is shown as one second apart is half of that
_OF_EACH = 120


def footage(folders: Sequence[Path], most: int = 600) -> list[np.ndarray]:
    """Frames, uint8 [240, 426, 3], film after film, then the photographs; cut at the sides where their shape is another.

    Raises:
        ConfigError: when there is nothing to see in the folders.
    """
    found = list(islice(_frames(folders), most))
    if not found:
        names = ", ".join(map(str, folders))
        raise ConfigError(f"there are no films or photographs in {names}", "name a folder with some: --data DIR")
    return found


def _frames(folders: Sequence[Path]) -> Iterator[np.ndarray]:
    documents = read(list(folders), senses=Senses()).documents
    segments = [segment for document in documents for segment in document.segments]
    for film in segments:
        if isinstance(film, Video):
            yield from (_cut(frame.pixels) for frame in islice(video.look(replace(film, rate=_RATE)), _OF_EACH))
    yield from map(_cut, image.look([segment for segment in segments if isinstance(segment, Image) and segment.page is None]))


def _cut(pixels: np.ndarray) -> np.ndarray:
    """The middle of a picture, as large as a frame."""
    from PIL import Image as Pictures
    from PIL import ImageOps

    return np.asarray(ImageOps.fit(Pictures.fromarray(pixels), SIZE, Pictures.Resampling.BICUBIC))
