"""Words that are known, by which what was heard is spelled: of all that are about like it, the one that the sound fits best.

Letters are heard one by one, without knowing what words there are; a lexicon knows nothing else. A word that is not in it may
still be what was said, a name, and stays where the sound is plainly it.

Axis letters: T steps of 20 ms; L symbols of the net; C candidates; S states, which are the letters with nothing before, between
and behind them; N words.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from pollux.perception.known import known

NOTHING, SPACE = 0, 1
ALPHABET = " 'abcdefghijklmnopqrstuvwxyz"  # of symbols from 1 on
_CANDIDATES, _LONGER = 200, 4  # words that are tried; letters that they are longer or shorter by, at most
_UNHEARD = -30.0  # the least log-probability: a symbol may be missed altogether
_COMMON = 0.8  # what a word's being common counts beside the sound, in nats for a nat
_UNKNOWN = 6.0  # nats that a word which is not known has to be the likelier by


class Lexicon:
    """Words, the commonest first. Raises ValueError where one of them cannot be spelled, or there are none."""

    def __init__(self, words: Sequence[str]) -> None:
        if not words or any(not word or set(word) - set(ALPHABET[1:]) for word in words):
            raise ValueError(f"a lexicon wants words of a to z and apostrophes, got {len(words)}; leave the others out")
        self.words, self._known = list(words), set(words)
        self._counts_NL, self._lengths_N = _counted(words), np.array([len(word) for word in words])
        # Zipf's law: the commonest hundred or so are about alike
        self._prior_N = -np.log(np.arange(len(words), dtype=np.float32) + 100) * _COMMON

    def spelled(self, heard: str, chances_TL: np.ndarray) -> str:
        """The word that was said where the likeliest symbols give ``heard``.

        Args:
            chances_TL: Log-probabilities of symbols, float [T, L], from a little before its first letter to a little behind it.
        """
        chances_TL = np.maximum(chances_TL.astype(np.float32), _UNHEARD)
        # the spaces around a word belong to it as silence does
        chances_TL[:, NOTHING] = np.logaddexp(chances_TL[:, NOTHING], chances_TL[:, SPACE])
        near = np.flatnonzero(np.abs(self._lengths_N - len(heard)) <= _LONGER)
        near = near if near.size else np.arange(len(self.words))
        unlike = np.abs(self._counts_NL[near] - _counted([heard])).sum(1, dtype=np.int16)
        some = near[np.argpartition(unlike, min(_CANDIDATES, len(near) - 1))[:_CANDIDATES]]
        candidates, prior = [self.words[i] for i in some], self._prior_N[some]
        if heard not in self._known:
            candidates, prior = [*candidates, heard], np.append(prior, self._prior_N[-1] - _UNKNOWN)
        return candidates[int(np.argmax(fits(candidates, chances_TL) + prior))]


def _counted(words: Sequence[str]) -> np.ndarray:
    """How often each has each symbol, int8 [N, L]."""
    return np.array([[0, *map(word.count, ALPHABET)] for word in words], np.int8)


def fits(words: Sequence[str], chances_TL: np.ndarray) -> np.ndarray:
    """The log-probability of the likeliest way of saying each word in these steps, float32 [C] (Viterbi's over the states of
    connectionist temporal classification)."""
    lengths = np.array([2 * len(word) + 1 for word in words])
    states_CS = np.zeros((len(words), lengths.max()), np.int64)
    for row, word in zip(states_CS, words, strict=True):
        row[1 : 2 * len(word) : 2] = _symbols(word)
    # from one letter to the next without a pause, unless they are the same
    skips_CS = np.zeros(states_CS.shape, bool)
    skips_CS[:, 3::2] = states_CS[:, 3::2] != states_CS[:, 1:-2:2]
    said_TCS = chances_TL[:, states_CS]
    best_CS = np.full(states_CS.shape, -np.inf, np.float32)
    best_CS[:, :2] = said_TCS[0, :, :2]
    for said_CS in said_TCS[1:]:
        before_CS = best_CS.copy()
        np.maximum(best_CS[:, 1:], before_CS[:, :-1], out=best_CS[:, 1:])
        np.maximum(best_CS[:, 2:], np.where(skips_CS[:, 2:], before_CS[:, :-2], -np.inf), out=best_CS[:, 2:])
        best_CS += said_CS
    rows = np.arange(len(words))
    return np.maximum(best_CS[rows, lengths - 1], best_CS[rows, lengths - 2])


def _symbols(word: str) -> list[int]:
    return [ALPHABET.index(letter) + 1 for letter in word]


@cache
def shipped() -> Lexicon:
    """The words of `perception.known`."""
    return Lexicon(list(known()))
