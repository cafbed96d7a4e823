"""``pollux ask``: read files, answer questions about them, show where the answers stand."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from pollux.base import models
from pollux.commands.terminal import Parser, counting_bar, fail, printable, report, tell_compiling, where

if TYPE_CHECKING:
    from pollux.engine.contexts.context import ReadContext
    from pollux.engine.engine import Engine
    from pollux.engine.request import Answer, Event, Sampling
    from pollux.media.segment import Document, Reading

_ABOUT = """
Read files, then answer. The last word is the question, unless -q gives questions; then every word is a file.
A file is a text, HTML or PDF file, a picture, a sound, a film, a folder, a pattern in quotes, or - for standard input.
"""
_EXAMPLES = """
pollux ask book.txt "Who is the harbour master?"
pollux ask src/ "docs/**/*.md" report.pdf -q "Where is Budget defined?" -q "What does it cost?"
curl -s https://example.org | pollux ask - "What is it about?" --json
pollux ask library/ --save library.ctx "Who wrote the preface?"
pollux ask --context library.ctx "And who printed it?"
pollux ask talk.mp4 slides.pdf notes/ photo.png "At what time is the budget shown?"
"""


def add(commands) -> None:
    usage = "pollux ask [options] [FILE…] QUESTION\n       pollux ask [options] [FILE…] -q QUESTION [-q QUESTION…]"
    texts = {"description": _ABOUT, "examples": _EXAMPLES, "usage": usage}
    parser: Parser = commands.add_parser("ask", help="answer questions about files", **texts)
    parser.add_argument("words", nargs="*", metavar="FILE or QUESTION", help="what to read, and last what to answer")
    parser.add_argument("-q", "--question", action="append", default=[], help="a question; may be given several times")
    parser.add_argument("--json", action="store_true", help="print one JSON object per question, each on a line")
    add_reading(parser)
    add_sampling(parser)
    parser.set_defaults(run=run, parser=parser)


def add_reading(parser: Parser) -> None:
    """What `ask` and `chat` read with."""
    help_model = "a model that comes with Pollux, a weights file, or a training folder (default: %(default)s)"
    parser.add_argument("--model", default=models.DEFAULT, metavar="NAME|PATH", help=help_model)
    parser.add_argument("--context", type=Path, metavar="FILE", help="go on from a saved context; files are read after it")
    help_save = "save what is read, to reopen it with --context; a reading that was stopped goes on with the same command"
    help_detail = "how many tokens a picture becomes, at most: 64, 256 or 1024, a frame of a film 64, 64 or 256 (default: medium)"
    parser.add_argument("--detail", choices=("low", "medium", "high"), default="medium", help=help_detail)
    help_rate = "pictures of a film that are looked at, a second (default: 1)"
    parser.add_argument("--rate", type=float, default=1.0, metavar="N", help=help_rate)
    parser.add_argument("--save", type=Path, metavar="FILE", help=help_save)


def add_sampling(parser: Parser) -> None:
    group = parser.add_argument_group("how answers are chosen")
    group.add_argument("--temperature", type=float, default=0.0, help="0 takes the likeliest token, 1 draws freely (default: 0)")
    group.add_argument("--top-k", type=int, default=0, metavar="K", help="draw from the K likeliest tokens (default: all)")
    group.add_argument("--top-p", type=float, default=1.0, metavar="P", help="draw from the likeliest tokens that reach P together")
    group.add_argument("--seed", type=int, default=0, help="the same seed draws the same answer (default: 0)")
    group.add_argument("--max-tokens", type=int, default=128, metavar="N", help="longest answer, in tokens (default: 128)")
    group.add_argument("--stop", action="append", default=[], metavar="TEXT", help="end an answer before TEXT; may be repeated")


def sampling(args: argparse.Namespace) -> Sampling:
    from pollux.engine.request import Sampling

    return Sampling(args.temperature, args.top_k, args.top_p, args.seed, args.max_tokens, tuple(args.stop))


def run(args: argparse.Namespace) -> int:
    files, questions = _split(args)
    chosen = sampling(args)
    session = open_session(args, files, questions)
    if session is None:
        return 1
    start = time.monotonic()
    events = session.engine.ask(session.context, questions, chosen)
    if args.json:
        _print_json(session, questions, events, start)
    elif len(questions) == 1:
        stream(events)
    else:
        _print_all(questions, events)
    if not args.json:
        sys.stdout.flush()
        print(f"{session.summary}; answered in {time.monotonic() - start:.1f} s", file=sys.stderr)
    return int(session.failed)


def _split(args: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Files and questions; leaves with a usage error where there is no question, or nothing to ask it about."""
    files, questions = list(args.words), list(args.question)
    if not questions and not files:
        args.parser.error("no question was given")
    if not questions:
        last = files.pop()
        if last == "-" or os.path.exists(last):
            args.parser.error(f"no question was given: the last word, {last}, is a file")
        questions = [last]
    if not all(question.strip() for question in questions):
        args.parser.error("a question is empty")
    if not files and not args.context:
        args.parser.error("there is nothing to read: name a file, a folder, - for standard input, or --context FILE")
    if not args.question and (loose := _loose_words(files)):
        args.parser.error(f"there is no file {loose[0]}; if it is part of the question, put the question in quotes")
    return files, questions


