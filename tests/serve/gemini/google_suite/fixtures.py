"""Pictures, sound, a film and texts of ours in the place of those that Google's tests name, and do not come with."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import soundfile
from PIL import Image, ImageDraw

_STORY = "Once upon a time a fox lived at the quay. It had a green lamp."
_RATE, _SECONDS, _SIZE = 16_000, 3, (320, 240)
_NAMED = re.compile(r"data/([\w-]+\.\w+)")
_STORED = re.compile(r"https://generativelanguage\.googleapis\.com/v1beta/files/(\w+)'\s*,?\s*\)?,?\s*'?mime_type'?\s*[=:]\s*'([^']+)'")
_BY_TYPE = {
    "image/png": "a.png", "image/jpeg": "a.jpg", "application/pdf": "a.pdf", "video/mp4": "a.mp4", "text/plain": "a.txt",
}  # fmt: skip


def put(tests: Path) -> None:
    """Write each file that the tests in a folder name to its place, where there is none."""
    for path in sorted(tests.rglob("test_*.py")):
        for name in _NAMED.findall(path.read_text()):
            if not (whole := tests / "data" / name).exists():
                whole.parent.mkdir(exist_ok=True)
                make(whole)


def stored(tests: Path) -> dict[str, str]:
    """Files that the tests take to be stored at Google's: the type of each by its name."""
    found = {}
    for path in sorted(tests.rglob("test_*.py")):
        found |= dict(_STORED.findall(path.read_text()))
    return found


def make(path: Path) -> None:
    """A file of the kind that its name says."""
    _MAKERS[path.suffix](path)


def of_type(mime: str, folder: Path) -> Path:
    """A file of this type in a folder; sound where we have none."""
    path = folder / _BY_TYPE.get(mime, "a.m4a")
    if not path.exists():
        make(path)
    return path


def _picture(path: Path) -> None:
    picture = Image.new("RGB", _SIZE, "white")
    ImageDraw.Draw(picture).text((40, 90), path.stem.upper(), fill="black", font_size=40)
    picture.save(path)


def _tone() -> np.ndarray:
    return (0.1 * np.sin(np.arange(_SECONDS * _RATE) * 2 * np.pi * 440 / _RATE)).astype(np.float32)


def _wave(path: Path) -> None:
    soundfile.write(path, _tone(), _RATE)


def _sound(path: Path) -> None:
    with av.open(str(path), "w", format="ipod") as container:
        stream, buffer = container.add_stream("aac", rate=_RATE, layout="mono"), av.AudioFifo()
        frame = av.AudioFrame.from_ndarray(_tone()[None], format="fltp", layout="mono")
        frame.rate = _RATE
        buffer.write(frame)
        for piece in buffer.read_many(1024):
            container.mux(stream.encode(piece))
        container.mux(stream.encode())


def _film(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=5)
        stream.width, stream.height, stream.pix_fmt = *_SIZE, "yuv420p"
        for number in range(5 * _SECONDS):
            container.mux(stream.encode(av.VideoFrame.from_image(Image.new("RGB", _SIZE, (10 * number, 80, 120)))))
        container.mux(stream.encode())


def _text(path: Path) -> None:
    path.write_text(_STORY * 20)


def _pdf(path: Path) -> None:
    shown = f"BT /F1 14 Tf 50 700 Td ({_STORY}) Tj ET"
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        f"<</Length {len(shown)}>>stream\n{shown}\nendstream", "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]  # fmt: skip
    whole, starts = "%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        starts.append(len(whole))
        whole += f"{number} 0 obj{each}endobj\n"
    table = "".join(f"{start:010d} 00000 n \n" for start in starts)
    path.write_text(
        f"{whole}xref\n0 6\n0000000000 65535 f \n{table}trailer<</Size 6/Root 1 0 R>>\nstartxref\n{len(whole)}\n%%EOF"
    )


_MAKERS: dict[str, Callable[[Path], None]] = {
    ".png": _picture, ".jpg": _picture, ".wav": _wave, ".m4a": _sound, ".mp4": _film, ".txt": _text, ".pdf": _pdf,
}  # fmt: skip
