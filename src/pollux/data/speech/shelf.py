"""Utterances kept on disk: made once by (seed, number), read where they lie.

    folder/made-00000.npy    samples of 500 utterances one after the other, int16 [S]
    folder/made-00000.json   a row for each: first sample, count, text, speaker, pitch
    folder/kept-NAME.npy, .json   `recordings`, likewise

Axis letters: F frames of 40 ms, S samples, of which 16,000 are a second.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pollux.data.speech.texts import Said, Texts, draw
from pollux.data.speech.voices import SEEN, SPEAKERS, Voice, speak
from pollux.media.senses import RATE

log = logging.getLogger("pollux")
SHARD = 500
LONGEST = 9.0  # seconds; a longer utterance is left out
PEOPLE = ("george", "jackson", "lucas", "nicolas", "yweweler", "allison")
WHO = (*SPEAKERS, *PEOPLE)
_LOUDNESS = 0.08  # root mean square of what is kept, -22 dB of full scale


class Utterance(NamedTuple):
    """Something said.

    Attributes:
        samples: float32 [S].
        text: As `texts.plain` writes it.
        speaker: Place in `WHO`; -1 for anybody else.
        pitch: Median over voiced frames, Hz; 0 for a whisper.
    """

    samples: np.ndarray
    text: str
    speaker: int
    pitch: float


class Shelf(Sequence[Utterance]):
    """The utterances of some files of a folder, mapped and not loaded."""

    def __init__(self, folder: Path, pattern: str) -> None:
        files = sorted(folder.glob(f"{pattern}.json"))
        self._samples = [np.load(file.with_suffix(".npy"), mmap_mode="r") for file in files]
        self._rows = [(i, *row) for i, file in enumerate(files) for row in json.loads(file.read_text())]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> Utterance:
        file, first, count, text, speaker, pitch = self._rows[number]
        return Utterance(self._samples[file][first : first + count].astype(np.float32) / 32768, text, speaker, pitch)


def make(folder: Path, texts: Texts, shards: int, seed: int, workers: int = 2) -> Shelf:
    """Make what is missing of ``shards`` times 500 utterances of seen voices, and give the shelf. Killed, it goes on.

    Raises:
        ConfigError, TrainingError: as `voices.speak` does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [i for i in range(shards) if not (folder / f"made-{i:05}.json").exists()]
    with ThreadPoolExecutor(workers) as pool:  # synthesizers are processes of their own
        for shard in missing:
            numbers = range(shard * SHARD, (shard + 1) * SHARD)
            keep(folder / f"made-{shard:05}", pool.map(lambda number: utter(texts, seed, number), numbers))
            log.info("shelf: %d of %d shards are made", shard + 1, shards)
    return Shelf(folder, "made-*")


def utter(texts: Texts, seed: int, number: int) -> Utterance:
    """The utterance of that number: one in eight by each of the synthesizers that are made of recordings."""
    rng = np.random.default_rng((seed, number))
    engine = ("espeak", "flite", "pico")[rng.choice(3, p=(0.7, 0.17, 0.13))]
    voices = [voice for voice in SEEN if voice.engine == engine]
    voice = voices[rng.integers(len(voices))]
    return spoken(voice, draw(texts, rng), rng, WHO.index(voice.speaker))


def spoken(voice: Voice, said: Said, rng: np.random.Generator, speaker: int = -1) -> Utterance:
    """A text said by a voice, at a speed and pitch of its own."""
    samples = trimmed(speak(voice, said.written, rng.uniform(120, 220), rng.uniform(0, 1)))
    return Utterance(samples, said.plain, speaker, pitch(samples))


def keep(path: Path, utterances: Iterable[Utterance]) -> None:
    """Write utterances: first the samples, then, as a sign that they are whole, the rows."""
    rows, samples, first = [], [], 0
    for one in utterances:
        if 0 < one.samples.size <= LONGEST * RATE:
            rows.append((first, one.samples.size, one.text, one.speaker, round(one.pitch, 1)))
            samples.append(np.clip(one.samples * 32767, -32767, 32767).astype(np.int16))
            first += one.samples.size
    np.save(path.with_suffix(".npy"), np.concatenate(samples))
    part = path.with_suffix(".part")
    part.write_text(json.dumps(rows))
    part.replace(path.with_suffix(".json"))


def trimmed(samples: np.ndarray) -> np.ndarray:
    """Without the silence before and after, but for 50 ms, and as loud as all others."""
    heard = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max(initial=1e-6))
    if not heard.size:
        return samples[:0]
    return levelled(samples[max(heard[0] - RATE // 20, 0) : heard[-1] + RATE // 20])


def levelled(samples: np.ndarray) -> np.ndarray:
    """As loud as all others: float32 [S]."""
    size = np.sqrt(np.mean(np.square(samples))) if samples.size else 0.0
    return np.clip(samples * (_LOUDNESS / max(size, 1e-6)), -1, 1)


def pitch(samples: np.ndarray) -> float:
    """The median pitch of voiced frames, Hz, 0 where fewer than three are: by the peak of the autocorrelation, 60 to 400 Hz."""
    size, hop = 1024, 640
    if samples.size < 2 * size:
        return 0.0
    frames_FS = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop]
    power = np.abs(np.fft.rfft(frames_FS * np.hanning(size), 2 * size)) ** 2
    power[:, 2 * size * 1000 // RATE :] = 0  # the fundamental and its first partials
    alike = np.fft.irfft(power)[:, : RATE // 60]
    lags = alike[:, RATE // 400 :]
    best, loud = lags.argmax(1) + RATE // 400, alike[:, 0] > 0.1 * np.median(alike[:, 0])
    voiced = loud & (lags.max(1) > 0.4 * alike[:, 0])
    return float(np.median(RATE / best[voiced])) if voiced.sum() >= 3 else 0.0
