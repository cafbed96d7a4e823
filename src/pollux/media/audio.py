"""Sound: how long a file is, and its samples when they are wanted, at 16 kHz and mixed to one channel.

    WAV, FLAC, Ogg, AIFF (soundfile) ┐
    MP3, M4A, AAC, the sound of films (PyAV) ┴─ describe → Audio ─ listen → Sound, Sound, …

Memory does not grow with the length. A part of a file is, sample for sample, that part of the whole; only MP3 and AAC without a
container are gone through from their beginning to find it, as they have no index.

Axis letters: C channels, S samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from pollux.base.errors import MediaError
from pollux.media import container
from pollux.media.container import Tell, silent
from pollux.media.resample import Line
from pollux.media.senses import RATE, Audio, Sound, Video
from pollux.media.source import Source, library

if TYPE_CHECKING:
    from av import AudioFrame
    from soundfile import SoundFile

_FILED = ("wav", "flac", "ogg", "aiff")  # forms that soundfile reads, and seeks in, to the sample
_RATES = range(1_000, 768_001)  # samples a second of real recordings; a header may say anything
_WARM = Fraction(1, 2)  # seconds that codecs are given to settle after being sought: Opus wants 0.08, MP3 some frames of 0.026
_BLOCK = RATE  # input samples decoded at a time
_UNKNOWN = 1 << 40  # samples; soundfile gives such a number where a stream does not say how many it has


def describe(source: Source, path: str) -> Audio:
    """A sound file as a segment.

    Raises:
        MediaError: It is damaged, holds no sound, or is larger or longer than ``source.bounds`` allow.
    """
    if source.form in _FILED:
        try:
            with source.open(path) as file, _sound_file(file, source, path) as opened:
                if opened.frames < _UNKNOWN:
                    return Audio(path, source, container.checked(opened.frames / opened.samplerate, source, path))
        except MediaError:
            if source.form != "ogg":  # which may hold what FFmpeg knows and soundfile does not
                raise
    with container.opened(source, path) as opened:
        if container.sound(opened) is None:
            raise container.damaged(path, source, "it holds no sound that can be decoded")
        return Audio(path, source, container.length(opened, source, path))


def listen(segment: Audio | Video, tell: Tell = silent) -> Iterator[Sound]:
    """The wanted part of a sound, or of a film's sound, in order and without gaps, about a second at a time.

    Args:
        tell: Called with a warning for what is damaged or missing.

    Raises:
        MediaError: Nothing can be decoded, or the file is gone.
    """
    first, stop = round(segment.start * RATE), round(segment.stop * RATE)
    line, at = Line(first, stop, segment.path), first
    for samples in _gathered(_heard(segment, line, tell)):
        yield Sound(at, samples)
        at += samples.size


def mixed(samples: np.ndarray) -> np.ndarray:
    """All channels as one, within -1 to 1, what is no number made silence: float32 [S] of [C, S]."""
    return np.clip(np.nan_to_num(samples.mean(0, dtype=np.float32), nan=0.0), -1, 1)


def _heard(segment: Audio | Video, line: Line, tell: Tell) -> Iterator[np.ndarray]:
    source, path = segment.source, segment.path
    if source.form in _FILED and isinstance(segment, Audio):
        with source.open(path) as file:
            try:
                opened = _sound_file(file, source, path)
            except MediaError:
                opened = None
            if opened is not None:
                with opened:
                    yield from _from_file(opened, segment, line, tell)
                return
    yield from _from_container(segment, line, tell)


def _from_file(opened: SoundFile, segment: Audio, line: Line, tell: Tell) -> Iterator[np.ndarray]:
    soundfile = library("soundfile", segment.path)
    try:
        opened.seek(min(line.begin(opened.samplerate), opened.frames))
        while not line.full and (block := opened.read(_BLOCK, dtype="float32", always_2d=True)).size:
            yield from line.feed(mixed(block.T), opened.samplerate)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        tell(container.lost(segment.path, f"its sound breaks off: {error}"[:300]))
    yield from line.finish()
    container.tell_cut(segment.path, "sound", line.reached, segment.stop, tell)


def _from_container(segment: Audio | Video, line: Line, tell: Tell) -> Iterator[np.ndarray]:
    source, path = segment.source, segment.path
    with container.opened(source, path) as opened:
        stream = container.sound(opened)
        if stream is None:
            raise container.damaged(path, source, "it holds no sound that can be decoded")
        container.only(opened, stream)
        begin, base, since = container.origin(opened, source), stream.time_base, None
        if (wanted := Fraction(segment.start) - _WARM) > 0:
            since = begin + wanted
            if source.form not in container.UNMEASURED:
                container.go_to(opened, stream, since)
        for frame in container.decoded(opened, stream, source, path, tell, since):
            time = None if frame.pts is None else frame.pts * (frame.time_base or base) - begin
            yield from line.feed(mixed(_channels(frame)), _rate(frame.sample_rate, source, path), time)
            if line.full:
                return
        # a film's sound may end before its pictures do, and Matroska does not say when
        own = float(stream.duration * base) if stream.duration else segment.duration * isinstance(segment, Audio)
    yield from line.finish()
    container.tell_cut(path, "sound", line.reached, min(segment.stop, own), tell)


def _channels(frame: AudioFrame) -> np.ndarray:
    """A decoded frame as float32 [C, S], whole numbers brought to -1 to 1."""
    samples, channels = frame.to_ndarray(), frame.layout.nb_channels
    if not frame.format.is_planar:
        samples = samples.reshape(-1, channels).T
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128
    if samples.dtype.kind == "i":
        return samples / np.float32(2 ** (8 * samples.itemsize - 1))
    return samples


def _gathered(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The same samples a second at a time: decoders give 20 ms."""
    held, count = [], 0
    for block in blocks:
        held.append(block)
        count += block.size
        if count >= RATE:
            yield np.concatenate(held)
            held, count = [], 0
    if held:
        yield np.concatenate(held)


def _sound_file(file: object, source: Source, path: str) -> SoundFile:
    """The file opened by soundfile. Raises MediaError where it cannot be, or says what no recording does."""
    soundfile = library("soundfile", path)
    try:
        opened = soundfile.SoundFile(file)
    except (soundfile.LibsndfileError, RuntimeError, TypeError) as error:
        raise container.damaged(path, source, getattr(error, "error_string", error)) from error
    try:
        _rate(opened.samplerate, source, path)
        if opened.channels > source.bounds.channels:
            raise container.damaged(path, source, f"it says that it has {opened.channels:,} channels")
    except MediaError:
        opened.close()
        raise
    return opened


def _rate(rate: int, source: Source, path: str) -> int:
    if rate not in _RATES:
        raise container.damaged(path, source, f"it says that it has {rate:,} samples a second")
    return rate
