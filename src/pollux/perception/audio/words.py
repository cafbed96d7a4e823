"""Symbols of the net, moment by moment, as words with their times.

The net says most of the time "nothing", and each letter, or the space behind a word, at about the moment when it is heard; the same
symbol in moments that follow each other is one (connectionist temporal classification, decoded greedily). A lexicon spells it.

Axis letters: T steps of 20 ms; L symbols.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pollux.perception.audio.lexicon import ALPHABET, NOTHING, SPACE, Lexicon
from pollux.perception.percepts import Said

STEP = 0.02  # seconds
_SILENCE = 50  # steps without a letter that end a word
_LONGEST = 250  # steps of a word, so that no noise is one without an end
_AROUND = 2  # steps before and behind a word in which its letters may sound


class Words:
    """Gives words as steps come: ``feed`` them in order, then ``finish``."""

    def __init__(self, lexicon: Lexicon | None = None) -> None:
        self._lexicon = lexicon
        self._step, self._last = 0, NOTHING
        self._letters, self._first, self._end = "", 0, 0
        self._chances, self._from = np.zeros((0, len(ALPHABET) + 1), np.float16), 0  # since step number ``_from``

    @property
    def since(self) -> float | None:
        """When the word that is not whole yet began, seconds from the first step; None where there is none."""
        return self._first * STEP if self._letters else None

    def feed(self, chances_TL: np.ndarray) -> list[Said]:
        """Take log-probabilities of each step's symbols, float [T, L]; gives the words that ended in them."""
        symbols_T, found = chances_TL.argmax(-1), []
        self._chances = np.concatenate([self._chances, chances_TL])
        for place in np.flatnonzero(np.diff(symbols_T, prepend=self._last)):
            if (symbol := int(symbols_T[place])) != NOTHING:
                found += self._heard(symbol, self._step + int(place))
        # a letter may sound on, and what follows it is what ends it
        self._step, self._last = self._step + len(symbols_T), int(symbols_T[-1]) if len(symbols_T) else self._last
        if self._letters and self._step - self._end > _SILENCE:
            found += self.finish()
        self._forget()
        return found

    def finish(self) -> list[Said]:
        """The word that no space has ended, if there is one."""
        word, self._letters = self._letters.strip("'"), ""
        return [Said(self._spelled(word), self._first * STEP, self._end * STEP)] if word else []

    def _heard(self, symbol: int, step: int) -> Iterator[Said]:
        if symbol == SPACE:
            self._end = max(self._end, step) if self._letters else self._end
            yield from self.finish()
            return
        if self._letters and (step - self._end > _SILENCE or step - self._first >= _LONGEST):
            yield from self.finish()
        if not self._letters:
            self._first = step
        self._letters, self._end = self._letters + ALPHABET[symbol - 1], step + 1

    def _spelled(self, word: str) -> str:
        if self._lexicon is None:
            return word
        first, end = max(self._first - _AROUND, self._from), self._end + _AROUND
        return self._lexicon.spelled(word, self._chances[first - self._from : end - self._from])

    def _forget(self) -> None:
        """What no word can need any more."""
        kept = max((self._first if self._letters else self._step) - _AROUND, self._from)
        self._chances, self._from = self._chances[kept - self._from :], kept
