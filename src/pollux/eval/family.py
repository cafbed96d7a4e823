"""What a measurement is made of: the settings, and the families of tasks that are made from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pollux.data.source import Corpus
from pollux.tasks.task import Task

# What lengths count, and the one that is taken where none is given.
USUAL = {"tokens": 4000, "seconds": 180, "pictures": 100}


@dataclass(frozen=True)
class Wanted:
    """One measurement's settings.

    Attributes:
        tokens: Length of the contexts, in the family's unit. count: tokens of a text.
        depths: How many depths, from the beginning to the end of a context, evidence is set at.
        needles: Needles of a context. asked: how many of them one question asks for, None for all. shared: needles of a context, or
            requests that come several times, that are asked for one by one.
        in_place: Whether needles and facts take the place of words, so that all contexts of a length are alike but for them.
        facts: Facts in a context of `recall`, None for 10, and 50 from 64k tokens on.
        folders: Where the data is, for what is made of films, photographs and recordings.
    """

    corpus: Corpus
    tokens: int
    count: Callable[[str], int]
    seed: int = 1
    depths: int = 10
    needles: int = 1
    asked: int | None = None
    shared: int = 1
    in_place: bool = False
    facts: int | None = None
    phrasings: str = "train"
    folders: tuple[Path, ...] = ()

    @property
    def shares(self) -> tuple[float, ...]:
        """The depths, 0 to 1."""
        return tuple(i / (self.depths - 1) for i in range(self.depths)) if self.depths > 1 else (0.5,)


@dataclass(frozen=True)
class Family:
    """Tasks of one kind.

    Attributes:
        make: From a variant's name and the settings to the task.
        variants: Names; the first is taken where none is given, or all where ``all`` is set.
        reads: What of the data it is made of: "prose", "code", "pairs", "files" for what are no texts, or "" for nothing.
        unit: What its lengths count: "tokens", "seconds" or "pictures".
        own_length: Whether its texts have lengths of their own.
        exact: Whether the whole reply has to be the answer.
        settings: Those of `Wanted` that it uses and not all do.
        extra: Further scores as (name, function of question and reply, None where it says nothing of that question).
    """

    make: Callable[[str, Wanted], Task]
    variants: tuple[str, ...] = ("",)
    all: bool = False
    reads: str = "prose"
    unit: str = "tokens"
    own_length: bool = False
    exact: bool = False
    settings: tuple[str, ...] = ()
    extra: tuple[tuple[str, Callable], ...] = ()
