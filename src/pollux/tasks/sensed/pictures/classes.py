"""Classes learned in context: a few small pictures of each, every one followed by its class's name, and then one without.

    photo-0412.png, cat, scan_0077.png, ship, …, view-3105.png        asked: What is shown in view-3105.png?

Axis letters: S pixels to a side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

import numpy as np

from pollux.media.segment import Document, Text
from pollux.tasks.sensed.pictures.files import names, picture
from pollux.tasks.task import Example, Question, exact

QUESTION = "What is shown in {}?"
# A picture, uint8 [S, S, 3], and the name of its class.
Labelled = tuple[np.ndarray, str]


@dataclass(frozen=True)
class ImageClasses:
    """PNG files of all classes with their names behind them, in any order, and one more to be named.

    Attributes:
        labelled: Pictures to show with their names.
        queries: Pictures to ask about; example ``i`` is about class number ``i``, going round.
        side: Pixels to a side to which pictures are enlarged, as those were that codes were learned from.
        shots: Pictures of each class that are shown.
        size: How many examples there are.
    """

    labelled: Sequence[Labelled]
    queries: Sequence[Labelled]
    side: int
    shots: int = 1
    seed: int = 0
    size: int = 1_000_000

    def __post_init__(self):
        few = [name for name, pictures in self._labelled.items() if len(pictures) < self.shots]
        if self.shots < 1 or few or not self._labelled:
            got = f"{self.shots} of {len(self._labelled)} classes, and too few pictures of {', '.join(few) or 'none'}"
            raise ValueError(f"one picture or more of each class is shown, got {got}; ask for fewer shots, or give more pictures")
        if self._labelled.keys() != self._queries.keys():
            odd = ", ".join(sorted(self._labelled.keys() ^ self._queries.keys()))
            raise ValueError(f"classes are shown and asked for, got {odd} for one of the two; give pictures of each class to both")

    def __len__(self) -> int:
        return self.size

    def example(self, i: int) -> Example:
        """Example number ``i``: the files in memory, not yet seen."""
        rng = Random(f"{self.seed}/{i}")
        classes = list(self._labelled)
        shown = [(pixels, name) for name, pictures in self._labelled.items() for pixels in rng.sample(pictures, self.shots)]
        rng.shuffle(shown)
        *paths, asked = names(rng, len(shown) + 1, ("png",))
        documents = [self._named(path, *each) for path, each in zip(paths, shown, strict=True)]
        wanted = classes[i % len(classes)]
        documents.append(self._picture(asked, rng.choice(self._queries[wanted])))
        return Example("", (Question(QUESTION.format(asked), wanted, None, "image_classes"),), documents=tuple(documents))

    def score(self, question: Question, reply: str) -> float:
        """1.0 when the reply is the class's name."""
        return exact(question, reply)

    def _named(self, path: str, pixels: np.ndarray, name: str) -> Document:
        """A picture and, behind it, its class."""
        return Document(path, (*self._picture(path, pixels).segments, Text(path, f"{name}\n")))

    def _picture(self, path: str, pixels: np.ndarray) -> Document:
        from PIL import Image

        return picture(path, np.asarray(Image.fromarray(pixels).resize((self.side, self.side), Image.Resampling.BILINEAR)))

    @cached_property
    def _labelled(self) -> dict[str, list[np.ndarray]]:
        return _by_class(self.labelled)

    @cached_property
    def _queries(self) -> dict[str, list[np.ndarray]]:
        return _by_class(self.queries)


def _by_class(pictures: Sequence[Labelled]) -> dict[str, list[np.ndarray]]:
    """Pictures by the name of their class, names in order."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in sorted({name for _, name in pictures})}
    for pixels, name in pictures:
        found[name].append(pixels)
    return found
