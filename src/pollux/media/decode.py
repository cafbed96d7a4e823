"""The way in: what the user names becomes documents, and one clear problem for each file that cannot be read.

    paths ─folder.find→ files ─load→ bytes ─sniff→ text | html | pdf ─decode→ Document

Nothing a file holds makes `read` raise or wait: pipes and devices are never opened, sizes and times are bounded.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pollux.base.errors import MediaError
from pollux.media import document, folder, sniff
from pollux.media.segment import Document, Problem, Reading, Text

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


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


def read(paths: Sequence[str | Path], *, stdin: bytes | None = None, limits: Limits = Limits()) -> Reading:
    """Read files, folders, patterns ("src/**/*.py", quoted) and "-", standard input, in the order given.

    A file that is named twice, or reached by two ways, is read once. Nothing about the files makes this raise.

    Args:
        paths: What to read.
        stdin: What came on standard input, for "-".
        limits: How much to read.

    Returns:
        The documents, the problems, and how many files in folders were passed over.
    """
    shelf = _Shelf(stdin, limits)
    for given in paths:
        shelf.add(os.fspath(given))
    return Reading(tuple(shelf.documents), tuple(shelf.problems), shelf.skipped)


def decode(data: bytes, path: str, limits: Limits = Limits()) -> tuple[Document, list[Problem]]:
    """Turn one file's bytes into a document, with warnings about what was guessed or lost.

    Args:
        data: The whole file.
        path: What to call it; its extension helps to tell HTML from source code.
        limits: Bounds for PDF.

    Raises:
        MediaError: The bytes hold no text, or none that this version can take out; `sniff.NotText` for the former.
    """
    if not data:
        raise sniff.NotText(f"{path} is empty", "give a file that holds text.", path=path)
    if sniff.kind(data, path) == "pdf":
        bounds = {"page_seconds": limits.pdf_page_seconds, "seconds": limits.pdf_seconds, "memory": limits.pdf_memory}
        return document.pdf(data, path, pages=limits.pdf_pages, **bounds)
    text, remark = sniff.text_of(data, path)
    lines = None
    if sniff.is_html(text, path):
        text, lines = document.page_text(text)
    if not text or text.isspace():
        raise sniff.NotText(f"{path} holds no text", "give a file that holds text.", path=path)
    hint = "if characters look wrong, convert the file to UTF-8 (iconv -f ENCODING -t UTF-8) and read that."
    warnings = [Problem(path, f"{path}: {remark}", hint, "warning")] if remark else []
    return Document(path, (Text(path, text, lines=lines),)), warnings


def load(file: str, label: str, most: int) -> tuple[bytes, tuple[int, int]]:
    """Read a regular file of at most ``most`` bytes; also gives its identity (device and inode).

    Raises:
        sniff.NotText: It is a pipe, a device, a socket or a folder; none of these is opened.
        MediaError: It is missing, unreadable or too large.
    """
    try:
        _regular(os.stat(file), label)
        # It may be replaced by a pipe between the two calls: not blocking, and looking again, covers that.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
        with open(os.open(file, flags), "rb") as opened:
            status = os.fstat(opened.fileno())
            _regular(status, label)
            if status.st_size > most:
                raise _too_large(label, status.st_size, most)
            data = opened.read(status.st_size + 1) or b""
            while len(data) <= most and (more := opened.read(1 << 20)):  # it grew, or is one of /proc, whose size is 0
                data += more
    except (OSError, ValueError) as error:
        raise _unreadable(file, label, error) from error
    if len(data) > most:
        raise _too_large(label, len(data), most)
    return data, (status.st_dev, status.st_ino)


class _Shelf:
    """What one reading has gathered so far."""

    def __init__(self, stdin: bytes | None, limits: Limits) -> None:
        self.stdin, self.limits = stdin, limits
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
            data, identity = load(found.file, found.label, self.limits.file_bytes)
            if identity not in self.seen:
                self.seen.add(identity)
                self._keep(data, found.label)
        except sniff.NotText as error:
            self.skipped += not found.named
            self.problems.extend([_problem(error)] if found.named else [])
        except MediaError as error:
            self.problems.append(_problem(error))
        except MemoryError:
            self.problems.append(Problem(found.label, f"{found.label} does not fit in memory", "split it."))

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

    def _keep(self, data: bytes, label: str) -> None:
        self.bytes += len(data)
        if self.bytes > self.limits.total_bytes:
            self._stop(label, f"the files are more than {_size(self.limits.total_bytes)} together")
            return
        read, warnings = decode(data, label, self.limits)
        self.documents.append(read)
        self.problems.extend(warnings)

    def _stop(self, label: str, why: str) -> None:
        self.full = True
        self.problems.append(Problem(label, f"{why}; {label} and what follows was not read", "name fewer files."))


def _regular(status: os.stat_result, label: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        what = _KINDS.get(stat.S_IFMT(status.st_mode), "no regular file")
        raise sniff.NotText(
            f"{label} is {what}, not a file", "write what it gives to a file, or pipe it in.", path=label
        )


def _unreadable(file: str, label: str, error: OSError | ValueError) -> MediaError:
    """Say why a file could not be opened, and where a name is wrong, which is near."""
    if isinstance(error, FileNotFoundError) and os.path.islink(file):
        target = folder.label(os.readlink(file))
        return MediaError(f"{label} is a broken link (to {target})", "restore what it points to.", path=label)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return MediaError(f"there is no file {label or repr(label)}", folder.suggest(file), path=label)
    if isinstance(error, PermissionError):
        return MediaError(f"{label} may not be read by you", "check its permissions (ls -l).", path=label)
    why = error.strerror if isinstance(error, OSError) else str(error)
    return MediaError(f"{label} cannot be read: {why}", "check the name and the disk.", path=label)


def _too_large(label: str, size: int, most: int) -> MediaError:
    message = f"{label} is {_size(size)}, and a file may be {_size(most)} at most"
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


def _size(count: int) -> str:
    """A number of bytes as people write it."""
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count} bytes"
