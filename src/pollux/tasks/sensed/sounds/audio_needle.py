"""A secret keyword said in a long recording, as in the Gemini 1.5 report (section 5.2.1.4).

The report hides a clip of some seconds, in which a speaker says "the secret keyword is needle", in recordings of VoxPopuli of up to
107 hours, and asks for the secret keyword. Here the keyword is another each time, and so is the speaker.

Axis letters: S samples, of which 16,000 are a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

import numpy as np

from pollux.media.segment import Document
from pollux.media.senses import RATE, Audio
from pollux.media.source import Source
from pollux.tasks.lexicon import common
from pollux.tasks.sensed.sounds.recording import Recording
from pollux.tasks.task import Example, Question, exact

NEEDLE, QUESTION = "The secret keyword is {}.", "What is the secret keyword?"
_PATH = "recording.wav"
_EDGE = RATE // 2  # samples of silence before the needle, and behind it
_JITTER = 0.02  # share of the recording by which depths differ


@dataclass(frozen=True)
class AudioNeedle:
    """Recordings of ``seconds`` that are alike but for the stretch with the needle.

    They are one file, in which making an example replaces the needle: an example is to be heard before the next one is made.

    Attributes:
        utterances: What the recording is made of, float32 [S] each, over and over.
        say: Makes a voice say a text: float32 [S]. Which voice, and how, it draws.
        depths: Where needles may be, 0 the beginning and 1 the end; example ``i`` takes number ``i``, going round.
        size: How many examples there are.
    """

    utterances: Sequence[np.ndarray]
    seconds: int
    say: Callable[[str, Random], np.ndarray]
    depths: tuple[float, ...] = tuple(step / 9 for step in range(10))
    seed: int = 0
    size: int = 1_000_000

    def __post_init__(self):
        if self.seconds < 1 or not self.depths or not all(0 <= depth <= 1 for depth in self.depths):
            raise ValueError(f"a recording has a second or more and depths from 0 to 1, got {self.seconds} and {self.depths}")

    def __len__(self) -> int:
        return self.size

    def example(self, i: int) -> Example:
        """Example number ``i``: the recording as a file, not yet heard. Raises ValueError when the needle is longer than that."""
        rng = Random(f"{self.seed}/{i}")
        near = min(max(self.depths[i % len(self.depths)] + rng.uniform(-_JITTER, _JITTER), 0), 1)
        word = common(rng)
        said = np.pad(self.say(NEEDLE.format(word), rng), _EDGE)
        start = round(near * (self._recording.length - said.size))
        self._recording.put(start, said)
        moment = ((start + _EDGE) / RATE, (start + said.size - _EDGE) / RATE)
        asked = Question(QUESTION, word, None, "audio_needle", moment=moment, depth=near)
        sound = Audio(_PATH, Source("wav", str(self._recording.path)), float(self.seconds))
        return Example("", (asked,), documents=(Document(_PATH, (sound,)),))

    def score(self, question: Question, reply: str) -> float:
        """1.0 when the reply is the keyword."""
        return exact(question, reply)

    @cached_property
    def _recording(self) -> Recording:
        return Recording(self.utterances, self.seconds)
