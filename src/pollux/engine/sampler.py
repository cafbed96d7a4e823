"""Logits to token ids, one row at a time, in numpy: a row's choice never depends on its neighbours.

Axis letters: V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pollux.engine.request import Sampling


def choose(logits_V: np.ndarray, sampling: Sampling, rng: np.random.Generator) -> int:
    """The next token. Greedy at temperature 0; the lowest id wins a tie."""
    if sampling.temperature == 0:
        return int(logits_V.argmax())
    return int(rng.choice(logits_V.size, p=probabilities(logits_V, sampling)))


def probabilities(logits_V: np.ndarray, sampling: Sampling) -> np.ndarray:
    """float64 [V]: softmax at the temperature, cut to the ``top_k`` likeliest, then to the fewest that reach ``top_p``."""
    scaled_V = logits_V.astype(np.float64) / sampling.temperature
    order_V = np.argsort(-scaled_V, kind="stable")
    p_V = np.exp(scaled_V[order_V] - scaled_V[order_V[0]])
    if sampling.top_k:
        p_V[sampling.top_k :] = 0
    p_V /= p_V.sum()
    # a token is kept while those before it have not yet reached top_p
    p_V[np.cumsum(p_V) - p_V >= sampling.top_p] = 0
    out_V = np.empty_like(p_V)
    out_V[order_V] = p_V / p_V.sum()
    return out_V


def penalised(logits_V: np.ndarray, produced: Sequence[int], sampling: Sampling) -> np.ndarray:
    """The logits less the penalties of tokens that were produced before; the same array where there are none."""
    if not produced or not (sampling.presence or sampling.frequency):
        return logits_V
    tokens, times = np.unique(np.asarray(produced), return_counts=True)
    less_V = logits_V.copy()
    less_V[tokens] -= (sampling.presence + sampling.frequency * times).astype(less_V.dtype)
    return less_V


def log_probabilities(logits_V: np.ndarray) -> np.ndarray:
    """float64 [V]: natural logarithms of the softmax."""
    logits_V = logits_V.astype(np.float64)
    above_V = logits_V - logits_V.max()
    return above_V - np.log(np.exp(above_V).sum())
