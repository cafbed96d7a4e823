"""Doubles of senses for the studio's tests, and what they see and hear: a picture with a sign, a sound of a word a second."""

from __future__ import annotations

import io

import numpy as np

from pollux.media.senses import RATE
from pollux.perception.perceive import Perception
from pollux.perception.percepts import Heard, Said, Seen, Word

SIGN = (0.1, 0.2, 0.5, 0.3)  # left, top, right, bottom


class Eyes:
    def __init__(self) -> None:
        self.cells: list[int] = []

    def resize(self, picture, cells):
        self.cells.append(cells)
        return picture

    def see(self, pictures):
        return [Seen(np.full((2, 2), 7, np.int32), (Word("SIGN", SIGN),)) for _ in pictures]


class Ears:
    def listen(self, blocks):
        seconds = round(sum(block.size for block in blocks) / RATE)
        words = tuple(Said(f"w{n}", n, n + 0.5) for n in range(seconds))
        yield Heard(0.0, float(seconds), np.zeros(25 * seconds, np.int32), words)


def perception() -> Perception:
    return Perception(Eyes(), Ears())


def picture() -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (320, 200), (200, 210, 220)).save(out, "PNG")
    return out.getvalue()


def sound(seconds: int = 8) -> bytes:
    import soundfile

    out = io.BytesIO()
    soundfile.write(out, np.zeros(seconds * RATE, np.float32), RATE, format="WAV")
    return out.getvalue()


def film(seconds: int = 4) -> bytes:
    """Grey, silent, in WebM, which every Chromium plays."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="webm") as container:
        stream = container.add_stream("libvpx", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(10 * seconds):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 + 4 * number, np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()
