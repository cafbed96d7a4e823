"""Symbols of the net, moment by moment, as words with their times.

The net says most of the time "nothing", and each letter, or the space behind a word, at about the moment when it is heard; the same
symbol in moments that follow each other is one (connectionist temporal classification, decoded greedily).

Axis letters: T steps of 20 ms.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pollux.perception.percepts import Said

STEP = 0.02  # seconds
NOTHING, SPACE = 0, 1
ALPHABET = " 'abcdefghijklmnopqrstuvwxyz"  # of symbols from 1 on
_SILENCE = 50  # steps without a letter that end a word
_LONGEST = 250  # steps of a word, so that no noise is one without an end


class Words:
    """Gives words as steps come: ``feed`` them in order, then ``finish``."""

    def __init__(self) -> None:
        self._step, self._last = 0, NOTHING
        self._letters, self._first, self._end = "", 0, 0

    @property
    def since(self) -> float | None:
        """When the word that is not whole yet began, seconds from the first step; None where there is none."""
        return self._first * STEP if self._letters else None

    def feed(self, symbols_T: np.ndarray) -> list[Said]:
        """Take the likeliest symbol of each step, int [T]; gives the words that ended in them."""
        found, begun = [], np.flatnonzero(np.diff(symbols_T, prepend=self._last))
        for place in begun:
            if (symbol := int(symbols_T[place])) != NOTHING:
                found += self._heard(symbol, self._step + int(place))
        # a letter may sound on, and what follows it is what ends it
        self._step, self._last = self._step + len(symbols_T), int(symbols_T[-1]) if len(symbols_T) else self._last
        if self._letters and self._step - self._end > _SILENCE:
            found += self.finish()
        return found

    def finish(self) -> list[Said]:
        """The word that no space has ended, if there is one."""
        word, self._letters = self._letters.strip("'"), ""
        return [Said(word, self._first * STEP, self._end * STEP)] if word else []

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
