"""Samples on one clock of 16 kHz, whatever the rate they come at.

Pieces of sound come with the times that their file gives them; what comes out is gapless: a gap is silence, and of what overlaps
the first is kept. Small differences are rounding of the file's times (Matroska counts milliseconds) and move nothing.

Axis letters: S samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import gcd

import numpy as np

from pollux.media.senses import RATE
from pollux.media.source import library

_SLACK = Fraction(4, 100)  # seconds by which a piece may be early or late without being moved
_LEAD = Fraction(1, 10)  # seconds before the first wanted sample from which the filter is fed, so that it is filled by then
_SILENCE = 1 << 16  # samples of a gap at a time


class Line:
    """Output samples [first, stop), made as input comes. Input and output samples 0 are the file's beginning.

    ``begin`` tells from where input is needed; then ``feed`` it in order, and ``finish``.
    """

    def __init__(self, first: int, stop: int, path: str) -> None:
        self.first, self.stop = first, stop
        self.at = 0  # number of the next input sample, at the input's rate
        self.rate = 0
        self._soxr = library("soxr", path)
        self._made, self._fresh = 0, True  # number of the next output sample; whether no input has come yet

    @property
    def full(self) -> bool:
        """Whether all that is wanted has come out."""
        return self._made >= self.stop

    @property
    def reached(self) -> float:
        """The seconds up to which samples have come out."""
        return self._made / RATE

    def begin(self, rate: int) -> int:
        """Expect input at ``rate`` from now on; returns the number of the input sample to begin at.

        Only there do input and output samples fall on the same moments: 441 and 160 of them, for 44,100 Hz.
        """
        step_in, step_out = rate // gcd(rate, RATE), RATE // gcd(rate, RATE)
        wanted = Fraction(max(self.first, self._made), RATE) - _LEAD
        steps = max(int(wanted * rate) // step_in, 0)
        self.at, self.rate, self._fresh = steps * step_in, rate, True
        self._base = self.at, steps * step_out
        self._made = self._base[1]
        self._filter = None if rate == RATE else self._soxr.ResampleStream(rate, RATE, 1, dtype="float32", quality="HQ")
        return self.at

    def feed(self, samples: np.ndarray, rate: int, time: Fraction | None = None) -> Iterator[np.ndarray]:
        """Take float32 [S] of input that begins at ``time`` seconds of the file (None: where the last piece ended)."""
        if rate != self.rate:
            if self.rate:  # it changes on the way
                yield from self.finish()
                self.first = max(self.first, self._made)
                time = Fraction(self._made, RATE) if time is None else time
            self.begin(rate)
        gap = 0 if time is None else round(time * rate) - self.at
        if abs(gap) > (0 if self._fresh else _SLACK * rate):
            yield from self._quiet(gap)
            samples = samples[min(max(-gap, 0), samples.size) :]
        if samples.size:
            self._fresh = False
            yield from self._push(samples)

    def finish(self) -> Iterator[np.ndarray]:
        """What is still in the filter. In all, output is as long as input: to the sample, rounded."""
        if not self.rate:
            return
        base_in, base_out = self._base
        total = base_out + round(Fraction((self.at - base_in) * RATE, self.rate))
        if self._filter is not None:
            rest = self._filter.resample_chunk(np.zeros(0, np.float32), last=True)
            missing = total - self._made - rest.size
            yield from self._out(np.pad(rest, (0, missing)) if missing > 0 else rest[: total - self._made])

    def _quiet(self, gap: int) -> Iterator[np.ndarray]:
        while gap > 0 and not self.full:
            yield from self._push(np.zeros(min(gap, _SILENCE), np.float32))
            gap -= _SILENCE

    def _push(self, samples: np.ndarray) -> Iterator[np.ndarray]:
        self.at += samples.size
        yield from self._out(samples if self._filter is None else self._filter.resample_chunk(samples))

    def _out(self, made: np.ndarray) -> Iterator[np.ndarray]:
        """Give the wanted part of the samples that come out."""
        begin, end = self.first - self._made, self.stop - self._made
        self._made += made.size
        wanted = made[max(begin, 0) : max(end, 0)]
        if wanted.size:
            yield wanted
