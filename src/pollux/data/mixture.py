"""Weighted sources, mixed by a seed: batch number n is a pure function of (seed, n), so a step number is the whole position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from pollux.base.errors import ConfigError
from pollux.data.pack import pack
from pollux.tasks.prose import passage
from pollux.tasks.task import Examples, NoExample
from pollux.tokens import template
from pollux.tokens.stream import Batch, Lesson
from pollux.tokens.vocabulary import Vocabulary

# Examples that come out longer than the room left in a row are drawn again this often before running text takes the room.
_TRIES = 6
# Running text takes at least this many tokens of a row, where there is room.
_PASSAGE = 128


@dataclass(frozen=True)
class Source:
    """Something to learn from: a task, or texts to predict (exactly one of the two), and how often it is drawn.

    Attributes:
        size: Tokens that its examples take, where they are all of a length: it is drawn only where a row has room for so many.
    """

    name: str
    weight: float
    task: Examples | None = None
    texts: Sequence[str] = ()
    size: int = 0

    def __post_init__(self) -> None:
        if (self.task is None) == (not self.texts):
            raise ConfigError(f"source {self.name!r} needs either a task or texts", "give exactly one of the two")


@dataclass(frozen=True)
class Mixture:
    """Sources with weights. At least one source must be texts: it fills the rest of every row."""

    sources: tuple[Source, ...]
    vocabulary: Vocabulary
    seed: int = 0
    scored: float = 0.25

    def __post_init__(self) -> None:
        if not any(source.texts for source in self.sources):
            raise ConfigError("a mixture needs a source of running text to fill its rows", "add a folder with text files")

    def batch(self, number: int, rows: int, length: int) -> Batch:
        """Batch ``number``: the same for the same seed, whoever asks and whenever."""
        batch = pack(self._draw, Random(f"{self.seed}/{number}"), rows, length, self.scored, self.vocabulary.size)
        return batch if any(source.task for source in self.sources) else batch._replace(source=None, passage=None)

    def _draw(self, rng: Random, room: int) -> Lesson:
        fit = [source for source in self.sources if source.size <= room]
        weights = [source.weight for source in fit]
        for _ in range(_TRIES):
            source = rng.choices(fit, weights)[0]
            if source.task is None:
                return self._text(source, rng, rng.randint(min(_PASSAGE, room), room))
            try:
                lesson = template.example(self.vocabulary, source.task.example(rng.randrange(len(source.task))))
            except NoExample:  # no English sentences to take a word from, say
                continue
            if lesson.size <= room:
                return lesson
        texts = [source for source in self.sources if source.texts]
        return self._text(rng.choices(texts, [s.weight for s in texts])[0], rng, room)

    def _text(self, source: Source, rng: Random, room: int) -> Lesson:
        text = passage(rng.choice(source.texts), rng, room * 6)
        return Lesson(*(column[:room] for column in template.plain(self.vocabulary, text)))
