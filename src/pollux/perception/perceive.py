"""From pictures, sound and films to transcripts: what a model reads of them.

    Image ─ image.look ──> sight ──┐
    Audio ─ audio.listen > hearing ┴─> Transcript
    Video ─ video.play ──> both ───┘

Pictures and sound are streamed: of a film of ten hours no more than some frames and seconds are in memory at a time.

    picture: <image> words \\n codes            frame: <frame> 12:34 \\n words \\n codes
    sound:   <audio> 12:34 \\n words \\n codes    (a line for each breath; ends where nobody speaks)

Axis letters: H, W rows and columns of pixels; R, C rows and columns of cells; N codes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from pollux.base.errors import MediaError
from pollux.media import audio, image, video
from pollux.media.container import Tell, silent
from pollux.media.segment import Document, Problem
from pollux.media.senses import Audio, Frame, Image, Sound, Video
from pollux.media.transcript import FRAME, PICTURE, Transcript, Writer
from pollux.perception.percepts import Heard, Seen
from pollux.perception.stretches import stretches
from pollux.perception.written import write_heard, write_seen

# Called with seconds, or pictures, that are done, and how many there are.
Progress = Callable[[float, float], None]

# Frames that are seen at once.
_FRAMES = 16


class Sight(Protocol):
    """What sees (`perception.vision.sight`)."""

    def resize(self, picture: np.ndarray, cells: int) -> np.ndarray: ...

    def see(self, pictures: Sequence[np.ndarray]) -> list[Seen]: ...


class Hearing(Protocol):
    """What hears (`perception.audio.hearing`)."""

    def listen(self, blocks: Iterable[np.ndarray]) -> Iterator[Heard]: ...


@dataclass(frozen=True)
class Detail:
    """How many tokens pictures become, at most: each cell of a picture is one.

    Attributes:
        picture: Cells of a picture. frame: of a frame of a film. page: of a PDF's page.
    """

    picture: int = 256
    frame: int = 64
    page: int = 1024


DETAIL = {"low": Detail(64, 64, 256), "medium": Detail(), "high": Detail(1024, 256, 1024)}


@dataclass(frozen=True)
class Perception:
    """Sight and hearing together."""

    sight: Sight
    hearing: Hearing
    detail: Detail = DETAIL["medium"]

    def documents(self, documents: Sequence[Document], progress: Progress | None = None, tell: Tell = silent) -> list[Document]:
        """Documents with a transcript in the place of each picture, sound and film; texts stay as they are. A file that cannot be
        decoded is left out, and told of.

        Args:
            progress: Called with what is done, and with how much there is: seconds of sound and films, and pictures.
            tell: Called with a warning for what is damaged or missing.
        """
        counted = _Counted(documents, progress)
        found = []
        for document in documents:
            try:
                found.append(replace(document, segments=tuple(self._segment(each, counted, tell) for each in document.segments)))
            except MediaError as error:
                tell(Problem(document.path, error.message, error.hint))
        return found

    def _segment(self, segment, counted: _Counted, tell: Tell):
        if isinstance(segment, Image):
            return self._image(segment, counted)
        if isinstance(segment, Audio):
            return self._audio(segment, counted, tell)
        if isinstance(segment, Video):
            return self._video(segment, counted, tell)
        return segment

    def _image(self, segment: Image, counted: _Counted) -> Transcript:
        cells = self.detail.page if segment.page is not None and segment.region is None else self.detail.picture
        writer = Writer(segment.path, segment.page, segment.frame)
        (pixels,) = image.look([segment])
        (seen,) = self.sight.see([self.sight.resize(pixels, cells)])
        writer.mark(PICTURE)
        write_seen(writer, seen, None, segment.region)
        counted.add(1)
        return writer.done()

    def _audio(self, segment: Audio, counted: _Counted, tell: Tell) -> Transcript:
        writer = Writer(segment.path)
        for heard in stretches(self._heard(audio.listen(segment, tell), segment.start)):
            write_heard(writer, heard)
            counted.add(heard.end - heard.start)
        return writer.done()

    def _video(self, segment: Video, counted: _Counted, tell: Tell) -> Transcript:
        writer = Writer(segment.path)
        sound = iter(()) if not segment.sound else stretches(self._heard(audio.listen(segment, tell), segment.start))
        waiting, done = next(sound, None), segment.start
        for frame, seen in self._frames(video.look(segment, None, tell)):
            while waiting is not None and waiting.start < frame.time:  # what is said before a frame comes before it
                write_heard(writer, waiting)
                waiting = next(sound, None)
            writer.mark(FRAME)
            write_seen(writer, seen, frame.time)
            counted.add(frame.time - done)
            done = frame.time
        while waiting is not None:
            write_heard(writer, waiting)
            waiting = next(sound, None)
        counted.add(segment.stop - done)
        return writer.done()

    def _frames(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Seen]]:
        for some in _batches(frames, _FRAMES):
            pictures = [self.sight.resize(frame.pixels, self.detail.frame) for frame in some]
            yield from zip(some, self.sight.see(pictures), strict=True)

    def _heard(self, sounds: Iterable[Sound], start: float) -> Iterator[Heard]:
        """What is heard, its times those of the file."""
        for heard in self.hearing.listen(sound.samples for sound in sounds):
            words = tuple(word._replace(start=word.start + start, end=word.end + start) for word in heard.words)
            yield heard._replace(start=heard.start + start, end=heard.end + start, words=words)


def _batches(items: Iterable, size: int) -> Iterator[list]:
    held = []
    for item in items:
        held.append(item)
        if len(held) == size:
            yield held
            held = []
    if held:
        yield held


class _Counted:
    """Adds up how much is done: a second of sound or film, or a picture, is one."""

    def __init__(self, documents: Sequence[Document], progress: Progress | None) -> None:
        segments = [segment for document in documents for segment in document.segments]
        sizes = [1.0 if isinstance(s, Image) else s.seconds if isinstance(s, Audio | Video) else 0.0 for s in segments]
        self._total, self._done, self._progress = sum(sizes), 0.0, progress

    def add(self, amount: float) -> None:
        self._done += amount
        if self._progress:
            self._progress(self._done, self._total)
