"""Log-mel features of sound: how loud each of 80 pitches is, every 10 ms.

Frame i is centred on its own 10 ms, samples [160 i, 160 i + 160): a Hann window of 25 ms (400 samples), a spectrum of 257 bins,
80 triangular bands from 0 to 8 kHz, their centres evenly spaced in pitch (15 steps of it are 1 kHz, above that 27 are a factor of
6.4), and the logarithm to base 10. Before the first and after the last sample is silence.

What comes out does not depend, to the last bit, on the blocks that samples come in: frames are computed 100 at a time, always the
same 100.

Axis letters: F frames, M mel bands, S samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np

from pollux.media.senses import RATE

BANDS = 80
HOP = RATE // 100
WINDOW = RATE // 40
FLOOR = 1e-10  # energy of silence; 16-bit noise is at 1e-7
_BINS = 512
_GROUP = 100  # frames computed together
_AHEAD = (WINDOW - HOP) // 2  # samples of a window on either side of its hop


class LogMel:
    """Features of samples as they come: ``feed`` them in order, then ``finish``."""

    def __init__(self) -> None:
        self._held = np.zeros(_AHEAD, np.float32)  # samples from the next frame's window on
        self._samples, self._frames = 0, 0

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """Take float32 [S]; gives the frames that are whole and were not given yet: float32 [F, 80], F a multiple of 100."""
        self._samples += samples.size
        self._held = np.concatenate([self._held, np.asarray(samples, np.float32)])
        groups = max(self._held.size - (WINDOW - HOP), 0) // (_GROUP * HOP)
        made = [self._group(self._held[i * _GROUP * HOP :]) for i in range(groups)]
        self._held = self._held[groups * _GROUP * HOP :]
        self._frames += groups * _GROUP
        return np.concatenate(made) if made else np.zeros((0, BANDS), np.float32)

    def finish(self) -> np.ndarray:
        """The frames that are left, so that there is one for every 10 ms that were begun: float32 [F, 80], F < 102."""
        left = -(-self._samples // HOP) - self._frames
        padded = np.concatenate([self._held, np.zeros(2 * _GROUP * HOP + WINDOW, np.float32)])
        return np.concatenate([self._group(padded), self._group(padded[_GROUP * HOP :])])[:left]

    def _group(self, held: np.ndarray) -> np.ndarray:
        """The first 100 frames of ``held``."""
        windows = np.lib.stride_tricks.sliding_window_view(held[: _GROUP * HOP + WINDOW - HOP], WINDOW)[::HOP]
        spectrum = np.fft.rfft(windows * hann(), _BINS)
        energy = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        return np.log10(np.maximum(_banded(energy), np.float32(FLOOR)))


def log_mel(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Features of a whole sound, one frame for every 10 ms begun: float32 [S] blocks to float32 [F, 80] blocks."""
    features = LogMel()
    for block in blocks:
        if (made := features.feed(block)).size:
            yield made
    if (made := features.finish()).size:
        yield made


@cache
def hann() -> np.ndarray:
    """The window, scaled so that a full sine gives energy 1 at its bin: float32 [400]."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    return (window * 2 / window.sum()).astype(np.float32)


def _banded(energy: np.ndarray) -> np.ndarray:
    """Energy of bands, float32 [F, M], from that of bins, float32 [F, 257].

    A bin lies where one band falls and the next one rises, so two sums over neighbours do the work of a matrix of 257 by 80.
    """
    starts, rising = _slopes()
    up = np.add.reduceat(energy[:, :-1] * rising, starts, axis=1)
    down = np.add.reduceat(energy[:, :-1] * (1 - rising), starts, axis=1)
    return up[:, :-1] + down[:, 1:]


@cache
def _slopes() -> tuple[np.ndarray, np.ndarray]:
    """The first bin between each edge of bands and the next, int [M + 1]; how far between the two each bin is, float32 [256]."""
    top = 15 + 27 * np.log(RATE / 2000) / np.log(6.4)
    pitch = np.linspace(0.0, top, BANDS + 2)
    edges = np.where(pitch < 15, pitch * 1000 / 15, 1000 * 6.4 ** ((pitch - 15) / 27))
    bins = np.arange(_BINS // 2) * (RATE / _BINS)  # the last one, 8 kHz, belongs to no band
    after = np.searchsorted(edges, bins, side="right")
    return np.searchsorted(bins, edges[:-1]), ((bins - edges[after - 1]) / (edges[after] - edges[after - 1])).astype(np.float32)
