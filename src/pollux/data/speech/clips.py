"""Clips of ten seconds to learn hearing from: voices, one after the other, in a place with noise; the same for the same number.

    Shelf ─ utterances ─> a track of speech ─ effects ─> mel frames, letters, who speaks, how high

Axis letters: B rows, F frames of 10 ms, M mel bands, U codes of 40 ms, N letters, S samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pollux.data.speech import effects
from pollux.data.speech.shelf import Utterance
from pollux.media.mel import BANDS, log_mel
from pollux.media.senses import RATE

SECONDS = 10
MOST_LETTERS = 240
_CODE = RATE // 25  # samples of a code
_ALPHABET = " 'abcdefghijklmnopqrstuvwxyz"


class Batch(NamedTuple):
    """Clips.

    Attributes:
        mel: As `media.mel` makes it, float32 [B, F, M]; in parts masked.
        letters: Symbols, int32 [B, N], 0 behind the last.
        speaker: Place in `shelf.WHO` of who speaks, -1 where nobody does, or nobody known: int32 [B, U].
        pitch: Hz, 0 where nobody speaks: float32 [B, U].
    """

    mel: np.ndarray
    letters: np.ndarray
    speaker: np.ndarray
    pitch: np.ndarray


class Track(NamedTuple):
    """Speech without its surroundings: float32 [S], and what is said, by whom, how high, as in `Batch`."""

    samples: np.ndarray
    text: str
    speaker: np.ndarray
    pitch: np.ndarray


def symbols(text: str) -> list[int]:
    """Letters as the net counts them: the space is 1, the apostrophe 2, a to z 3 to 28; 0 is nothing."""
    return [_ALPHABET.index(letter) + 1 for letter in text]


class Clips:
    """Clips of what is on shelves.

    Args:
        shelves: Utterances, each with how often one is taken from it; the shares sum to 1.
        seed: Clips of another seed are others.
    """

    def __init__(self, shelves: Sequence[tuple[Sequence[Utterance], float]], seed: int) -> None:
        self._shelves, self._shares = [shelf for shelf, _ in shelves], [share for _, share in shelves]
        self._seed = seed

    def batch(self, number: int, rows: int) -> Batch:
        """The batch of that number."""
        made = [self._clip(np.random.default_rng((self._seed, number, row))) for row in range(rows)]
        return Batch(*(np.stack(part) for part in zip(*made, strict=True)))

    def _clip(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        track = self.track(rng)
        heard = self._surrounded(effects.passed(track.samples, rng), rng)
        mel_FM = masked(np.concatenate(list(log_mel([heard]))), rng)
        letters = symbols(track.text)
        return mel_FM, np.pad(letters, (0, MOST_LETTERS - len(letters))).astype(np.int32), track.speaker, track.pitch

    def track(self, rng: np.random.Generator) -> Track:
        """Utterances one after the other, each whole, with pauses; one clip in twenty has none."""
        samples = np.zeros(SECONDS * RATE, np.float32)
        speaker, pitch = np.full(SECONDS * 25, -1, np.int32), np.zeros(SECONDS * 25, np.float32)
        at, text, tries = int(rng.uniform(0, 1) * RATE), "", 4 * (rng.random() < 0.95)
        while tries:
            one = self._utterance(rng)
            said = effects.played(one.samples, rng)
            if at + said.size > samples.size or len(text) + len(one.text) >= MOST_LETTERS:
                tries -= 1
                continue
            samples[at : at + said.size] += said * effects.quieter(rng.uniform(-3, 6))
            spoken = slice(at // _CODE, (at + said.size) // _CODE)
            speaker[spoken], pitch[spoken] = one.speaker, one.pitch * one.samples.size / said.size
            text += one.text + " "
            at += said.size + int((0.05 + rng.exponential(0.35)) * RATE)
        return Track(samples, text, speaker, pitch)

    def _utterance(self, rng: np.random.Generator) -> Utterance:
        shelf = self._shelves[rng.choice(len(self._shelves), p=self._shares)]
        return shelf[int(rng.integers(len(shelf)))]

    def _surrounded(self, speech: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Speech with what is around it, at some loudness. Utterances are 22 dB below full scale."""
        if rng.random() < 0.75:
            speech = speech + effects.noise(speech.size, rng) * effects.quieter(22 + rng.uniform(3, 45))
        if rng.random() < 0.2:
            speech = speech + self._babble(speech.size, rng)
        return np.clip(speech * effects.quieter(rng.uniform(-8, 26)), -1, 1).astype(np.float32)

    def _babble(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """One voice far away, or several: they are not to be written down."""
        voices = int(rng.choice((1, 4)))
        sound = np.zeros(count, np.float32)
        for _ in range(2 * voices):
            said = self._utterance(rng).samples[:count]
            at = int(rng.integers(count - said.size + 1))
            sound[at : at + said.size] += said
        return sound * effects.quieter(rng.uniform(14, 28))


def masked(mel_FM: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Frames with some bands and some moments made unheard (SpecAugment), in half of all clips."""
    if rng.random() < 0.5:
        return mel_FM
    mel_FM, middle = mel_FM.copy(), np.float32(mel_FM.mean())
    for _ in range(rng.integers(3)):
        low = rng.integers(BANDS - 8)
        mel_FM[:, low : low + rng.integers(1, 9)] = middle
    for _ in range(rng.integers(8)):
        first = rng.integers(len(mel_FM) - 10)
        mel_FM[first : first + rng.integers(1, 11)] = middle
    return mel_FM
