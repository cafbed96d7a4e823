"""Pages of a PDF as pictures: which there are, and their pixels, by way of a child process (`page_child`).

Axis letters: H, W rows and columns of pixels.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Timer
from time import monotonic

import numpy as np

from pollux.base.errors import MediaError
from pollux.media.senses import Box, Image
from pollux.media.source import Source, library

_SCALE = 2.0  # pixels per point: 144 dots an inch, at which footnotes can be read
_SIDE = 4096  # pixels of a page's or picture's longer side
_WHOLE = (0.0, 0.0, 1.0, 1.0)


class Book:
    """A PDF whose pages can be listed and drawn. The child process starts when it is needed, and anew after it was stopped."""

    def __init__(self, source: Source, path: str) -> None:
        self.source, self.path = source, path
        self._process: subprocess.Popen | None = None
        self._late = False

    def __enter__(self) -> Book:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the child process."""
        if self._process is not None:
            self._process.kill()
            for pipe in (self._process.stdin, self._process.stdout):
                with suppress(OSError):  # what was not yet written is lost
                    pipe.close()
            self._process.wait()
            self._process = None

    def page(self, number: int) -> list[Image]:
        """A whole page, counted from 1, as a segment; none for an empty page. Raises MediaError as `draw` does."""
        listed = self._ask({"page": number, "most": 0})[0]
        return [] if listed["empty"] else [self._page(number, listed)]

    def pictures(self, number: int) -> list[Image]:
        """The larger pictures on a page, from top to bottom. Raises MediaError as `draw` does."""
        listed = self._ask({"page": number, "most": self.source.bounds.pdf_pictures})[0]
        page = self._page(number, listed)
        return [_picture(page, listed, *found) for found in listed["pictures"]]

    def draw(self, image: Image, box: Box | None = None) -> np.ndarray:
        """The pixels of a page or of a picture on it, no larger than the box: uint8 [H, W, 3].

        Raises:
            MediaError: The page is not there or damaged, or takes too long or too much memory.
        """
        scale = min(box[0] / image.width, box[1] / image.height, 1.0) if box else 1.0
        width, height = max(round(image.width * scale), 1), max(round(image.height * scale), 1)
        request = {"page": image.page, "region": image.region or _WHOLE, "size": (width, height)}
        _, drawn = self._ask(request)
        return np.frombuffer(drawn, np.uint8).reshape(height, -1, 4)[:, :width, :3].copy()

    def _page(self, number: int, listed: dict) -> Image:
        width, height = _within(max(listed["width"], 1.0) * _SCALE, max(listed["height"], 1.0) * _SCALE)
        return Image(self.path, self.source, width, height, page=number)

    def _ask(self, request: dict) -> tuple[dict, bytes]:
        """Put a request to the child; a child that fails is gone, and the next request gets a new one."""
        self._late, clock = False, Timer(self.source.bounds.pdf_page_seconds, self._stop)
        clock.daemon = True
        clock.start()
        try:
            if self._process is None:
                self._start()
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            answer = self._answer()
            rest = self._process.stdout.read(answer.get("bytes", 0))
        except (OSError, ValueError):  # it is gone, or was stopped in the middle of a line
            answer, rest = {}, b""
        finally:
            clock.cancel()
        if len(rest) != answer.get("bytes", 0) or not answer:
            self.close()
            raise self._failed(request, "takes too long or too much memory")
        if "error" in answer:
            raise self._failed(request, answer["error"])
        return answer, rest

    def _start(self) -> None:
        """Start the child and hand it the file. Raises OSError, ValueError when it dies of it, MediaError for what is no PDF."""
        library("pypdfium2", self.path)
        with self.source.open(self.path) as file:
            data = file.read()
        script, bounds = Path(__file__).with_name("page_child.py"), self.source.bounds
        # -P: the script's folder must not become a place to import from, its files are named like any module.
        command = [sys.executable, "-P", str(script), str(bounds.pdf_memory + 2 * len(data))]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        if self._late:  # the clock rang when there was nothing to stop
            self._process.kill()
        self._process.stdin.write(b"%d\n" % len(data) + data)
        self._process.stdin.flush()
        if "error" in (answer := self._answer()):
            self.close()
            raise MediaError(f"{self.path} cannot be drawn: {answer['error']}", "print it to a new PDF.", path=self.path)

    def _stop(self) -> None:
        self._late = True
        if self._process is not None:
            self._process.kill()

    def _answer(self) -> dict:
        return json.loads(self._process.stdout.readline())

    def _failed(self, request: dict, why: str) -> MediaError:
        message = f"page {request['page']} of {self.path} cannot be drawn: {why}"
        return MediaError(message, "print it to a new PDF.", path=self.path)


def seen(source: Source, path: str, written: list[int], bare: list[int]) -> tuple[list[Image], list[int]]:
    """What there is to see in a PDF, in the order of its pages: pictures on the ``written`` pages, the ``bare`` ones as a whole.

    Returns the segments, and the pages that were not looked at: damaged, too much work, or past the time for one file.

    Raises:
        MediaError: pypdfium2 is not installed, or the file is gone.
    """
    library("pypdfium2", path)
    found, lost, end = [], [], monotonic() + source.bounds.pdf_seconds
    with Book(source, path) as book:
        for number in sorted(written + bare):
            if monotonic() > end:
                lost.append(number)
                continue
            try:
                found.extend(book.page(number) if number in bare else book.pictures(number))
            except MediaError:
                lost.append(number)
    return found, lost


def _picture(page: Image, listed: dict, left: float, top: float, right: float, bottom: float, across: int, down: int) -> Image:
    """A picture on a page, as large as its own pixels make it; its shape is that on the page."""
    wide, high = (right - left) * max(listed["width"], 1.0), (bottom - top) * max(listed["height"], 1.0)
    scale = max(across, down) / max(wide, high)
    width, height = _within(wide * scale, high * scale)
    return Image(page.path, page.source, width, height, page.page, region=(left, top, right, bottom))


def _within(width: float, height: float) -> tuple[int, int]:
    scale = min(_SIDE / width, _SIDE / height, 1.0)
    return max(round(width * scale), 1), max(round(height * scale), 1)
