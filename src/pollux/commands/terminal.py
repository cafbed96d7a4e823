"""What every command shares: how its arguments are parsed, and how things are printed."""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from textwrap import dedent
from typing import NoReturn

from pollux.media.segment import Place, Problem, Spot, clock

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def _formatter(prog: str) -> argparse.HelpFormatter:
    return argparse.RawDescriptionHelpFormatter(prog, max_help_position=28)


class Parser(argparse.ArgumentParser):
    """A parser with examples, where options may stand between files, and whose errors look like all others."""

    def __init__(self, prog: str, description: str = "", examples: str = "", **rest) -> None:
        lines = "\n".join(f"  {line}" for line in dedent(examples).strip().splitlines())
        rest |= {"epilog": f"examples:\n{lines}" if lines else None, "formatter_class": _formatter}
        super().__init__(prog=prog, description=dedent(description).strip(), allow_abbrev=False, **rest)
        self._mixing = False

    def parse_known_args(self, args=None, namespace=None):
        if self._mixing or self._subparsers is not None:
            return super().parse_known_args(args, namespace)
        self._mixing = True  # what follows calls this method again
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixing = False

    def error(self, message: str) -> NoReturn:
        raise SystemExit(fail(message, f"see {self.prog} --help", status=2))


def printable(text: str, keep: str = "") -> str:
    """Text that cannot steer a terminal or break a line: control characters other than ``keep`` are spelt out."""
    return _CONTROL.sub(lambda m: m[0] if m[0] in keep else m[0].encode("unicode_escape").decode("ascii"), text)


def fail(message: str, hint: str = "", *, status: int = 1, kind: str = "error") -> int:
    """Print an error (or a warning) on stderr; returns the exit status."""
    sys.stdout.flush()
    hint = f"\n\nhint: {printable(hint)}" if hint else ""
    print(f"{kind}: {printable(message)}{hint}", file=sys.stderr)
    return status


def report(problems: Iterable[Problem]) -> None:
    """Print what went wrong with files, each as one message."""
    for problem in problems:
        fail(problem.message, problem.hint, kind=problem.severity)


def where(place: Place | Spot) -> str:
    """A place as one line: ``book.txt:1234 [chars 61-74]  "…"``; of what was seen or heard, ``talk.mp4 12:34-12:36  "…"``."""
    if isinstance(place, Spot):
        return _seen(place)
    line = f":{place.line}" if place.page is None and place.line else ""
    page = f" page {place.page}" + (f" line {place.line}" if place.line else "") if place.page is not None else ""
    return f'{printable(place.path)}{line}{page} [chars {place.start}-{place.end}]  "{printable(place.snippet)}"'


def _seen(spot: Spot) -> str:
    parts = [printable(spot.path)]
    parts += [f"{name} {number}" for name, number in (("page", spot.page), ("frame", spot.frame)) if number is not None]
    if spot.start is not None:
        parts.append(spot.time if clock(spot.end) == spot.time else f"{spot.time}-{clock(spot.end)}")
    if spot.region is not None:
        left, top, right, bottom = (round(100 * share) for share in spot.region)
        parts.append(f"[{left}-{right}% across, {top}-{bottom}% down]")
    return " ".join(parts) + (f'  "{printable(spot.snippet)}"' if spot.snippet else "")


def tell_compiling() -> None:
    """Say so on a terminal, once, when a program is compiled: the first question on a machine waits for it."""
    if sys.stderr.isatty():
        log = logging.getLogger("pollux")
        log.addHandler(_Compiling())
        log.setLevel(logging.INFO)


class _Compiling(logging.Handler):
    told = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self.told and record.msg.startswith("compiling"):
            self.told = True
            print("compiling for this machine (once: the next start finds it ready) …", file=sys.stderr)


@contextmanager
def counting_bar(name: str, unit: str = "") -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on stderr that counts to a number, of ``unit`` and with how many a second where there is one; None where
    stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task) -> Text:
            return Text(f"{task.speed:,.0f} {unit}/s" if task.speed and unit else "")

    shown = TextColumn("{task.completed:,.0f} of {task.total:,.0f}" + f" {unit}" * bool(unit))
    with Progress(name, BarColumn(), shown, Speed(), TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=0)
        yield lambda done, total: bar.update(task, completed=done, total=total)
