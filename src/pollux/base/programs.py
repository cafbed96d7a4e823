"""Programs that find again, in the next process, what they were compiled to.

jax keeps what XLA compiled, but must trace and lower a function to know it again: half a second a program, at every start. Here a
compiled program is kept under what it depends on: the function, the shapes that it is called with, this source, jax, the machine.
The folder is the user's own: what lies there is run.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import jaxlib
from jax.experimental import serialize_executable
from jax.experimental.compilation_cache import compilation_cache

from pollux.base.config import cache_folder

log = logging.getLogger("pollux")

# Days after which programs of another version, or another machine, are deleted.
KEPT_DAYS = 30


def _digest_of_source() -> bytes:
    source = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        source.update(path.read_bytes())
    return source.digest()


# taken while the source is imported: a file may change later, in a process that runs what stood there before
SOURCE = _digest_of_source()


class Program:
    """A jitted function of arrays on one device, kept compiled on disk; on several devices it is `jax.jit` and no more."""

    def __init__(self, function: Callable, *, donate: tuple[int, ...] = (), **static: Any) -> None:
        """``static``: keyword arguments that are no arrays; whatever tells them apart must be in their repr."""
        self._jitted = jax.jit(partial(function, **static), donate_argnums=donate)
        self._about = f"{function.__module__}.{function.__qualname__} {donate} {sorted(static.items())}"
        self._compiled: dict[tuple, Callable] = {}

    def __call__(self, *args: Any) -> Any:
        leaves, tree = jax.tree.flatten(args)
        kind = (tree, *((x.shape, x.dtype, getattr(x, "weak_type", False), _placed(x)) for x in leaves))
        compiled = self._compiled.get(kind)
        if compiled is None:
            compiled = self._compiled[kind] = self._find(kind, args)
        return compiled(*args)

    def _find(self, kind: tuple, args: tuple) -> Callable:
        devices = _devices(args)
        if len(devices) > 1:
            return self._jitted
        path = _folder() / hashlib.sha256(f"{self._about} {kind}".encode()).hexdigest()[:32]
        try:
            return serialize_executable.deserialize_and_load(*pickle.loads(_read(path)), execution_devices=devices)
        except FileNotFoundError:
            pass
        except Exception as error:
            log.info("a compiled program could not be used, and is made again: %r", error)
        log.info("compiling %s", self._about)
        with _without_the_cache_of_jax():
            compiled = self._jitted.lower(*args).compile()
        try:
            _write(path, pickle.dumps(serialize_executable.serialize(compiled)))
        except Exception as error:  # a full disk, say: the program works all the same
            log.info("a compiled program could not be kept: %r", error)
        return compiled


def _placed(x: Any) -> Any:
    """How an array is laid out; None on the first device, where one of numpy goes too: the program is the same."""
    sharding = getattr(x, "sharding", None)
    return None if sharding == _first() else sharding


@cache
def _first() -> jax.sharding.Sharding:
    return jax.sharding.SingleDeviceSharding(jax.devices()[0])


def _devices(args: tuple) -> list[jax.Device]:
    """The devices that the arguments lie on; the first one for arrays of numpy alone."""
    found = {device for x in jax.tree.leaves(args) if isinstance(x, jax.Array) for device in x.devices()}
    return list(found) or jax.devices()[:1]


@contextmanager
def _without_the_cache_of_jax() -> Iterator[None]:
    """A program that jax took from its own cache cannot be written out whole: it lacks functions, and fails when it is called."""
    before = jax.config.jax_enable_compilation_cache
    compilation_cache.reset_cache()  # it remembers whether it is used
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        yield
    finally:
        jax.config.update("jax_enable_compilation_cache", before)
        compilation_cache.reset_cache()


def _read(path: Path) -> bytes:
    """Raises ValueError when the file is not as it was written: a program with one wrong bit may do anything."""
    content = path.read_bytes()
    if hashlib.sha256(content[32:]).digest() != content[:32]:
        raise ValueError(f"{path} is spoilt")
    return content[32:]


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, whoever else writes it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.write(hashlib.sha256(content).digest() + content)
            file.close()
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


@cache
def _folder() -> Path:
    """Where programs of this source, this jax and this machine are kept. Those of others are deleted when they have not been used
    for `KEPT_DAYS`."""
    ours = cache_folder() / "programs" / hashlib.sha256(_environment().encode()).hexdigest()[:16]
    with suppress(OSError):  # another process may be clearing away as well
        ours.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.utime(ours)
        for old in ours.parent.iterdir():
            if time.time() - old.stat().st_mtime > KEPT_DAYS * 86_400:
                shutil.rmtree(old, ignore_errors=True)
    return ours


def _environment() -> str:
    settings = (jax.config.jax_enable_x64, jax.config.jax_default_matmul_precision, os.environ.get("XLA_FLAGS"))
    devices = [(device.platform, device.device_kind) for device in jax.devices()]
    versions = (jax.__version__, jaxlib.__version__, jax.devices()[0].client.platform_version, platform.python_version())
    return repr((SOURCE, settings, devices, versions, _cores(), _processor()))


def _cores() -> int:
    """How many cores a program may use: XLA splits work by them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    """What the processor can do: a program compiled for another may use what this one lacks."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return f"{platform.machine()} {platform.processor()}"
