"""Ctrl-C, from the first moment on."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """Inside, Ctrl-C ends the process at once, with one line and status 130, whatever it is doing.

    Python would raise KeyboardInterrupt between two steps of the main thread: a compilation holds that up for seconds, and
    libraries crash or swallow it when it meets them in their imports or callbacks (measured: 9 of 33 moments). So a thread
    waits for the signal. Who needs Ctrl-C for something else installs a handler, which then takes over.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        yield
        return
    before = signal.signal(signal.SIGINT, _left_to_the_thread)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_wait, args=(reading,), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        signal.signal(signal.SIGINT, before)
        os.close(writing)


def _left_to_the_thread(number: int, frame: object) -> None:
    pass


def _wait(reading: int) -> None:
    """Bytes are signal numbers; the end of the pipe is the end of the wait."""
    while numbers := os.read(reading, 64):
        if signal.SIGINT in numbers and signal.getsignal(signal.SIGINT) is _left_to_the_thread:
            # a progress bar may stand there, with the cursor hidden
            clear = b"\r\x1b[K\x1b[?25h" if sys.stderr.isatty() else b""
            os.write(sys.stderr.fileno(), clear + b"interrupted\n")
            os._exit(130)
    os.close(reading)
