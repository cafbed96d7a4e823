"""The ``laptop`` recipe: about 35 minutes on two cores to a model that answers.

    pollux train laptop --data DIR
"""

from __future__ import annotations

from dataclasses import replace

from pollux.data.source import Corpus
from pollux.model.sizes import family
from pollux.recipes.mixtures import recall_mixture
from pollux.tokens.vocabulary import Vocabulary
from pollux.train.loop import Run, Stage
from pollux.train.optimizer import OptimizerConfig

# Tokens per step, whatever the length of its rows. Steps count for more than tokens here: with 8,192 a model needs about as many
# steps to learn to recall, and each takes nearly twice as long.
STEP_TOKENS = 4096


def stages(mixture, plan: dict[int, int]) -> tuple[Stage, ...]:
    """One stage per length of ``plan`` (row length -> steps), each step reading `STEP_TOKENS` tokens."""
    return tuple(Stage(steps, STEP_TOKENS // length, length, mixture) for length, steps in plan.items())


def laptop(corpus: Corpus, vocabulary: Vocabulary, seed: int = 0) -> Run:
    """3.2M parameters, of which a token meets 2.0M; rows grow from 256 to 1,024 tokens: recall is learned fastest in short ones."""
    plan = stages(recall_mixture(corpus, vocabulary, seed), {256: 600, 512: 2000, 1024: 1400})
    model = replace(family()["laptop"], vocab_size=vocabulary.size)
    return Run("laptop", model, plan, OptimizerConfig(), seed=seed)
