"""Reading what is written in pictures: a few photographs, each with some words of a text over it, asked for one by one.

Axis letters: H, W rows and columns of pixels.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from pollux.tasks.prose import passage
from pollux.tasks.sensed.edits import error_rate
from pollux.tasks.sensed.films.video_needle import typefaces, written
from pollux.tasks.sensed.pictures.files import names, picture
from pollux.tasks.task import Example, NoExample, Question, exact, normalise

QUESTION = "What does {} say?"
_WORDS = (2, 6)
_PASSAGE = 400  # characters from which words are taken
_LONGEST = 40  # characters of a line: on a frame of 426 pixels these are still 18 pixels high


@dataclass(frozen=True)
class ImageText:
    """A few picture files with one line each, and a question about each.

    Attributes:
        frames: What they show, uint8 [H, W, 3] (`footage.footage`).
        texts: Running text, whose words are written.
        pictures: Files of an example.
        fonts: Files of fonts to draw from; where none are named, the one that comes with matplotlib.
        size: How many examples there are.
    """

    frames: Sequence[np.ndarray]
    texts: Sequence[str]
    pictures: int = 4
    fonts: tuple[Path, ...] = ()
    seed: int = 0
    size: int = 1_000_000

    def __post_init__(self):
        if self.pictures < 1 or not len(self.frames) or not len(self.texts):
            got = f"{self.pictures} of {len(self.frames)} frames and {len(self.texts)} texts"
            raise ValueError(f"reading wants a picture or more with words in it, got {got}; give some of each")

    def __len__(self) -> int:
        return self.size

    def example(self, i: int) -> Example:
        """Example number ``i``: the files in memory, not yet seen. Raises NoExample where a text has no words to write."""
        rng = Random(f"{self.seed}/{i}")
        documents, questions = [], []
        for path in names(rng, self.pictures):
            text = _line(rng.choice(self.texts), rng)
            documents.append(picture(path, written(rng.choice(self.frames), text, rng, typefaces(self.fonts))))
            questions.append(Question(QUESTION.format(path), text, None, "image_text"))
        return Example("", tuple(questions), documents=tuple(documents))

    def score(self, question: Question, reply: str) -> float:
        """1.0 when the reply is what is written, capitals and closing punctuation aside."""
        return exact(question, reply)


def word_errors(question: Question, reply: str) -> float:
    """Words that are wrong, missing or too many, as a share of the answer's; 1 at the most."""
    return error_rate(normalise(reply).split(), normalise(question.answer).split())


def character_errors(question: Question, reply: str) -> float:
    """Likewise of characters, the spaces between words among them."""
    return error_rate(normalise(reply), normalise(question.answer))


def _line(text: str, rng: Random) -> str:
    """Some words of a text, as many as fit into a line; of those alone that are ASCII, which is what sight can read."""
    words = [word for word in passage(text, rng, _PASSAGE).split() if word.isascii() and word.isprintable()]
    if len(words) < _WORDS[1]:
        raise NoExample(f"a passage has {len(words)} words that can be written, and {_WORDS[1]} are wanted")
    first = rng.randrange(len(words) - _WORDS[1] + 1)
    line = " ".join(words[first : first + rng.randint(*_WORDS)])
    return textwrap.shorten(line, _LONGEST, placeholder="", break_on_hyphens=False)