def _loose_words(files: list[str]) -> list[str]:
    """The words just before the last that look like no file and are none: a question without quotes ends in several."""
    bare = lambda word: word.strip("?!,;:'\"").replace("'", "").isalnum() and not os.path.lexists(word)  # noqa: E731
    return list(takewhile(bare, reversed(files)))[::-1]


@dataclass
class Session:
    """A model and what it has read.

    Attributes:
        files: What was read of them, and what not.
        reopened, tokens: Tokens that were reopened, and that were read, in so many ``seconds``.
    """

    engine: Engine
    context: ReadContext
    files: Reading
    reopened: int
    tokens: int
    seconds: float

    @property
    def failed(self) -> bool:
        """Whether a file could not be read."""
        return any(problem.severity == "error" for problem in self.files.problems)

    @property
    def summary(self) -> str:
        reopened = f"reopened {self.reopened:,} tokens, " if self.reopened else ""
        rate = f" ({self.tokens / self.seconds:,.0f} tokens/s)" if self.tokens else ""
        count, skipped = len(self.files.documents), self.files.skipped
        files = f" of {count:,} files" if count > 1 else ""
        others = f", {skipped:,} that hold no text passed over" if skipped else ""
        return f"{reopened}read {self.tokens:,} tokens{files} in {self.seconds:.1f} s{rate}{others}"


def open_session(args: argparse.Namespace, files: list[str], questions: Iterable[str] = ()) -> Session | None:
    """Read the files, or reopen a context, as the arguments say; None when files were named and none could be read."""
    models.find(args.model)  # a wrong name is told before anything is read
    if args.save:
        from pollux.engine.contexts.saved import check_target

        check_target(args.save)  # and so is a place that nothing can be saved to
        args.save.parent.mkdir(parents=True, exist_ok=True)
    read = _read(files, args)
    if files and not read.documents:
        return None
    tell_compiling()
    import pollux

    engine = pollux.load(args.model)
    for question in questions:
        engine.prompt(question)  # likewise a question that is too long
    start = time.monotonic()
    before = _reopen(args.context, engine)
    reopened = len(before) if before is not None else 0
    documents = _perceive(engine, read.documents, args.detail)
    with counting_bar("reading", "tokens") as progress:
        context = engine.read(documents, progress, before, args.save)
    session = Session(engine, context, read, reopened, len(context) - reopened, time.monotonic() - start)
    if args.save:
        print(f"saved to {args.save} ({args.save.stat().st_size / 2**20:,.1f} MiB)", file=sys.stderr)
    return session


def _perceive(engine: Engine, documents: Sequence[Document], detail: str) -> list[Document]:
    """Documents with what is seen and heard in words."""
    if engine.perception is None:
        return list(documents)
    from pollux.perception.perceive import DETAIL

    perception, problems = replace(engine.perception, detail=DETAIL[detail]), []
    with counting_bar("looking and listening", "s") as progress:
        found = perception.documents(documents, progress, problems.append)
    report(problems)
    return found


def _read(files: list[str], args: argparse.Namespace) -> Reading:
    from pollux.commands.info import header
    from pollux.media.decode import Senses, read

    senses = Senses(rate=args.rate) if "senses" in header(models.find(args.model)) else None
    found = read(files, stdin=sys.stdin.buffer.read() if "-" in files else None, senses=senses)
    report(found.problems)
    if files and not found.documents:
        fail("nothing could be read")
    return found


def _reopen(path: Path | None, engine: Engine) -> ReadContext | None:
    if path is None:
        return None
    from pollux.engine.contexts.context import ReadContext

    return ReadContext.load(path, engine.runner.weights)


def stream(events: Iterable[Event]) -> Answer:
    """Print one answer as it is produced, then its evidence."""
    for event in events:
        print(printable(event.text, keep="\n\t"), end="", flush=True)
        if event.answer:
            print()
            show_evidence(event.answer)
            return event.answer
    raise RuntimeError("the engine ended without an answer")


def show_evidence(answer: Answer) -> None:
    for evidence in answer.evidence[:3]:
        print(f"  {where(evidence.place)}")
    sys.stdout.flush()


def _print_all(questions: list[str], events: Iterable[Event]) -> None:
    """Questions with their answers, in order, each as soon as those before it are done."""
    done: dict[int, Answer] = {}
    shown = 0
    for event in events:
        if event.answer:
            done[event.row] = event.answer
        while shown in done:
            print("\n" * (shown > 0) + printable(questions[shown]))
            print(printable(done[shown].text, keep="\n\t"))
            show_evidence(done[shown])
            shown += 1


def _print_json(session: Session, questions: list[str], events: Iterable[Event], start: float) -> None:
    answers = {event.row: event.answer for event in events if event.answer}
    seconds = time.monotonic() - start
    for row, question in enumerate(questions):
        answer = answers[row]
        found = [asdict(e.place) | {"share": round(e.share, 4)} for e in answer.evidence]
        facts = {"question": question, "answer": answer.text, "reason": answer.reason}
        facts |= {"tokens_read": session.tokens, "tokens_reopened": session.reopened}
        facts |= {"seconds_reading": round(session.seconds, 3), "seconds_answering": round(seconds, 3), "evidence": found}
        print(json.dumps(facts), flush=True)

