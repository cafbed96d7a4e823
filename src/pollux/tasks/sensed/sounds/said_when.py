"""A recording of several utterances, and when some words are said in it.

The time that perception writes is that of the stretch in which words are heard, not of the words, and stretches are cut in pauses:
so any time counts as right at which a stretch may begin that holds the words.

Axis letters: S samples, of which 16,000 are a second.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

import numpy as np

from pollux.media.segment import Document, clock
from pollux.media.senses import RATE, Audio
from pollux.media.source import Source
from pollux.tasks.sensed.sounds.recording import wav
from pollux.tasks.sensed.sounds.spoken import LONGEST, words
from pollux.tasks.task import Example, NoExample, Question

QUESTION = 'When does somebody say "{}"?'
_PATH = "recording.wav"
_PAUSES = (0.4, 1.5)  # seconds between utterances
_OPENING = (3, 8)  # words of an utterance that are asked for
_SLACK = 1  # seconds: times are written without fractions
_TIME = re.compile(r"(?<!\d)(?:(\d+):)?(\d+):(\d\d)(?!\d)")


class _Said(NamedTuple):
    """An utterance in its place: from which sample until which, and its words."""

    start: int
    end: int
    words: list[str]


@dataclass(frozen=True)
class SaidWhen:
    """Recordings of ``seconds``, each of other utterances in another order.

    In one of three minutes, a time at random is right one time in thirteen.

    Attributes:
        utterances: Samples, float32 [S], and the text of each; what else there is of one is not used.
        asked: How many questions there are about each recording, at most.
        size: How many examples there are.
    """

    utterances: Sequence[tuple[np.ndarray, str]]
    seconds: int = 180
    asked: int = 4
    seed: int = 0
    size: int = 1_000_000

    def __len__(self) -> int:
        return self.size

    def example(self, i: int) -> Example:
        """Example number ``i``: the recording as a file in memory, not yet heard.

        Raises:
            ValueError: There are too few utterances for a recording of that length.
            NoExample: None of them begins with words that are said once.
        """
        rng = Random(f"{self.seed}/{i}")
        samples, said = self._recording(rng)
        openings = [(" ".join(one.words[: rng.randint(*_OPENING)]), one) for one in said]
        fit = [(opening, one) for opening, one in openings if _once(opening, said)]
        if not fit:
            raise NoExample(f"none of {len(said)} utterances begins with {_OPENING[0]} words that are said once")
        asked = [self._question(*pair) for pair in rng.sample(fit, min(self.asked, len(fit)))]
        sound = Audio(_PATH, Source("wav", data=wav(samples)), float(self.seconds))
        return Example("", tuple(asked), documents=(Document(_PATH, (sound,)),))

    def score(self, question: Question, reply: str) -> float:
        """1.0 when the first time in the reply is one at which a stretch that holds the words may begin."""
        found = _TIME.search(reply)
        if found is None:
            return 0.0
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        early = question.moment[0] - (hours * 3600 + minutes * 60 + seconds)
        return float(-_SLACK <= early <= LONGEST + _SLACK)

    def _question(self, opening: str, one: _Said) -> Question:
        start, end = one.start / RATE, one.end / RATE
        depth = start / self.seconds
        return Question(QUESTION.format(opening), clock(start), None, "said_when", moment=(start, end), depth=depth)

    def _recording(self, rng: Random) -> tuple[np.ndarray, list[_Said]]:
        """Utterances drawn until the next one has no room: all samples, float32 [S], and each in its place."""
        samples, said, at = np.zeros(self.seconds * RATE, np.float32), [], 0
        for place in rng.sample(range(len(self.utterances)), len(self.utterances)):
            one, text = self.utterances[place][:2]
            start = at + round(rng.uniform(*_PAUSES) * RATE)
            at = start + one.size
            if at > samples.size:
                return samples, said
            samples[start:at] = one
            said.append(_Said(start, at, words(text)))
        problem = f"{len(said)} utterances take {at / RATE:.0f} s, and a recording of {self.seconds} s is wanted"
        raise ValueError(f"{problem}: give more of them, or ask for a shorter one")


def _once(opening: str, said: Sequence[_Said]) -> bool:
    """Whether it is long enough to be asked for, and said once."""
    return opening.count(" ") + 1 >= _OPENING[0] and sum(f" {opening} " in f" {' '.join(one.words)} " for one in said) == 1
