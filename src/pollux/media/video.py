"""Films: what a file holds, and its frames and its sound when they are wanted, on one clock.

    MP4, MKV, WebM, AVI, MPEG, animations ─describe→ Video (Audio where there are no pictures) ─play→ Frame, Sound, Frame, Sound, …

A frame at time t is the picture that is on at t, so a film of any or of varying frame rate gives one every second. Times count from
the file's beginning as players count them. A part of a film is sought, not played up to.

Axis letters: H, W rows and columns of pixels.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from fractions import Fraction
from functools import partial
from math import floor
from typing import TYPE_CHECKING

import numpy as np

from pollux.media import audio, container, image
from pollux.media.container import Tell, silent
from pollux.media.image import fit
from pollux.media.senses import RATE, Audio, Box, Frame, Sound, Video
from pollux.media.source import Source

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream
    from av.container import InputContainer

_THREADS = 4  # each holds frames of its own
_LONGEST = 10 * RATE  # samples of one Sound
_LATE = 60.0  # seconds past the length that a file tells, from which its times are not believed
_HD = 720  # rows from which colours that say nothing of themselves are those of HDTV
_ITU709, _UNSAID = 1, 2  # FFmpeg's numbers

_ROUNDED = Fraction(1, 2000)  # seconds: Matroska tells 66.67 ms as 67, and that frame is the one that is on at 66.67 ms
_BACK = (Fraction(0), Fraction(10), Fraction(60))  # seconds before the wanted part to seek to, in turn: some indices are rough

# From when and until when a picture is on, and how to get its pixels.
Shown = tuple[Fraction, Fraction, Callable[[], np.ndarray]]
Timed = tuple[Fraction, Fraction, "VideoFrame"]


def describe(source: Source, path: str) -> Video | Audio:
    """A film file as a segment: a Video, or an Audio where it has no moving pictures. Its first frame is decoded.

    Raises:
        MediaError: It is damaged, or larger or longer than ``source.bounds`` allow.
    """
    with container.opened(source, path) as opened:
        stream = container.film(opened)
        if stream is None:
            return audio.describe(source, path)
        sound = container.sound(opened) is not None
        with closing(_frames(opened, stream, source, path, silent)) as frames:
            first = next(frames, None)
        if first is None:
            raise container.damaged(path, source, "none of its pictures can be decoded")
        width, height = _Painter(stream, None).shape(first)
        return Video(path, source, container.length(opened, source, path), width, height, sound)


def animated(source: Source, path: str) -> Video:
    """An animated picture (GIF, WebP, PNG) as a film; all of it is decoded to know how long it is. Raises as `image.animation`."""
    length, size = 0.0, (0, 0)
    with closing(image.animation(source, path)) as frames:
        for _, until, picture in frames:
            length, size = until, picture.size
    return Video(path, source, container.checked(length, source, path), *size, sound=False)


def play(video: Video, box: Box | None = None, tell: Tell = silent) -> Iterator[Frame | Sound]:
    """The wanted part of a film: its frames in order, and between two frames the sound from the one to the other.

    Args:
        video: The part, and how many frames a second.
        box: The most pixels across and down: frames are scaled down to fit, keeping their shape.
        tell: Called with a warning for what is damaged or missing.

    Raises:
        MediaError: Nothing can be decoded, or the file is gone.
    """
    if not video.sound:
        yield from look(video, box, tell)
        return
    with closing(look(video, box, tell)) as pictures, closing(_Sounds(audio.listen(video, tell))) as sounds:
        for frame in pictures:
            yield from sounds.until(round(frame.time * RATE))
            yield frame
        yield from sounds.until(round(video.stop * RATE))


def look(video: Video, box: Box | None = None, tell: Tell = silent) -> Iterator[Frame]:
    """`play` without the sound."""
    start, stop = _exact(video.start), _exact(video.stop)
    shown = _animation(video, box) if video.source.form in image.FORMATS else _film(video, box, tell)
    with closing(shown) as shown:
        if video.rate is None:
            yield from _all(shown, start, stop)
        else:
            yield from _at_rate(shown, start, stop, _exact(video.rate))


def _exact(number: float) -> Fraction:
    """The short number that was meant: 0.04 + 2 is 2.04, and 0.1 s of 10 frames a second is the second frame."""
    return Fraction(number).limit_denominator(1_000_000)


def _all(shown: Iterable[Shown], start: Fraction, stop: Fraction) -> Iterator[Frame]:
    for since, _, pixels in shown:
        if since >= stop:
            return
        if since >= start:
            yield Frame(float(since), float(since), pixels())


def _at_rate(shown: Iterable[Shown], start: Fraction, stop: Fraction, rate: Fraction) -> Iterator[Frame]:
    """The picture that is on at each of the times start, start + 1 / rate, …

    Where none is on yet, because the first one comes late by less than 1 / rate, it is the first one.
    """
    step, time, begun = 0, start, False
    for since, until, pixels in _spans(shown):
        if not begun:
            step, begun = max(floor((since - start) * rate), 0), True
            time = start + step / rate
        still = None
        while time < min(until - _ROUNDED, stop):
            still = pixels() if still is None else still
            yield Frame(float(time), float(since), still)
            step += 1
            time = start + step / rate
        if time >= stop:
            return


def _spans(shown: Iterable[Shown]) -> Iterator[Shown]:
    """The same pictures, each on until the next one comes."""
    held = None
    for since, until, pixels in shown:
        if held is not None:
            yield held[0], since, held[2]
        held = since, until, pixels
    if held is not None:
        yield held


def _film(video: Video, box: Box | None, tell: Tell) -> Iterator[Shown]:
    """Pictures of a film file from the last one before the wanted part."""
    source, path = video.source, video.path
    with container.opened(source, path) as opened:
        stream = container.film(opened)
        if stream is None:
            raise container.damaged(path, source, "it holds no moving pictures that can be decoded")
        container.only(opened, stream)
        ends, painter = Fraction(0), _Painter(stream, box)
        with closing(_sought(opened, stream, video, tell)) as frames:
            for since, ends, frame in frames:
                if since > video.duration + _LATE:
                    tell(container.lost(path, f"its times jump to {float(since):,.0f} s; the rest was not read"))
                    return
                yield since, ends, partial(painter.pixels, frame)
        own = float(stream.duration * stream.time_base) if stream.duration else video.duration - video.sound
        container.tell_cut(path, "picture", float(ends), min(video.stop, own), tell)


def _sought(opened: InputContainer, stream: VideoStream, video: Video, tell: Tell) -> Iterator[Timed]:
    """Frames from one that is on when the wanted part starts; where seeking leads past it, from further back."""
    begin, start = container.origin(opened, video.source), _exact(video.start)
    for back in _BACK if start else ():
        container.go_to(opened, stream, max(start - back, Fraction(0)) + begin)
        frames = _timed(_frames(opened, stream, video.source, video.path, tell), stream, begin)
        first = next(frames, None)
        if first is not None and first[0] <= start:
            yield first
            yield from frames
            return
        frames.close()
    if start:
        container.go_to(opened, stream, Fraction(0))
    yield from _timed(_frames(opened, stream, video.source, video.path, tell), stream, begin)


def _frames(opened: InputContainer, stream: VideoStream, source: Source, path: str, tell: Tell) -> Iterator[VideoFrame]:
    context = stream.codec_context
    if not context.is_open:
        context.options = {"max_pixels": str(source.bounds.film_pixels)}  # a frame may be larger than the file's head says
        context.thread_type, context.thread_count = "AUTO", min(_THREADS, os.cpu_count() or 1)
    return container.decoded(opened, stream, source, path, tell)


def _timed(frames: Iterable[VideoFrame], stream: VideoStream, begin: Fraction) -> Iterator[Timed]:
    """Frames with the times from which and until which they are on; those that do not come in order are left out."""
    usual = 1 / stream.average_rate if stream.average_rate else Fraction(1, 25)
    ends = last = None
    for frame in frames:
        base = frame.time_base or stream.time_base
        since = ends if frame.pts is None else frame.pts * base - begin
        since = Fraction(0) if since is None else since
        if last is not None and since <= last:
            continue
        last, ends = since, since + (frame.duration * base if frame.duration else usual)
        yield since, ends, frame


def _animation(video: Video, box: Box | None) -> Iterator[Shown]:
    for since, until, picture in image.animation(video.source, video.path):
        still = image.pixels(picture, box)  # at once: the picture becomes the next one
        yield Fraction(since), Fraction(until), lambda still=still: still


class _Painter:
    """Makes pixels of one stream's frames, also when the file is closed by then."""

    def __init__(self, stream: VideoStream, box: Box | None) -> None:
        from av.video.reformatter import VideoReformatter

        self.box, self._scaler = box, VideoReformatter()
        aspect = stream.sample_aspect_ratio or Fraction(1)  # of a pixel
        self._aspect = aspect if Fraction(1, 8) <= aspect <= 8 else Fraction(1)

    def shape(self, frame: VideoFrame) -> tuple[int, int]:
        """Width and height as the frame is to be seen: turned, and its pixels square."""
        width = max(round(frame.width * self._aspect), 1)
        return (frame.height, width) if _turns(frame) % 2 else (width, frame.height)

    def pixels(self, frame: VideoFrame) -> np.ndarray:
        """The frame as it is to be seen, no larger than the box: uint8 [H, W, 3]."""
        turns, (width, height) = _turns(frame), fit(*self.shape(frame), self.box)
        width, height = (height, width) if turns % 2 else (width, height)
        colours = _ITU709 if frame.colorspace == _UNSAID and frame.height >= _HD else None
        scaling = "AREA" if width < frame.width else "BICUBIC"
        made = self._scaler.reformat(frame, width, height, "rgb24", src_colorspace=colours, interpolation=scaling)
        return np.ascontiguousarray(np.rot90(made.to_ndarray(), turns))


def _turns(frame: VideoFrame) -> int:
    """Quarter turns, counterclockwise."""
    return round(frame.rotation / 90) % 4


class _Sounds:
    """A film's sound, cut where its frames are."""

    def __init__(self, blocks: Iterator[Sound]) -> None:
        self._blocks, self._held = blocks, None

    def until(self, sample: int) -> Iterator[Sound]:
        """What comes before a sample, in pieces of at most ten seconds."""
        pieces, at = [], None
        while True:
            self._held = next(self._blocks, None) if self._held is None else self._held
            if self._held is None or self._held.start >= sample:
                break
            begin, samples = self._held
            at = begin if at is None else at
            pieces.append(samples[: sample - begin])
            self._held = Sound(sample, samples[sample - begin :]) if begin + samples.size > sample else None
            if sum(piece.size for piece in pieces) >= _LONGEST:
                yield Sound(at, np.concatenate(pieces))
                pieces, at = [], None
        if pieces:
            yield Sound(at, np.concatenate(pieces))

    def close(self) -> None:
        """Let go of the file."""
        self._blocks.close()
