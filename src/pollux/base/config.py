"""Settings that belong to no single room: where caches live, and how the process is set up before the first array.

Nothing here imports jax, so the command line can read it and still start at once.
"""

from __future__ import annotations

import ctypes
import logging
import os
import platform
from pathlib import Path

log = logging.getLogger("pollux")

# glibc's mallopt parameters (malloc.h)
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX, _ARENA_MAX = -1, -2, -4, -8


def cache_folder() -> Path:
    """Where compiled programs are kept between runs: ``$POLLUX_CACHE``, else ``~/.cache/pollux``."""
    return Path(os.environ.get("POLLUX_CACHE") or Path.home() / ".cache" / "pollux")


def tune_allocator() -> bool:
    """Keep freed memory in the process, so that large buffers are not page-faulted anew after every operation.

    glibc gives large blocks back to the kernel when they are freed, and XLA on CPU frees its buffers after every call: training
    steps run 2-4 times faster once it does not. Only with glibc; ``POLLUX_KEEP_ALLOCATOR=1`` switches it off. Returns whether it
    was done.
    """
    if os.environ.get("POLLUX_KEEP_ALLOCATOR") or platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    # one arena: those of other threads hold at most 64 MB, and glibc maps what does not fit, whatever _MMAP_MAX says
    settings = ((_MMAP_MAX, 0), (_ARENA_MAX, 1), (_TRIM_THRESHOLD, -1), (_TOP_PAD, 256 << 20))
    done = all([libc.mallopt(name, value) for name, value in settings])
    log.info("allocator: freed memory is kept in the process (POLLUX_KEEP_ALLOCATOR=1 switches this off)")
    return bool(done)


def prepare_jax() -> None:
    """Set up jax once, before its first array: the allocator, and compiled programs kept on disk between runs."""
    tune_allocator()
    import jax

    jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
