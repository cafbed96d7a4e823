"""Films and sounds encoded on the spot, whose every frame and moment is known."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np

GREYS = 24  # a frame's grey tells its number, so far apart that encoding does not blur them


def grey(number: int) -> int:
    return 16 + number % GREYS * 9


def number(pixels: np.ndarray) -> int:
    """The number that a frame shows, modulo 24."""
    return round((float(pixels[4:-4, 4:-4].mean()) - 16) / 9)


def clicks(rate: int, seconds: float, channels: int = 1) -> np.ndarray:
    """20 ms of a 1 kHz tone at the beginning of every second: float32 [C, S]."""
    time = np.arange(round(rate * seconds)) / rate
    tone = np.where(time % 1 < 0.02, 0.8 * np.sin(2 * np.pi * 1000 * time), 0).astype(np.float32)
    return np.repeat(tone[None], channels, 0)


def onsets(samples: np.ndarray) -> list[float]:
    """Seconds at which clicks begin."""
    loud = np.flatnonzero(np.abs(samples) > 0.2)
    return [float(loud[i]) / 16_000 for i in range(loud.size) if not i or loud[i] - loud[i - 1] > 1600]


def film(
    form: str = "mp4",
    codec: str | None = "libx264",
    seconds: float = 4,
    fps: int = 12,
    size: tuple[int, int] = (64, 48),
    sound: str | None = "aac",
    times: list[float] | None = None,
    rate: int = 48_000,
    group: int = 12,
    delay: float = 0.0,
    faststart: bool = False,
) -> bytes:
    """A film of grey frames, numbered, and a click a second; ``times`` are those of its frames, ``delay`` that of its sound."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "film")
        _write(str(path), form, codec, seconds, fps, size, sound, times, rate, group, delay, faststart)
        return path.read_bytes()


def _write(path, form, codec, seconds, fps, size, sound, times, rate, group, delay, faststart) -> None:
    options = {"movflags": "faststart"} if faststart else {}  # the index at the front, for which the file is written twice
    with av.open(path, "w", format=form, container_options=options) as container:
        pictures = container.add_stream(codec, rate=fps) if codec else None
        if pictures:
            pictures.width, pictures.height, pictures.pix_fmt, pictures.gop_size = *size, "yuv420p", group
            pictures.codec_context.time_base = Fraction(1, 1000) if times else Fraction(1, fps)
        heard = container.add_stream(sound, rate=rate, layout="mono") if sound else None
        if pictures:
            for i, time in enumerate(times or np.arange(round(seconds * fps)) / fps):
                frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), grey(i), np.uint8), format="rgb24")
                frame.pts, frame.time_base = (round(time * 1000), Fraction(1, 1000)) if times else (i, Fraction(1, fps))
                container.mux(pictures.encode(frame))
            container.mux(pictures.encode())
        if heard:
            for frame in _framed(heard, clicks(rate, seconds), rate, delay):
                container.mux(heard.encode(frame))
            container.mux(heard.encode())


def _framed(stream, samples: np.ndarray, rate: int, delay: float) -> list[av.AudioFrame]:
    whole = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
    whole.sample_rate, whole.time_base, whole.pts = rate, Fraction(1, rate), round(delay * rate)
    size = stream.codec_context.frame_size or 1024
    cut = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=rate, frame_size=size)
    return cut.resample(whole) + cut.resample(None)
