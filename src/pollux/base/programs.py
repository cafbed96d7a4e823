"""Programs that find again, in the next process, what they were compiled to.

jax keeps what XLA compiled, but must trace and lower a function to know it again: half a second a program, at every start. Here a
compiled program is kept under what it depends on: the function, the shapes that it is called with, this source, jax, the machine.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import platform
import shutil
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
from jax.experimental import serialize_executable

from pollux.base.config import cache_folder

log = logging.getLogger("pollux")

# Days after which programs of another version, or another machine, are deleted.
KEPT_DAYS = 30


class Program:
    """A jitted function of arrays, kept compiled on disk."""

    def __init__(self, function: Callable, *, donate: tuple[int, ...] = (), **static: Any) -> None:
        """``static``: keyword arguments that are no arrays; whatever tells them apart must be in their repr."""
        self._jitted = jax.jit(partial(function, **static), donate_argnums=donate)
        self._about = f"{function.__module__}.{function.__qualname__} {donate} {sorted(static.items())}"
        self._compiled: dict[tuple, Callable] = {}

    def __call__(self, *args: Any) -> Any:
        leaves, tree = jax.tree.flatten(args)
        kind = (tree, *((x.shape, x.dtype, getattr(x, "sharding", None)) for x in leaves))
        compiled = self._compiled.get(kind)
        if compiled is None:
            compiled = self._compiled[kind] = self._find(kind, args)
        return compiled(*args)

    def _find(self, kind: tuple, args: tuple) -> Callable:
        path = _folder() / hashlib.sha256(f"{self._about} {kind}".encode()).hexdigest()[:32]
        try:
            return serialize_executable.deserialize_and_load(*pickle.loads(path.read_bytes()), execution_devices=_devices(args))
        except FileNotFoundError:
            pass
        except Exception as error:
            log.info("a compiled program could not be used, and is made again: %r", error)
        compiled = self._jitted.lower(*args).compile()
        try:
            _write(path, pickle.dumps(serialize_executable.serialize(compiled)))
        except Exception as error:
            log.info("a compiled program could not be kept: %r", error)
        return compiled


def _devices(args: tuple) -> list[jax.Device]:
    """The devices that the arguments lie on, by number; the first one for arrays of numpy alone."""
    found = {device for x in jax.tree.leaves(args) if isinstance(x, jax.Array) for device in x.devices()}
    return sorted(found, key=lambda device: device.id) or jax.devices()[:1]


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, whoever else writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.write_bytes(content)
    os.replace(new, path)


@cache
def _folder() -> Path:
    """Where programs of this source, this jax and this machine are kept. Those of others are deleted when none has been added for
    `KEPT_DAYS`."""
    root = cache_folder() / "programs"
    for old in root.glob("*"):
        if time.time() - old.stat().st_mtime > KEPT_DAYS * 86_400:
            shutil.rmtree(old, ignore_errors=True)
    return root / hashlib.sha256(_environment().encode()).hexdigest()[:16]


def _environment() -> str:
    source = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        source.update(path.read_bytes())
    settings = (jax.config.jax_enable_x64, jax.config.jax_default_matmul_precision, os.environ.get("XLA_FLAGS"))
    devices = [(device.platform, device.device_kind) for device in jax.devices()]
    return repr((source.hexdigest(), jax.__version__, platform.python_version(), settings, devices, _processor()))


def _processor() -> str:
    """What the processor can do: a program compiled for another may use what this one lacks."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        return f"{platform.machine()} {platform.processor()}"
