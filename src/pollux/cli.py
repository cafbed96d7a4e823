"""The command line: `main` finds the command, runs it, and turns whatever escapes into one message and an exit status.

    0 done · 1 an error · 2 wrong usage · 130 Ctrl-C · 141 the reader of the output went away

A command is a module of `pollux.commands` with two functions, listed in `commands`:

    add(commands)   adds its parser: name, help, arguments, examples; ``parser.set_defaults(run=run)``
    run(args)       does it; returns an exit status, None for 0

Data goes to stdout; progress, remarks and errors go to stderr. Modules import what is heavy inside `run`, so that
``pollux --help`` is instant, and this one imports them inside `commands`, so that Ctrl-C is met as early as can be.
``POLLUX_DEBUG=1`` shows tracebacks.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING

import pollux
from pollux.base.errors import PolluxError
from pollux.commands.interrupt import leaving_at_once

if TYPE_CHECKING:
    from pollux.commands.terminal import Parser


def commands() -> tuple[ModuleType, ...]:
    """Every command, in the order of the help."""
    from pollux.commands import ask, chat, doctor, eval, info, segment, senses, serve, studio, tokenizer, train

    return ask, chat, serve, studio, train, senses, tokenizer, eval, segment, info, doctor


def parser() -> Parser:
    """The whole command line."""
    from pollux.commands.terminal import Parser

    top = Parser(
        "pollux",
        "Reads files, however long, and answers questions about them with the place where the answer stands.",
        """
        pollux ask book.txt "Who is the harbour master?"
        pollux chat docs/ report.pdf
        pollux train laptop --data texts/
        """,
    )
    top.add_argument("--version", action="version", version=f"pollux {pollux.__version__}")
    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in commands():
        command.add(verbs)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    with leaving_at_once():
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(errors="replace")
        try:
            args = parser().parse_args(argv)
            status = args.run(args) or 0
            sys.stdout.flush()
            return status
        except BrokenPipeError:
            return _quietly(141)
        except KeyboardInterrupt as stop:
            print("interrupted" + "".join(f"; {remark}" for remark in stop.args), file=sys.stderr)
            return _quietly(130)
        except Exception as error:
            if os.environ.get("POLLUX_DEBUG"):
                raise
            from pollux.commands.terminal import fail

            return fail(*_explain(error))


def _explain(error: Exception) -> tuple[str, str]:
    """A message and a hint."""
    if isinstance(error, PolluxError):
        return error.message, error.hint
    if isinstance(error, MemoryError):
        return "memory ran out", "read less at once; 'pollux info --length TOKENS' estimates what a length needs"
    if isinstance(error, OSError) and error.strerror:
        name = f": {os.fsdecode(error.filename)}" if error.filename else ""
        return f"{error.strerror}{name}", "check the path, its permissions and the disk's free space"
    what = str(error).strip().split("\n")[0]
    return f"unexpected {type(error).__name__}: {what}", "this is a bug in Pollux; POLLUX_DEBUG=1 shows where it happened"


def _quietly(status: int) -> int:
    """Leave without a word even where the output cannot be flushed any more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status
