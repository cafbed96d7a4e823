"""The way in: what the user names becomes documents, and one clear problem for each file that cannot be read.

    paths ─folder.find→ files ─load→ bytes ─sniff→ text | html | pdf ─decode→ Document
                          └─ where senses are asked for: first bytes ─sniff→ image | audio | video ─describe→ Document

Nothing a file holds makes `read` raise or wait: pipes and devices are never opened, sizes and times are bounded.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pollux.base.errors import MediaError
from pollux.media import audio, document, folder, image, sniff, video
from pollux.media.segment import Document, Problem, Reading, Text
from pollux.media.senses import Video
from pollux.media.source import Bounds, Source, opened, size, unreadable

_HEAD = 1 << 16  # bytes by which a picture, a sound or a film is known


@dataclass(frozen=True)
class Limits:
    """How much is read before a problem is reported instead.

    Attributes:
        files: Files looked at in one reading. A project has thousands; a home folder named by mistake has millions.
        file_bytes: Size of one file. Decoded text takes up to four times as much memory.
        total_bytes: Size of all files together.
        pdf_pages: Pages read of one PDF.
        pdf_page_seconds: Time for one page; an ordinary one takes 0.05 s, a heavy drawing several seconds.
        pdf_seconds: Time for one PDF; the pages read by then are kept.
        pdf_memory: Bytes for taking a PDF apart, beside the file itself.
    """

    files: int = 100_000
    file_bytes: int = 2 << 30
    total_bytes: int = 8 << 30
    pdf_pages: int = 20_000
    pdf_page_seconds: float = 20.0
    pdf_seconds: float = 1800.0
    pdf_memory: int = 2 << 30


@dataclass(frozen=True)
class Senses:
    """That pictures, sound and films are read as well, and how. They come as segments that describe them (`media.senses`).

    Attributes:
        rate: Frames a second of films; None for every frame.
        moving: Whether an animated picture is read as a film, rather than frame by frame.
        bounds: How much is read.
    """

    rate: float | None = 1.0
    moving: bool = False
    bounds: Bounds = Bounds()


def read(
    paths: Sequence[str | Path], *, stdin: bytes | None = None, limits: Limits = Limits(), senses: Senses | None = None
) -> Reading:
    """Read files, folders, patterns ("src/**/*.py", quoted) and "-", standard input, in the order given.

    A file that is named twice, or reached by two ways, is read once. Nothing about the files makes this raise.

    Args:
        paths: What to read.
        stdin: What came on standard input, for "-".
        limits: How much to read.
        senses: How to read pictures, sound and films, and what there is to see in a PDF; None reads text only.

    Returns:
        The documents, the problems, and how many files in folders were passed over.
    """
    shelf = _Shelf(stdin, limits, senses)
    for given in paths:
        shelf.add(os.fspath(given))
    return Reading(tuple(shelf.documents), tuple(shelf.problems), shelf.skipped)


def decode(
    data: bytes, path: str, limits: Limits = Limits(), senses: Senses | None = None, *, file: str = ""
) -> tuple[Document, list[Problem]]:
    """Turn one file's bytes into a document, with warnings about what was guessed or lost.

    Args:
        data: The whole file.
        path: What to call it; its extension helps to tell HTML from source code.
        limits: Bounds for PDF.
        senses: As `read` takes it.
        file: Where the bytes are on disk, so that a PDF whose pages are seen need not stay in memory.

    Raises:
        MediaError: The bytes hold no text, or none that this version can take out; `sniff.NotText` for the former.
    """
    if not data:
        raise sniff.NotText(f"{path} is empty", "give a file that holds text.", path=path)
    if senses is not None and (found := sniff.medium(data[:_HEAD])):
        return perceive(Source(found.form, data=data, bounds=senses.bounds), found.sense, path, senses)
    if sniff.kind(data, path) == "pdf":
        bounds = {"page_seconds": limits.pdf_page_seconds, "seconds": limits.pdf_seconds, "memory": limits.pdf_memory}
        source = Source("pdf", file, None if file else data, senses.bounds) if senses else None
        return document.pdf(data, path, pages=limits.pdf_pages, **bounds, source=source)
    text, remark = sniff.text_of(data, path)
    lines = None
    if sniff.is_html(text, path):
        text, lines = document.page_text(text)
    if not text or text.isspace():
        raise sniff.NotText(f"{path} holds no text", "give a file that holds text.", path=path)
    hint = "if characters look wrong, convert the file to UTF-8 (iconv -f ENCODING -t UTF-8) and read that."
    warnings = [Problem(path, f"{path}: {remark}", hint, "warning")] if remark else []
    return Document(path, (Text(path, text, lines=lines),)), warnings


def perceive(source: Source, sense: sniff.Sense, path: str, senses: Senses) -> tuple[Document, list[Problem]]:
    """Describe a picture, a sound or a film, with warnings. Raises MediaError for what is damaged or too large."""
    if sense == "audio":
        return Document(path, (audio.describe(source, path),)), []
    if sense == "image" and not (senses.moving and image.is_moving(source, path)):
        images, warnings = image.describe(source, path)
        return Document(path, images), warnings
    film = video.animated(source, path) if sense == "image" else video.describe(source, path)
    return Document(path, (replace(film, rate=senses.rate) if isinstance(film, Video) else film,)), []


def load(file: str, label: str, most: int) -> tuple[bytes, tuple[int, int]]:
    """Read a regular file of at most ``most`` bytes; also gives its identity (device and inode).

    Raises:
        sniff.NotText: It is a pipe, a device, a socket or a folder; none of these is opened.
        MediaError: It is missing, unreadable or too large.
    """
    try:
        with opened(file, label) as found:
            status = os.fstat(found.fileno())
            if status.st_size > most:
                raise _too_large(label, status.st_size, most)
            data = found.read(status.st_size + 1) or b""
            while len(data) <= most and (more := found.read(1 << 20)):  # it grew, or is one of /proc, whose size is 0
                data += more
    except (OSError, ValueError) as error:
        raise unreadable(file, label, error) from error
    if len(data) > most:
        raise _too_large(label, len(data), most)
    return data, (status.st_dev, status.st_ino)


def _glance(file: str, label: str) -> tuple[sniff.Medium | None, tuple[int, int]]:
    """What picture, sound or film a file is, and its identity. Raises as `load` does."""
    try:
        with opened(file, label) as found:
            status = os.fstat(found.fileno())
            return sniff.medium(found.read(_HEAD) or b""), (status.st_dev, status.st_ino)
    except (OSError, ValueError) as error:
        raise unreadable(file, label, error) from error


class _Shelf:
    """What one reading has gathered so far."""

    def __init__(self, stdin: bytes | None, limits: Limits, senses: Senses | None) -> None:
        self.stdin, self.limits, self.senses = stdin, limits, senses
        self.documents: list[Document] = []
        self.problems: list[Problem] = []
        self.skipped = 0
        self.seen: set[object] = set()
        self.files, self.bytes, self.full = 0, 0, False

    def add(self, given: str) -> None:
        """Read all that ``given`` stands for."""
        if given == "-":
            self._take_stdin()
            return
        before, skipped, met = len(self.documents) + len(self.problems), self.skipped, 0
        for found in folder.find(given):
            if self.full:
                return
            if isinstance(found, Problem):
                self.problems.append(found)
            else:
                met += 1
                self._take(found)
        if len(self.documents) + len(self.problems) == before and met == self.skipped - skipped:
            self.problems.append(_nothing(given, met))

    def _take(self, found: folder.Found) -> None:
        """Read one file, or note why not."""
        self.files += 1
        if self.files > self.limits.files:
            self._stop(found.label, f"more than {self.limits.files:,} files were named")
            return
        try:
            if self.senses is not None and self._perceived(found, self.senses):
                return
            data, identity = load(found.file, found.label, self.limits.file_bytes)
            if identity not in self.seen:
                self.seen.add(identity)
                self._keep(data, found.label, found.file)
        except sniff.NotText as error:
            self.skipped += not found.named
            self.problems.extend([_problem(error)] if found.named else [])
        except MediaError as error:
            self.problems.append(_problem(error))
        except MemoryError:
            self.problems.append(Problem(found.label, f"{found.label} does not fit in memory", "split it."))

    def _perceived(self, found: folder.Found, senses: Senses) -> bool:
        """Whether a file is a picture, a sound or a film; then it is described, and never loaded."""
        medium, identity = _glance(found.file, found.label)
        if medium is not None and identity not in self.seen:
            self.seen.add(identity)
            source = Source(medium.form, found.file, bounds=senses.bounds)
            self._put(*perceive(source, medium.sense, found.label, senses))
        return medium is not None

    def _take_stdin(self) -> None:
        if "-" in self.seen:
            return
        self.seen.add("-")
        if not self.stdin:
            hint = "pipe some in, as in: cat notes.txt | pollux …"
            self.problems.append(Problem("-", "nothing came on standard input", hint))
            return
        try:
            if len(self.stdin) > self.limits.file_bytes:
                raise _too_large("-", len(self.stdin), self.limits.file_bytes)
            self._keep(self.stdin, "-")
        except MediaError as error:
            self.problems.append(_problem(error))

    def _keep(self, data: bytes, label: str, file: str = "") -> None:
        self.bytes += len(data)
        if self.bytes > self.limits.total_bytes:
            self._stop(label, f"the files are more than {size(self.limits.total_bytes)} together")
            return
        self._put(*decode(data, label, self.limits, self.senses, file=file))

    def _put(self, read: Document, warnings: list[Problem]) -> None:
        self.documents.append(read)
        self.problems.extend(warnings)

    def _stop(self, label: str, why: str) -> None:
        self.full = True
        self.problems.append(Problem(label, f"{why}; {label} and what follows was not read", "name fewer files."))


def _too_large(label: str, count: int, most: int) -> MediaError:
    message = f"{label} is {size(count)}, and a file may be {size(most)} at most"
    return MediaError(message, "split it, or raise Limits.file_bytes.", path=label)


def _nothing(given: str, met: int) -> Problem:
    """The problem of a folder or a pattern of which nothing came."""
    label = folder.label(given)
    if met:
        hint = "it reads text, Markdown, HTML, PDF and source code."
        return Problem(label, f"{label}: none of its {met} file(s) holds text that can be read", hint)
    if folder.is_pattern(given):
        return Problem(label, f"no file matches {label}", "check the pattern; ** stands for any number of folders.")
    return Problem(
        label, f"the folder {label} holds no files", "hidden and git-ignored files are passed over; name them."
    )


def _problem(error: MediaError) -> Problem:
    return Problem(error.path, error.message, error.hint)
