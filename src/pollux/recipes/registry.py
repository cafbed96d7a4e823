"""The recipes by name. A recipe's own module is imported when it is built, so that listing them does not import jax."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pollux.data.source import Corpus
    from pollux.tokens.vocabulary import Vocabulary
    from pollux.train.loop import Run


@dataclass(frozen=True)
class Recipe:
    """What a recipe makes, in a line, and the function that makes the run of a corpus, a vocabulary and a seed."""

    summary: str
    build: Callable[[Corpus, Vocabulary, int], Run]


def _laptop(corpus: Corpus, vocabulary: Vocabulary, seed: int) -> Run:
    from pollux.recipes.laptop import laptop

    return laptop(corpus, vocabulary, seed)


def _base(corpus: Corpus, vocabulary: Vocabulary, seed: int) -> Run:
    from pollux.recipes.base import base

    return base(corpus, vocabulary, seed)


def _further(corpus: Corpus, vocabulary: Vocabulary, seed: int) -> Run:
    from pollux.recipes.further import further

    return further(corpus, vocabulary, seed)


RECIPES = {
    "laptop": Recipe("a small model that answers: about 35 minutes on two cores", _laptop),
    "base": Recipe("the weights that come with Pollux: hours on two cores, minutes on a GPU", _base),
    "further": Recipe("from the weights that come with Pollux, on texts of your own", _further),
}
