"""What the senses give: codes for what no words say, and words with their places.

Axis letters: R, C rows and columns of cells of a picture; N codes of sound, 25 a second.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pollux.media.segment import Region


class Word(NamedTuple):
    """A word that is read in a picture, and the part of the picture that it takes up."""

    text: str
    region: Region


class Seen(NamedTuple):
    """A picture: codes int32 [R, C], 0 to 1,023, and the words in it, in no order."""

    codes: np.ndarray
    words: tuple[Word, ...] = ()


class Said(NamedTuple):
    """A word that is heard, from when until when, in seconds."""

    text: str
    start: float
    end: float


class Heard(NamedTuple):
    """A stretch of sound, in seconds: codes int32 [N], 0 to 1,023, and the words that begin in it, in order."""

    start: float
    end: float
    codes: np.ndarray
    words: tuple[Said, ...] = ()
