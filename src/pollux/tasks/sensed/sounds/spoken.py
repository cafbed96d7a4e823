"""Speech written down: a short recording, and what is said in it.

Axis letters: S samples, of which 16,000 are a second.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from pollux.media.segment import Document, clock
from pollux.media.senses import RATE, Audio
from pollux.media.source import Source
from pollux.tasks.sensed.edits import error_rate
from pollux.tasks.sensed.sounds.recording import wav
from pollux.tasks.task import Example, NoExample, Question

LONGEST = 12  # seconds of sound that perception puts under one time, at most
_PATH = "utterance.wav"
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


@dataclass(frozen=True)
class Spoken:
    """Utterances, each of them a file and an example.

    Attributes:
        utterances: Samples, float32 [S], and the text of each; what else there is of one is not used.
        seed: Of the order in which they are asked.
    """

    utterances: Sequence[tuple[np.ndarray, str]]
    seed: int = 0

    def __len__(self) -> int:
        return len(self.utterances)

    def example(self, i: int) -> Example:
        """Example number ``i``: a file in memory, not yet heard. Raises NoExample when it is heard in several pieces."""
        order = Random(self.seed).sample(range(len(self)), len(self))
        samples, text = self.utterances[order[i]][:2]
        if not 0 < samples.size <= LONGEST * RATE:
            raise NoExample(f"an utterance has {LONGEST} s or less, got {samples.size / RATE:.1f} s")
        sound = Audio(_PATH, Source("wav", data=wav(samples)), samples.size / RATE)
        asked = Question(f"What is said at {clock(0)}?", text, kind="spoken")
        return Example("", (asked,), documents=(Document(_PATH, (sound,)),))

    def score(self, question: Question, reply: str) -> float:
        """1.0 when the reply has the answer's words and no others (see `words`)."""
        return float(words(reply) == words(question.answer))


def words(text: str) -> list[str]:
    """The words as they are heard: "Don't, Anna!" is don't and anna."""
    return _WORD.findall(text.replace("’", "'").casefold())


def word_errors(question: Question, reply: str) -> float:
    """Words that are wrong, missing or too many, as a share of the answer's; 1 at the most."""
    return error_rate(words(reply), words(question.answer))


def character_errors(question: Question, reply: str) -> float:
    """Likewise of letters, the spaces between words among them."""
    return error_rate(" ".join(words(reply)), " ".join(words(question.answer)))
