"""A fact of two halves, one said and one shown: a voice tells a keyword, and one of several slides what belongs to that word.

    heard at 1:12    "the secret keyword is maple"
    seen at 0:31     Number of the gate: 5502
    seen at 2:05     Number of the maple: 4711      asked: What is the number of the secret keyword?

Axis letters: H, W rows and columns of pixels; S samples, of which 16,000 are a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

import numpy as np

from pollux.media.segment import Document
from pollux.media.senses import RATE, Video
from pollux.media.source import Source
from pollux.tasks.lexicon import common
from pollux.tasks.sensed.films.film import Film
from pollux.tasks.sensed.films.video_needle import typefaces, written
from pollux.tasks.task import Example, Question

SAID, SHOWN, QUESTION = "The secret keyword is {}.", "Number of the {}: {}", "What is the number of the secret keyword?"
_PATH = "talk.mp4"


@dataclass(frozen=True)
class MixedNeedle:
    """Films of ``seconds`` frames with ``slides`` that show a number for a word each, one of which is said to be the keyword.

    Attributes:
        frames: What the film is made of, uint8 [H, W, 3] of one size (`footage.footage`), over and over.
        say: Gives a sentence as speech, float32 [S].
        fonts: Files of fonts to draw from; where none are named, the one that comes with matplotlib.
        size: How many examples there are.

    Raises:
        ValueError: when the film has no room for its slides.
    """

    frames: Sequence[np.ndarray]
    seconds: int
    say: Callable[[str, Random], np.ndarray]
    slides: int = 4
    fonts: tuple[Path, ...] = ()
    seed: int = 0
    size: int = 1_000_000

    def __post_init__(self):
        if self.slides < 2 or self.seconds < 2 * self.slides + 10:
            raise ValueError(f"{self.slides} slides, 2 or more, want a film of {2 * self.slides + 10} s, got {self.seconds} s")

    def __len__(self) -> int:
        return self.size

    def example(self, i: int) -> Example:
        """Example number ``i``: the film as a file in memory, not yet seen or heard."""
        rng = Random(f"{self.seed}/{i}")
        seconds = rng.sample(range(self.seconds), self.slides)
        words: list[str] = []
        while len(words) < self.slides:
            words += [word for word in (common(rng),) if word not in words]
        numbers = [str(number) for number in rng.sample(range(1000, 10_000), self.slides)]
        texts = [SHOWN.format(word, number) for word, number in zip(words, numbers, strict=True)]
        shown = {
            second: written(self._film.frame(second), text, rng, typefaces(self.fonts))
            for second, text in zip(seconds, texts, strict=True)
        }
        data = self._film.write(shown, self._sound(SAID.format(words[0]), rng))
        height, width = self.frames[0].shape[:2]
        film = Video(_PATH, Source("mp4", data=data), float(self.seconds), width, height, sound=True)
        moment = (seconds[0], seconds[0] + 1)
        asked = Question(QUESTION, numbers[0], None, "mixed_needle", moment=moment, depth=seconds[0] / self.seconds)
        return Example("", (asked,), documents=(Document(_PATH, (film,)),))

    def score(self, question: Question, reply: str) -> float:
        """1.0 when the reply holds the number; the way to it may be told too."""
        return float(question.answer in reply)

    def _sound(self, sentence: str, rng: Random) -> np.ndarray:
        """Silence as long as the film, float32 [S], with the sentence somewhere in it."""
        said, sound = self.say(sentence, rng), np.zeros(self.seconds * RATE, np.float32)
        said = said[: sound.size]
        start = rng.randrange(sound.size - said.size + 1)
        sound[start : start + said.size] = said
        return sound

    @cached_property
    def _film(self) -> Film:
        return Film(self.frames, self.seconds)
