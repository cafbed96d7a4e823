"""``pollux chat``: read files once, then talk about them."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pollux.base.errors import PolluxError
from pollux.commands.ask import Session, add_reading, add_sampling, open_session, sampling, stream
from pollux.commands.terminal import Parser, fail, printable, where

if TYPE_CHECKING:
    from pollux.engine.request import Answer, Event, Sampling

_ABOUT = """
Read files, then answer one question after another; earlier turns are remembered. Questions are lines of standard input.
"""
_EXAMPLES = """
pollux chat book.txt
pollux chat --context library.ctx
printf 'Who is she?\\nWhere does she live?\\n' | pollux chat book.txt
"""
_HELP = """/files        what was read
/evidence     where the last answer stands, with the share of attention that each passage had
/reset        forget the turns, keep the files
/save FILE    save what was read and said; reopen it with --context FILE
/quit         leave (or Ctrl-D); Ctrl-C stops an answer"""


def add(commands) -> None:
    parser: Parser = commands.add_parser("chat", help="talk about files", description=_ABOUT, examples=_EXAMPLES)
    parser.add_argument("files", nargs="*", metavar="FILE", help="what to read: files, folders, patterns in quotes")
    add_reading(parser)
    add_sampling(parser)
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    if "-" in args.files:
        args.parser.error("questions come on standard input here, so files cannot; save it to a file and name that")
    chosen = sampling(args)
    session = open_session(args, args.files)
    if session is None:
        return 1
    sys.stdin.reconfigure(errors="replace")
    tty = sys.stdin.isatty()
    print(session.summary + "; /help lists the commands" * tty, file=sys.stderr)
    if tty:
        with suppress(ImportError):
            import readline  # noqa: F401  (gives `input` a history and line editing)
    chat = Chat(session, chosen)
    if tty:
        signal.signal(signal.SIGINT, chat.interrupt)
    chat.talk(tty)
    return int(session.failed)


class Chat:
    """A conversation: the session, where it started, and the last answer.

    At a terminal Ctrl-C stops an answer, between two of its tokens: raised inside jax, KeyboardInterrupt may crash it.
    """

    def __init__(self, session: Session, sampling: Sampling) -> None:
        self.session, self.sampling = session, sampling
        self.first = self._mark()
        self.last: Answer | None = None
        self._at_prompt = self._stopped = False

    def interrupt(self, number: int, frame: object) -> None:
        """The handler of SIGINT."""
        self._stopped = True
        if self._at_prompt:
            raise KeyboardInterrupt

    def talk(self, tty: bool) -> None:
        """Lines until the end of input or /quit."""
        while (line := self._line(tty)) is not None:
            line = line.strip()
            if line == "/quit":
                break
            try:
                if line.startswith("/"):
                    self._command(*line.split(maxsplit=1))
                elif line:
                    self._turn(line)
            except (PolluxError, OSError) as error:
                if isinstance(error, BrokenPipeError):
                    raise
                fail(str(error), getattr(error, "hint", ""))

    def _turn(self, question: str) -> None:
        """Answer and remember; an answer that is stopped is not remembered."""
        self._stopped = False
        try:
            events = self.session.engine.ask(self.session.context, [question], self.sampling)
            self.last = stream(self._until_stopped(events))
        except KeyboardInterrupt:
            print("\n(stopped)", file=sys.stderr)
        else:
            self.session.engine.remember(self.session.context, question, self.last)

    def _until_stopped(self, events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            if self._stopped:
                raise KeyboardInterrupt
            yield event

    def _mark(self):
        """The context as it is now. Keys and values are shared: a context never looks past its own length."""
        return replace(self.session.context, tails=dict(self.session.context.tails))

    def _command(self, name: str, rest: str = "") -> None:
        from pollux.tokens.template import TURN

        if name == "/help":
            print(_HELP)
        elif name == "/files":
            parts = Counter(printable(s.path) for s in self.session.context.segments if s.path != TURN)
            print("\n".join(f"  {path}" + f" ({n} pages)" * (n > 1) for path, n in parts.items()) or "no files")
        elif name == "/evidence":
            found = self.last.evidence if self.last else ()
            print("\n".join(f"  {e.share:4.0%}  {where(e.place)}" for e in found) or "no evidence")
        elif name == "/reset":
            self.session.context, self.last = self.first, None
            self.first = self._mark()
        elif name == "/save" and rest:
            self.session.context.save(Path(os.path.expanduser(rest)))
            print(f"saved to {printable(rest)}", file=sys.stderr)
        else:
            fail(f"unknown command {name}" if name != "/save" else "/save needs a file name", "/help lists the commands")
        sys.stdout.flush()

    def _line(self, tty: bool) -> str | None:
        """The next line of input, None at its end."""
        if not tty:
            return sys.stdin.readline() or None
        while True:
            self._at_prompt = True
            try:
                return input("> ")
            except EOFError:
                print(file=sys.stderr)
                return None
            except KeyboardInterrupt:
                print("\n(/quit or Ctrl-D leaves)", file=sys.stderr)
            finally:
                self._at_prompt = False
