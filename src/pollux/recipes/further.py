"""The ``further`` recipe: from the shipped weights on, as the last of the runs that made them went on from the ones before.

pollux train further --data DIR
"""

from __future__ import annotations

from dataclasses import replace

from pollux.base.models import DEFAULT, find
from pollux.data.source import Corpus
from pollux.model.sizes import family
from pollux.recipes.laptop import stages
from pollux.recipes.mixtures import full_mixture
from pollux.tokens.vocabulary import Vocabulary
from pollux.train.loop import Run
from pollux.train.optimizer import OptimizerConfig


def further(corpus: Corpus, vocabulary: Vocabulary, seed: int = 0) -> Run:
    """The model of `base`. Each such run ends about where it began, and the average of what it passes through is better."""
    plan = stages(full_mixture(corpus, vocabulary, seed), {2048: 300, 4096: 700})
    model = replace(family()["base"], vocab_size=vocabulary.size)
    optimizer = OptimizerConfig(warmup=100, decay=0.85, floor=0.2)
    return Run("further", model, plan, optimizer, seed=seed, averaged=0.5, begin=find(DEFAULT))
