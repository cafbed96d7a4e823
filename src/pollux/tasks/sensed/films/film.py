"""A long film made of a few frames over and over, really encoded (H.264, and AAC, in MP4), in which single frames can be others.

Ten frames are encoded together, and depend on no others. So a film of hours takes as long to write as its frames take once, and
where one frame is another, only its ten are encoded anew.

Axis letters: H, W rows and columns of pixels; S samples, of which 16,000 are a second.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property

import numpy as np

from pollux.media.senses import RATE
from pollux.media.source import library

_GROUP = 10  # frames that depend on each other
_CODEC, _OPTIONS = "libx264", {"preset": "veryfast", "bf": "0", "crf": "20", "g": str(_GROUP), "threads": "1"}
_HEADER = 1 << 22  # FFmpeg's flag: what a decoder has to know stands once, at the head of the file


class Film:
    """Frames, one a second, uint8 [H, W, 3] of one size with even sides, repeated until there are ``length``.

    Raises:
        ValueError: when there are no frames, or they are of several sizes, or of an odd one.
    """

    def __init__(self, frames: Sequence[np.ndarray], length: int) -> None:
        shapes = {frame.shape for frame in frames}
        if len(shapes) != 1 or any(side % 2 for side in next(iter(shapes))[:2]) or length < 1:
            got = f"{len(frames)} of sizes {sorted(shapes)}, for {length} s"
            raise ValueError(f"a film is a second or more of frames of one size with even sides, got {got}")
        self._av = library("av", "a film")
        self.frames, self.length = list(frames), length

    def frame(self, second: int) -> np.ndarray:
        """The picture at a second, where it is not another."""
        return self.frames[second % len(self.frames)]

    def write(self, others: Mapping[int, np.ndarray] = {}, sound: np.ndarray | None = None) -> bytes:
        """The film as a file, some seconds showing other pictures; with sound, float32 [S], -1 to 1, where there is any."""
        out = io.BytesIO()
        with self._av.open(out, "w", format="mp4") as container:
            heard = None if sound is None else container.add_stream("aac", rate=RATE, layout="mono")
            stream = container.add_stream(_CODEC, rate=1, options=_OPTIONS)
            stream.width, stream.height, stream.pix_fmt = self.frames[0].shape[1], self.frames[0].shape[0], "yuv420p"
            stream.time_base = Fraction(1, 1)
            stream.codec_context.flags |= _HEADER
            stream.codec_context.open()
            for first in range(0, self.length, _GROUP):
                for i, (data, key) in enumerate(self._group(first, others)):
                    packet = self._av.Packet(data)
                    packet.pts = packet.dts = first + i
                    packet.duration, packet.time_base, packet.stream, packet.is_keyframe = 1, Fraction(1, 1), stream, key
                    container.mux(packet)
            if heard is not None:
                for start in range(0, sound.size, RATE):
                    container.mux(heard.encode(self._block(sound[start : start + RATE], start)))
                container.mux(heard.encode(None))
        return out.getvalue()

    def _block(self, samples: np.ndarray, start: int):
        block = self._av.AudioFrame.from_ndarray(samples.astype(np.float32)[None], format="fltp", layout="mono")
        block.sample_rate, block.pts, block.time_base = RATE, start, Fraction(1, RATE)
        return block

    def _group(self, first: int, others: Mapping[int, np.ndarray]) -> list[tuple[bytes, bool]]:
        """Ten frames, or what is left, encoded: the bytes of each, and whether it depends on none before it."""
        seconds = range(first, min(first + _GROUP, self.length))
        if any(second in others for second in seconds):
            return self._encoded([others.get(second, self.frame(second)) for second in seconds])
        which = first % len(self.frames)
        if which not in self._known or len(self._known[which]) < len(seconds):
            self._known[which] = self._encoded([self.frame(second) for second in seconds])
        return self._known[which][: len(seconds)]

    @cached_property
    def _known(self) -> dict[int, list[tuple[bytes, bool]]]:
        """Groups that were encoded before, by the number of their first frame."""
        return {}

    def _encoded(self, frames: Sequence[np.ndarray]) -> list[tuple[bytes, bool]]:
        context = self._av.CodecContext.create(_CODEC, "w")
        context.height, context.width = frames[0].shape[:2]
        context.pix_fmt, context.time_base, context.framerate = "yuv420p", Fraction(1, 1), Fraction(1, 1)
        context.options, context.flags = _OPTIONS, context.flags | _HEADER
        packets = []
        for number, pixels in enumerate(frames):
            picture = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 1)
            packets += context.encode(picture)
        packets += context.encode(None)
        return [(bytes(packet), packet.is_keyframe) for packet in packets]
