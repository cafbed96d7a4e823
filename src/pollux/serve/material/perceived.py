"""Pictures, sound and films that are sent, as the default model sees and hears them: the part and the detail that are asked for.

    bytes ─media.decode→ Document ─`cut`→ the part that videoMetadata names ─perception→ transcripts
      └─ each file in each manner once: documents are kept on a `Shelf`
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field, replace

from pollux.base.errors import MediaError
from pollux.media.decode import Senses, decode
from pollux.media.segment import Document, Problem
from pollux.media.senses import Audio, Video
from pollux.perception.perceive import DETAIL, Perception
from pollux.serve.errors import ApiError
from pollux.serve.gemini.wire import seconds_of
from pollux.serve.material.shelf import Shelf
from pollux.serve.storage.files import StoredFile
from pollux.serve.storage.kinds import unseen

_DETAILS = {"MEDIA_RESOLUTION_LOW": "low", "MEDIA_RESOLUTION_MEDIUM": "medium"}


@dataclass(frozen=True)
class Manner:
    """How a part of a message is to be looked at and listened to.

    Attributes:
        start, end: Seconds of a sound or a film; None for its end. rate: Frames a second. detail: As `perceive.DETAIL` has it.
    """

    start: float = 0.0
    end: float | None = None
    rate: float = 1.0
    detail: str = "medium"


def manner(part: dict, resolution: str = "") -> Manner:
    """What a part says of it, or for its detail, the request (``resolution``); highest where neither is known better."""
    video, own = part.get("videoMetadata", {}), part.get("mediaResolution", {})
    level = (own.get("level", "") if isinstance(own, dict) else own) or resolution
    end = seconds_of(video["endOffset"]) if "endOffset" in video else None
    detail = "medium" if not level or level.endswith("UNSPECIFIED") else _DETAILS.get(level, "high")
    return Manner(seconds_of(video.get("startOffset", "0s")), end, video.get("fps", 1.0), detail)


@dataclass
class Perceiver:
    """The default model's senses, for one request at a time. ``perception``: None where it has none."""

    perception: Perception | None
    shelf: Shelf = field(default_factory=Shelf)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sent(self, data: bytes, path: str, how: Manner) -> Document:
        """What was sent under this name, as it is read. Raises as `document` does."""
        key = (hashlib.sha256(data).hexdigest(), path, how)
        return self.shelf.read(key, lambda: self.document(data, path, how))

    def stored(self, file: StoredFile, how: Manner) -> Document:
        """A stored file as it is read. Raises as `document` and `StoredFile.read` do."""
        file.check_state()
        path = file.display_name or file.name
        return self.shelf.read((file.sha256, path, how), lambda: self.document(file.read(), path, how))

    def document(self, data: bytes, path: str, how: Manner) -> Document:
        """A file as it is read; what is text stays text.

        Raises:
            MediaError: the bytes cannot be read, or only with senses that there are not. ApiError: 400 for a part that lies
                behind a film's end.
        """
        if self.perception is None:
            if why := unseen(data, path):
                raise MediaError(why, "give text, source code, HTML or PDF", path=path)
            return decode(data, path)[0]
        document = _cut(decode(data, path, senses=Senses(rate=how.rate, moving=True))[0], how)
        told: list[Problem] = []
        with self._lock:
            found = replace(self.perception, detail=DETAIL[how.detail]).documents([document], tell=told.append)
        if not found:
            raise MediaError(told[-1].message, told[-1].hint, path=path)
        return found[0]


def _cut(document: Document, how: Manner) -> Document:
    def part(segment):
        if not isinstance(segment, Audio | Video):
            return segment
        if how.start >= segment.duration:
            told = f"video_metadata.start_offset: {how.start:g} s is not before the end of {document.path}, {segment.duration:g} s."
            raise ApiError(400, told)
        return replace(segment, start=how.start, end=how.end)

    return replace(document, segments=tuple(map(part, document.segments)))
