"""What happens to a voice on its way: rooms, telephones, noise, other voices, a faster or slower tape.

Everything is drawn from the generator that is handed in, and from nothing else.

Axis letters: S samples, of which 16,000 are a second; Z bins of a spectrum.
"""

from __future__ import annotations

import numpy as np
import scipy.fft

from pollux.media.senses import RATE


def played(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Faster or slower by up to a tenth, its pitch with it: float32 [S] of another length."""
    faster = rng.uniform(0.9, 1.1)
    places = np.arange(int((samples.size - 1) / faster)) * faster
    first = places.astype(np.int32)
    part = (places - first).astype(np.float32)
    return samples[first] * (1 - part) + samples[first + 1] * part


def passed(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Through a room (one in three), a narrow band (one in three), and something that colours all sound."""
    size = scipy.fft.next_fast_len(samples.size + RATE // 2, real=True)
    gain_Z = _colour(size // 2 + 1, rng)
    if rng.random() < 0.33:
        gain_Z *= _band(size // 2 + 1, rng)
    response_Z = gain_Z * scipy.fft.rfft(_room(rng), size) if rng.random() < 0.33 else gain_Z
    return scipy.fft.irfft(scipy.fft.rfft(samples, size) * response_Z, size)[: samples.size]


def _colour(bins: int, rng: np.random.Generator) -> np.ndarray:
    """A smooth curve of up to some 8 dB, by straight lines between eight pitches."""
    knots = np.linspace(0, 1, 8) ** 2
    return (10 ** (np.interp(np.linspace(0, 1, bins), knots, rng.normal(0, 4, 8)) / 20)).astype(np.float32)


def _band(bins: int, rng: np.random.Generator) -> np.ndarray:
    """What a telephone, or a cheap microphone, leaves: 1 between two frequencies, falling steeply beyond."""
    hertz = np.linspace(1, RATE / 2, bins, dtype=np.float32)
    low, high = rng.uniform(30, 300), rng.choice((3400.0, 3800.0, rng.uniform(3500, 7000)))
    return 1 / np.sqrt((1 + (low / hertz) ** 6) * (1 + (hertz / high) ** 40))


def _room(rng: np.random.Generator) -> np.ndarray:
    """A direct sound, and noise that dies away by 60 dB in 0.1 to 0.6 s."""
    count, lasts = RATE // 2, rng.uniform(0.1, 0.6)
    tail = rng.standard_normal(count, np.float32) * 10 ** (-3 * np.arange(count, dtype=np.float32) / (RATE * lasts))
    tail *= rng.uniform(0.2, 1.0) / np.sqrt(np.square(tail).sum())
    tail[0] = 1.0
    return tail


def noise(count: int, rng: np.random.Generator) -> np.ndarray:
    """Noise whose power falls with frequency, or does not, from white to brown; root mean square 1: float32 [S]."""
    size = scipy.fft.next_fast_len(count, real=True)
    bins = size // 2 + 1
    spectrum_Z = rng.standard_normal(2 * bins, np.float32).view(np.complex64)
    spectrum_Z *= np.maximum(np.arange(bins, dtype=np.float32), 30) ** np.float32(-rng.choice((0.0, 0.5, rng.uniform(0, 1.2))))
    made = scipy.fft.irfft(spectrum_Z, size)[:count]
    return made / np.sqrt(np.mean(np.square(made)))


def quieter(decibels: float) -> float:
    """The factor of so many decibels less."""
    return float(10 ** (-decibels / 20))
