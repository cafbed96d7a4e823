"""The ``base`` recipe: the shipped weights. Hours on two cores, minutes on one GPU.

    pollux train base --data DIR
"""

from __future__ import annotations

from dataclasses import replace

from pollux.data.source import Corpus
from pollux.model.sizes import family
from pollux.recipes.laptop import stages
from pollux.recipes.mixtures import full_mixture
from pollux.tokens.vocabulary import Vocabulary
from pollux.train.loop import Run
from pollux.train.optimizer import OptimizerConfig


def base(corpus: Corpus, vocabulary: Vocabulary, seed: int = 0) -> Run:
    """7.1M parameters, of which a token meets 4.4M; wider and deeper than `laptop`, and trained on ten times as much."""
    plan = stages(full_mixture(corpus, vocabulary, seed), {256: 600, 512: 8300, 1024: 17200, 2048: 17900, 4096: 1500})
    model = replace(family()["base"], vocab_size=vocabulary.size)
    return Run("base", model, plan, OptimizerConfig(decay=0.6, floor=0.2), seed=seed, averaged=0.06)
