"""Where the bytes of pictures, sound and films are, how much of them may be read, and which libraries take them apart.

The libraries are an extra (``pip install 'pollux-lm[media]'``), imported when the first such file is met.
"""

from __future__ import annotations

import io
import os
import stat
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import BinaryIO

from pollux.base.errors import MediaError
from pollux.media import folder, sniff

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


@dataclass(frozen=True)
class Bounds:
    """How much of what can be seen and heard is read before a problem is reported instead.

    Attributes:
        image_bytes: Size of a picture's file; a photograph has 20 MiB, and a damaged one is searched from end to end.
        pixels: Of a picture. Cameras make up to 50 million; while it is decoded, a pixel takes 4 to 8 bytes.
        frames: Of an animation that is read as pictures.
        moving_frames: Of one that is read as a film, which is half an hour at 0.1 s each.
        film_bytes: Size of a sound or film file. It is streamed, so that only time is at stake.
        seconds: How long a sound or a film may be; the longest input there is a number for had 107 hours.
        film_pixels: Of a film's frame: 8K has 35 million. Decoders hold a dozen frames of 1.5 bytes a pixel or more.
        channels: Of sound: a block of one second is held for all of them.
        patience: Seconds of work in which a decoder must give something; an ordinary film does in 0.05 s.
        pdf_pictures: Of one page of a PDF, the largest first; some are drawn as thousands of strips.
        pdf_page_seconds: Time for drawing one page of a PDF, which takes 0.04 s, or for listing its pictures.
        pdf_seconds: Time for listing the pictures of one PDF; a page takes 0.02 to 0.1 s.
        pdf_memory: Bytes for drawing a PDF, beside the file itself.
    """

    image_bytes: int = 256 << 20
    pixels: int = 80_000_000
    frames: int = 64
    moving_frames: int = 20_000
    film_bytes: int = 256 << 30
    seconds: float = 120 * 3600.0
    film_pixels: int = 40_000_000
    channels: int = 64
    patience: float = 20.0
    pdf_pictures: int = 8
    pdf_page_seconds: float = 20.0
    pdf_seconds: float = 1800.0
    pdf_memory: int = 2 << 30


@dataclass(frozen=True)
class Source:
    """A file's bytes: on disk, or in memory when they were piped in or sent.

    Attributes:
        form: What they are, as `sniff.medium` calls it, or "pdf".
        file: The file to open, "" for bytes in memory.
        data: The bytes, None for a file.
        bounds: How much may be read.
    """

    form: str
    file: str = ""
    data: bytes | None = field(default=None, repr=False)
    bounds: Bounds = field(default=Bounds(), repr=False)

    def open(self, path: str) -> BinaryIO:
        """The bytes as a file, to be closed by the caller; ``path`` is what errors call it.

        Raises:
            sniff.NotText: It is a pipe, a device, a socket or a folder by now.
            MediaError: It is missing or unreadable.
        """
        return io.BytesIO(self.data) if self.data is not None else opened(self.file, path)


def opened(file: str, label: str) -> BinaryIO:
    """Open a regular file; nothing else is ever opened, so nothing waits.

    Raises:
        sniff.NotText: It is a pipe, a device, a socket or a folder.
        MediaError: It is missing or unreadable.
    """
    try:
        _regular(os.stat(file), label)
        # It may be replaced by a pipe between the two calls: not blocking, and looking again, covers that.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
        found = open(os.open(file, flags), "rb")  # noqa: SIM115, the caller closes it
    except (OSError, ValueError) as error:
        raise unreadable(file, label, error) from error
    try:
        _regular(os.fstat(found.fileno()), label)
    except MediaError:
        found.close()
        raise
    return found


def unreadable(file: str, label: str, error: OSError | ValueError) -> MediaError:
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


def library(name: str, path: str) -> ModuleType:
    """The module ``name``, which ``path`` needs. Raises MediaError where it is not installed."""
    try:
        return import_module(name)
    except (ImportError, OSError) as error:  # OSError: a module whose shared library is missing
        message = f"{path} cannot be read without the package that {name} comes from"
        raise MediaError(message, "pip install 'pollux-lm[media]'", path=path) from error


def size(count: int) -> str:
    """A number of bytes as people write it."""
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count} bytes"


def _regular(status: os.stat_result, label: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        what = _KINDS.get(stat.S_IFMT(status.st_mode), "no regular file")
        message = f"{label} is {what}, not a file"
        raise sniff.NotText(message, "write what it gives to a file, or pipe it in.", path=label)
