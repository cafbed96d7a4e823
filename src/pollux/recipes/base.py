"""The ``base`` recipe: the shipped weights. Hours on two cores, minutes on one GPU.

    pollux train base --data DIR
"""

from __future__ import annotations

from dataclasses import replace

from pollux.data.source import Corpus
from pollux.model.sizes import family
from pollux.recipes.laptop import stages
from pollux.recipes.mixtures import recall_mixture
from pollux.tokens.vocabulary import Vocabulary
from pollux.train.loop import Run
from pollux.train.optimizer import OptimizerConfig


def base(corpus: Corpus, vocabulary: Vocabulary, seed: int = 0) -> Run:
    """5.1M parameters, of which a token meets 3.3M; wider than `laptop`, and trained on five times as much."""
    plan = stages(recall_mixture(corpus, vocabulary, seed), {256: 600, 512: 6800, 1024: 11400, 2048: 8300})
    model = replace(family()["base"], vocab_size=vocabulary.size)
    return Run("base", model, plan, OptimizerConfig(decay=0.6), seed=seed)
