"""The ``base`` recipe: the shipped weights. Hours on two cores, minutes on one GPU.

    pollux train base --data DIR
"""

from __future__ import annotations

from dataclasses import replace

from pollux.data.source import Corpus
from pollux.recipes.laptop import laptop, stages
from pollux.recipes.mixtures import BROAD, RECALL, recall_mixture
from pollux.tokens.vocabulary import Vocabulary
from pollux.train.loop import Run


def base(corpus: Corpus, vocabulary: Vocabulary, seed: int = 0) -> Run:
    """The same model as `laptop`, over three times as long."""
    broad, recall = (recall_mixture(corpus, vocabulary, seed, diet) for diet in (BROAD, RECALL))
    plan = stages(broad, {256: 500, 512: 472}) + stages(recall, {512: 928, 1024: 1900, 2048: 800})
    return replace(laptop(corpus, vocabulary, seed), name="base", stages=plan)
