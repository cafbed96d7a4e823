"""What is written in training pictures: running text, numbers, times, names, invented words, and strings of any characters.

Everything is printable ASCII. What is drawn depends on nothing but the texts and the generator's state.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pollux.base.errors import ConfigError

_PLAIN = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "—": "-", "–": "-", "…": "..."})
_SYLLABLES = (
    "ba be bo da de di fa fi ga go ha he ka ki la le lo ma mi mo na ne no pa po ra re ri ro sa se ta te to va vi wo ya zu".split()
)
_ENDS = ("", "", "n", "r", "s", "t", "l", "x", "ck", "nd")
_MONTHS = "January February March April May June July August September October November December".split()
_SAID = ("The secret word is", "The password is", "The keyword is", "Remember:", "The code word is", "Today's word is")
_MARKS = (*"-_/.@*(%#[]<>", ": ", ", ", " & ", " + ", " = ", ") ", " | ", "; ", "! ", "? ")
_ANY = string.ascii_letters + string.digits + string.punctuation
# Of each file, characters: enough for variety, and a hundred novels stay small.
_READ = 120_000


@dataclass(frozen=True)
class Wording:
    """Texts to draw from, as words in their order."""

    words: tuple[str, ...]

    @classmethod
    def load(cls, folder: Path) -> Wording:
        """All ``*.txt`` of a folder and those below it. Raises ConfigError where there are none, or nothing is in them."""
        files = sorted(folder.rglob("*.txt"))
        words = tuple(word for path in files for word in plain(_middle(path)).split())
        if not words:
            raise ConfigError(f"{folder} holds no texts (*.txt) with words in them", "name a folder with some: novels, articles")
        return cls(words)

    def line(self, rng: np.random.Generator, length: int) -> str:
        """One line of no more than about ``length`` characters, never empty, with no space at either end."""
        kind = _KINDS[rng.choice(len(_KINDS), p=_CHANCES)]
        return _cased(rng, kind(self, rng, length)).strip() or "a"

    def run(self, rng: np.random.Generator, count: int) -> list[str]:
        """``count`` words of a text in their order, as they stand there."""
        start = int(rng.integers(max(len(self.words) - count, 1)))
        return list(self.words[start : start + count])

    def word(self, rng: np.random.Generator) -> str:
        """A word of a text without what stands around it, in lower case, or an invented one."""
        found = self.words[rng.integers(len(self.words))].strip(string.punctuation).lower()
        return found if found and rng.random() < 0.8 else invented(rng)


def plain(text: str) -> str:
    """Text with typewriter's quotes and dashes; what is not printable ASCII even so becomes a space."""
    return re.sub("[^ -~]+", " ", text.translate(_PLAIN))


def invented(rng: np.random.Generator) -> str:
    """A word that nobody ever said."""
    parts = [_SYLLABLES[i] for i in rng.integers(len(_SYLLABLES), size=rng.integers(2, 4))]
    return "".join(parts) + _ENDS[rng.integers(len(_ENDS))]


def _middle(path: Path) -> str:
    """Of a long text its middle: notices stand at either end."""
    text = path.read_text(encoding="utf-8", errors="ignore")
    start = max((len(text) - _READ) // 2, 0)
    return text[start : start + _READ]


def _running(wording: Wording, rng: np.random.Generator, length: int) -> str:
    return fitted(wording.run(rng, 2 + length // 3), int(rng.integers(min(4, length), length + 1)))


def fitted(words: Sequence[str], length: int) -> str:
    """As many of the first words as fit into so many characters; at least a part of the first."""
    line = words[0][:length]
    for word in words[1:]:
        if len(line) + 1 + len(word) > length:
            break
        line += " " + word
    return line


def _single(wording: Wording, rng: np.random.Generator, length: int) -> str:
    return wording.word(rng)[:length]


def _said(wording: Wording, rng: np.random.Generator, length: int) -> str:
    lead = _SAID[rng.integers(len(_SAID))]
    quote = ("", "", '"')[rng.integers(3)]
    return f"{lead} {quote}{wording.word(rng)}{quote}{('', '.')[rng.integers(2)]}"


def _number(wording: Wording, rng: np.random.Generator, length: int) -> str:
    n = int(rng.integers(10 ** int(rng.integers(1, 8))))
    forms = (
        f"{n}",
        f"{n:,}",
        f"{n / 100:.2f}",
        f"${n / 100:,.2f}",
        f"{n % 1000 / 10:.1f}%",
        f"-{n}",
        f"#{n}",
        f"{n % 100}/{n % 97}",
    )
    return forms[rng.integers(len(forms))]


def _time(wording: Wording, rng: np.random.Generator, length: int) -> str:
    h, m, s, day, year = (int(rng.integers(n)) for n in (24, 60, 60, 28, 200))
    month, year = int(rng.integers(12)), year + 1850
    name, short = _MONTHS[month], _MONTHS[month][:3]
    forms = (
        f"{h:02}:{m:02}", f"{h:02}:{m:02}:{s:02}", f"{h % 12 + 1}:{m:02} {'AP'[h // 12]}M",
        f"{year}-{month + 1:02}-{day + 1:02}", f"{day + 1} {name} {year}", f"{short} {day + 1}, {year}",
        f"{month + 1}/{day + 1}/{year % 100:02}",
    )  # fmt: skip
    return forms[rng.integers(len(forms))]


def _listed(wording: Wording, rng: np.random.Generator, length: int) -> str:
    """What stands on signs, in tables and in programs: names with marks between them."""
    parts = [wording.word(rng) if rng.random() < 0.8 else str(rng.integers(1000)) for _ in range(rng.integers(2, 4))]
    return "".join(part + _MARKS[rng.integers(len(_MARKS))] for part in parts[:-1]) + parts[-1]


def _any(wording: Wording, rng: np.random.Generator, length: int) -> str:
    """Characters of every kind, so that none is rare."""
    count = int(rng.integers(1, min(length, 14) + 1))
    return "".join(_ANY[i] for i in rng.integers(len(_ANY), size=count))


_Kind = Callable[[Wording, np.random.Generator, int], str]
_KINDS: tuple[_Kind, ...] = (_running, _single, _said, _number, _time, _listed, _any)
_CHANCES = (0.5, 0.12, 0.08, 0.1, 0.07, 0.06, 0.07)


def _cased(rng: np.random.Generator, text: str) -> str:
    """Mostly as it is; else all capitals, or Every Word Begun With One."""
    chance = rng.random()
    return text.upper() if chance < 0.12 else string.capwords(text) if chance < 0.2 else text
