"""A long recording of a few utterances over and over, really a file, in which one stretch can be another.

Its 16-bit samples lie one after the other behind a header, so that a stretch is replaced, and restored, where it lies: another
needle in a recording of hours costs one write of a few seconds. 107 hours take 12.3 GB on disk, and the utterances' own size in
memory.

Axis letters: S samples, of which 16,000 are a second.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pollux.base.errors import ConfigError
from pollux.media.senses import RATE
from pollux.media.source import library, size

_PAUSE = round(0.6 * RATE)  # behind each utterance
# Utterances and pauses together take a multiple of so much. Ten seconds are heard together: what comes again is heard alike.
_WHOLE = 10 * RATE
_WAV = (1 << 32) - 4096  # bytes of samples that a WAV file can count; beyond, RF64 is the same with longer numbers
_BYTES = 2  # of a sample


class Recording:
    """Utterances, float32 [S] each, with pauses between them, repeated until there are ``seconds`` of them.

    The file is there as long as this object, and no longer than the process.

    Attributes:
        path: The file.
        length: How many samples it has.

    Raises:
        ValueError: There is nothing to repeat, or no time for it.
        ConfigError: There is not enough room on the disk.
    """

    def __init__(self, utterances: Sequence[np.ndarray], seconds: int) -> None:
        if seconds < 1 or not any(samples.size for samples in utterances):
            raise ValueError(f"a recording is a second or more of some utterances, got {len(utterances)} for {seconds} s")
        self._round, self.length = _round(utterances), seconds * RATE
        self._other = range(0)  # samples that are others
        self._folder = tempfile.TemporaryDirectory(prefix="pollux-")
        self.path = Path(self._folder.name) / "recording.wav"
        self._write()

    def put(self, start: int, samples: np.ndarray) -> None:
        """Other samples, float32 [S], from sample number ``start`` on; those that were put before are gone.

        Raises:
            ValueError: They do not lie inside the recording.
        """
        if not 0 <= start <= self.length - samples.size:
            raise ValueError(f"{samples.size:,} samples from {start:,} on are not inside a recording of {self.length:,}")
        self.restore()
        self._other = range(start, start + samples.size)
        self._set(start, _whole_numbers(samples))

    def restore(self) -> None:
        """As it was before anything was put."""
        self._set(self._other.start, self._round.take(self._other, mode="wrap"))
        self._other = range(0)

    def _write(self) -> None:
        needed, free = self.length * _BYTES, shutil.disk_usage(self._folder.name).free
        if needed > free:
            problem = f"a recording of {self.length // RATE:,} s takes {size(needed)}, and {tempfile.gettempdir()} has {size(free)}"
            raise ConfigError(problem, "name a folder on a larger disk: TMPDIR=DIR, or ask for a shorter recording")
        form = "RF64" if needed > _WAV else "WAV"
        with library("soundfile", "a recording").SoundFile(self.path, "w", RATE, 1, "PCM_16", format=form) as file:
            for first in range(0, self.length, self._round.size):
                file.write(self._round[: self.length - first])
        self._header = self.path.stat().st_size - needed

    def _set(self, start: int, samples: np.ndarray) -> None:
        with self.path.open("r+b") as file:
            file.seek(self._header + start * _BYTES)
            file.write(samples.astype("<i2").tobytes())


def wav(samples: np.ndarray) -> bytes:
    """Samples, float32 [S], as a WAV file."""
    out = io.BytesIO()
    library("soundfile", "a recording").write(out, _whole_numbers(samples), RATE, "PCM_16", format="WAV")
    return out.getvalue()


def _round(utterances: Sequence[np.ndarray]) -> np.ndarray:
    """What is repeated, int16 [S]: each utterance with a pause, and silence up to a whole number of ten seconds."""
    parts = [_whole_numbers(np.pad(samples, (0, _PAUSE))) for samples in utterances]
    parts.append(np.zeros(-sum(part.size for part in parts) % _WHOLE, np.int16))
    return np.concatenate(parts)


def _whole_numbers(samples: np.ndarray) -> np.ndarray:
    """From -1 to 1 to 16 bits."""
    return np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)
