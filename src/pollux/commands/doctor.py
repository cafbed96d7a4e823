"""``pollux doctor``: whether everything that Pollux needs is here and works, and what to do where not."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from pollux.base import models
from pollux.base.config import cache_folder, tune_allocator
from pollux.base.errors import PolluxError
from pollux.commands.terminal import Parser, printable

_ABOUT = "Check the installation. Exits with 1 when something does not work."
_EXAMPLES = """
pollux doctor
pollux doctor --model runs/laptop
"""
_GIB = 1 << 30


class Bad(Exception):
    """A check that failed: what is wrong and what to do. A ``warning`` still works, worse."""

    def __init__(self, what: str, do: str, *, warning: bool = False) -> None:
        super().__init__(what)
        self.do, self.warning = do, warning


def add(commands) -> None:
    parser: Parser = commands.add_parser("doctor", help="check the installation", description=_ABOUT, examples=_EXAMPLES)
    parser.add_argument("--model", default=models.DEFAULT, metavar="NAME|PATH", help="the model to check (default: %(default)s)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    checks: dict[str, Callable[[], str]] = {
        "python": _python,
        "memory": _memory,
        "disk": _disk,
        "cache": _cache,
        "allocator": _allocator,
        "jax": _jax,
        "vocabulary": _vocabulary,
        "weights": lambda: _weights(args.model),
        "answering": lambda: _answering(args.model),
    }
    verdicts = [_check(name, check) for name, check in checks.items()]
    return 1 if "fail" in verdicts else 0


def _check(name: str, check: Callable[[], str]) -> str:
    """Run one check and print its line; returns ok, warn or fail."""
    verdict, do = "ok", ""
    try:
        said = check()
    except Bad as bad:
        verdict, said, do = "warn" if bad.warning else "fail", str(bad), bad.do
    except Exception as error:  # a check is there to find what nobody thought of
        verdict, said = "fail", str(error) if isinstance(error, PolluxError) else f"{type(error).__name__}: {error}"
        do = getattr(error, "hint", "") or "POLLUX_DEBUG=1 pollux ask … shows where it happens"
    print(f"{verdict:5} {name:11} {printable(said)}", flush=True)
    if do:
        print(f"{'':17} {printable(do)}", flush=True)
    return verdict


def _python() -> str:
    if sys.version_info[:2] not in ((3, 11), (3, 12)):
        raise Bad(f"{platform.python_version()} is not tested", "use Python 3.11 or 3.12 if something fails", warning=True)
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def _memory() -> str:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return "not known on this system"
    if free < 2 * _GIB:
        raise Bad(f"{free / _GIB:.1f} GiB free", "2 GiB are needed for a million tokens; close something", warning=True)
    return f"{free / _GIB:.1f} GiB free"


def _disk() -> str:
    folder = next(path for path in (cache_folder(), *cache_folder().absolute().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if free < _GIB:
        do = "training states and saved contexts need more; make room"
        raise Bad(f"{free / _GIB:.1f} GiB free on {folder}", do, warning=True)
    return f"{free / _GIB:.1f} GiB free on {folder}"


def _cache() -> str:
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            return f"{folder} can be written"
    except OSError as error:
        do = "every start compiles anew, which takes seconds; set POLLUX_CACHE to a folder of yours"
        raise Bad(f"{folder} cannot be written: {error.strerror}", do, warning=True) from error


def _allocator() -> str:
    if tune_allocator():
        return "tuned"
    if os.environ.get("POLLUX_KEEP_ALLOCATOR"):
        raise Bad("left as it is", "POLLUX_KEEP_ALLOCATOR is set; training is 2 to 4 times slower on a CPU", warning=True)
    return "left as it is: it is only tuned with glibc"


def _jax() -> str:
    from pollux.base.config import prepare_jax

    prepare_jax()
    import jax
    import jax.numpy as jnp

    if float((jnp.ones((8, 8)) @ jnp.ones((8, 8)))[0, 0]) != 8:
        raise Bad("a product of matrices comes out wrong", "install jax again: pip install --force-reinstall jax jaxlib")
    kinds = {f"{device.platform} ({device.device_kind})" for device in jax.devices()}
    return f"{jax.__version__}, {len(jax.devices())} device(s): {', '.join(sorted(kinds))}"


def _vocabulary() -> str:
    from pollux.tokens.vocabulary import shipped

    text = "Every byte comes back: 1907, ü, 日本, \t    \x00."
    if shipped().decode(shipped().encode(text)) != text:
        raise Bad("text does not come back from tokens", "install Pollux again")
    return f"{shipped().size:,} tokens"


def _weights(model: str) -> str:
    from pollux.base.checkpoint import fingerprint, load_weights

    path = models.find(model)
    load_weights(path)
    return f"{path}, fingerprint {fingerprint(path)}"


def _answering(model: str) -> str:
    import time

    import pollux

    document = pollux.Document("note.txt", (_note(),))
    start = time.monotonic()
    engine = pollux.load(model)
    context = engine.read([document])
    answer = engine.answer(context, ["What is the number of the barge Heron?"], pollux.Sampling(limit=8))[0]
    return f"{len(context)} tokens read and answered with {answer.text!r} in {time.monotonic() - start:.1f} s"


def _note():
    from pollux.media.segment import Text

    return Text("note.txt", "The barge left at noon. The number of the barge Heron is 5172. Nobody saw it again.")
