"""Typefaces from folders: which of a folder's files are whole alphabets, and what is known of their letters.

A file is taken when it draws every letter and digit, and small letters that hang below the line: where small letters are small
capitals, nobody could tell what was meant.
"""

from __future__ import annotations

import string
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import ImageFont

from pollux.base.errors import ConfigError

_KINDS = (".ttf", ".otf", ".pfb")
_NEEDED = string.ascii_letters + string.digits
_SIZE = 24  # at which faces are looked at
_MISSING = "\ufffe"  # a noncharacter: no font draws it


@dataclass(frozen=True)
class Face:
    """One font file: where it is, the first word of its family's name, and the printable ASCII that it can draw."""

    path: Path
    family: str
    characters: frozenset[str]

    def at(self, size: int) -> ImageFont.FreeTypeFont:
        """The font at so many pixels to the em."""
        return _font(self.path, size)

    def draws(self, text: str) -> str:
        """The text without what the face cannot draw."""
        return "".join(c for c in text if c == " " or c in self.characters)


@dataclass(frozen=True)
class Fonts:
    """Faces by family; every family is as likely as any other, whatever the number of its faces."""

    families: tuple[tuple[Face, ...], ...]

    @classmethod
    def load(cls, folders: Iterable[Path]) -> Fonts:
        """All faces of some folders and those below them. Raises ConfigError where there are none that can be used."""
        folders = list(folders)
        files = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in _KINDS)
        by_family: dict[str, list[Face]] = {}
        for path in files:
            if (face := look(path)) is not None:
                by_family.setdefault(face.family, []).append(face)
        if not by_family:
            names = ", ".join(map(str, folders))
            raise ConfigError(f"no font in {names} draws all letters and digits", "name folders with fonts (*.ttf, *.otf, *.pfb)")
        return cls(tuple(tuple(by_family[name]) for name in sorted(by_family)))

    def draw(self, rng: np.random.Generator) -> Face:
        family = self.families[rng.integers(len(self.families))]
        return family[rng.integers(len(family))]


def look(path: Path) -> Face | None:
    """A font file as a face; None where it is damaged or lacks letters or digits."""
    try:
        font = _font(path, _SIZE)
        family = (font.getname()[0] or path.stem).split(" ")[0]
        missing = _ink(font, _MISSING)
        drawn = frozenset(c for c in map(chr, range(33, 127)) if _ink(font, c) not in (missing, _NOTHING))
    except (OSError, ValueError, MemoryError):  # what FreeType says of a damaged file
        return None
    hangs = all(font.getbbox(c, anchor="ls")[3] > font.getbbox("x", anchor="ls")[3] + _SIZE * 0.08 for c in "gpqy")
    return Face(path, family, drawn) if hangs and drawn.issuperset(_NEEDED) else None


_Ink = tuple[tuple[int, int], bytes]
_NOTHING: _Ink = ((0, 0), b"")


def _ink(font: ImageFont.FreeTypeFont, text: str) -> _Ink:
    mask = font.getmask(text, mode="L")
    return (mask.size, bytes(mask)) if mask.getbbox() else _NOTHING


@lru_cache(maxsize=512)
def _font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size)
