"""Texts as vectors: the mean of a model's last hidden states, of length one.

Axis letters: T tokens, W width.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from pollux.base.programs import Program
from pollux.engine.runner import Runner
from pollux.kernels.attention import Sight
from pollux.model.sizes import ModelConfig
from pollux.model.transformer import forward

# Tokens that are taken at once; a longer text is the mean over its parts.
PART = 512


class Embedder:
    """A runner's model as one that gives vectors."""

    def __init__(self, runner: Runner) -> None:
        self._params, self._sum = runner.params, Program(_sum, config=runner.config)
        self.width = runner.config.width

    def __call__(self, ids: np.ndarray) -> np.ndarray:
        """The vector of a text's tokens int32 [T], at least one: float32 [W]."""
        total = np.zeros(self.width, np.float64)
        for at in range(0, ids.size, PART):
            tokens = np.zeros((1, PART), np.int32)
            part = ids[at : at + PART]
            tokens[0, : part.size] = part
            total += np.asarray(self._sum(self._params, tokens, np.int32(part.size)), np.float64)
        return (total / np.linalg.norm(total)).astype(np.float32)


def _sum(params, tokens, count, *, config: ModelConfig) -> jax.Array:
    """The hidden states of the first ``count`` tokens, added up: float32 [W]."""
    place = jnp.arange(tokens.shape[1])[None, :]
    sight = Sight(place, jnp.where(place < count, 0, -1))
    hidden_TW = forward(params, config, tokens, sight, window=config.look_back).hidden[0]
    return jnp.where(place[0, :, None] < count, hidden_TW, 0.0).sum(0)
