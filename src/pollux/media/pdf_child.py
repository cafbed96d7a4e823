"""Reads one PDF in a process of its own, which may be killed: ``python pdf_child.py PAGES SECONDS MEMORY < in.pdf``.

pypdf is careful (it bounds what a stream may unpack to), yet a page can hold hours of drawing and each year brings files on
which it never ends. So a page has SECONDS, the process MEMORY bytes, and whoever started it has the last word. Writes a JSON
object per line: {"error"} and no more; or {"count"}, then for each page {"page", "text"} or {"page", "fault"}.

It imports nothing of Pollux, so that it starts in the time that pypdf takes.
"""

from __future__ import annotations

import io
import json
import logging
import signal
import sys
import warnings
from collections.abc import Callable, Iterator

import pypdf
from pypdf.errors import DependencyError, FileNotDecryptedError, WrongPasswordError


class Overtime(BaseException):
    """A page took too long. No Exception, because pypdf catches those to go on with the rest of a damaged page."""


def read(data: bytes, most: int, seconds: float) -> Iterator[dict]:
    """Read at most ``most`` pages, each within ``seconds``; only the main thread can keep time (it uses SIGALRM)."""
    reader, fault = _timed(lambda: _opened(data), seconds)
    count, fault = _timed(lambda: len(reader.pages), seconds) if reader else (None, fault)
    if count is None:
        yield {"error": fault}
        return
    yield {"count": count}
    for i in range(min(count, most)):
        text, fault = _timed(lambda i=i: _clean(reader.pages[i].extract_text()), seconds)
        yield {"page": i + 1, "fault": fault} if text is None else {"page": i + 1, "text": text if text.strip() else ""}


def _opened(data: bytes) -> pypdf.PdfReader:
    reader = pypdf.PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):  # most have no password for reading, only one for changing
        raise WrongPasswordError
    return reader


def _clean(text: str) -> str:
    """Replace halves of surrogate pairs, which no UTF-8 file could hold."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _timed(work: Callable, seconds: float) -> tuple:
    """The result of ``work()`` and "", or None and why there is none."""
    try:
        try:
            _alarm(seconds)
            return work(), ""
        finally:
            _alarm(0)
    except Overtime:
        return None, f"it took more than {seconds:g} s"
    except (FileNotDecryptedError, WrongPasswordError):
        return None, "encrypted"
    except DependencyError:
        return None, "its encryption needs the package cryptography"
    except RecursionError:
        return None, "it is nested too deeply"
    except MemoryError:
        return None, "it takes too much memory"
    except Exception as error:  # whatever a damaged file makes pypdf do
        return None, f"{type(error).__name__}: {error}"[:200]


def _alarm(seconds: float) -> None:
    """Ring in so many seconds, or not at all for 0. Windows has no such timer; there the parent's clock must do."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def keep_time() -> None:
    """Let the alarm raise Overtime."""

    def ring(*_: object) -> None:
        raise Overtime

    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, ring)


def main() -> None:
    """Read standard input under the three limits of the command line."""
    pages, seconds, memory = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    logging.disable()
    warnings.simplefilter("ignore")
    data = sys.stdin.buffer.read()
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    except (ImportError, ValueError, OSError):
        pass  # the parent's clock still holds
    keep_time()
    for line in read(data, pages, seconds):
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
