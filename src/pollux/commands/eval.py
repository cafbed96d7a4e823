"""``pollux eval``: a task put to a model, with counts and intervals."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pollux.base.errors import ConfigError
from pollux.commands.info import length
from pollux.commands.terminal import Parser, fail

if TYPE_CHECKING:
    from pollux.data.source import Corpus
    from pollux.tasks.task import Task

_ABOUT = """
Measure a model. Everything is made from the texts in --data, which should be texts that the model was not trained on.

tasks:
  recall       made-up facts hidden in the texts; exact answers and right citations
  cloze        the name or noun missing from a sentence that follows twenty others
  definitions  which file and line defines a function or class, in source code
  reading      extractive question/answer pairs (*.jsonl, *.jsonl.xz), the held-out passages; exact match and F1
  text         next-token loss in bits per byte
  speed        tokens per second of reading, at each length
"""
_EXAMPLES = """
pollux eval recall --data novels/ --tokens 4k --tokens 128k --n 500
pollux eval recall --data novels/ --phrasings heldout --n 500 --json results.jsonl
pollux eval definitions --data src/ --n 300
pollux eval text --data novels/ --model runs/laptop
"""
# Characters per token of English prose under the shipped vocabulary, for lengths given in tokens.
_CHARACTERS = 3.7


def add(commands) -> None:
    parser: Parser = commands.add_parser("eval", help="measure a model", description=_ABOUT, examples=_EXAMPLES)
    parser.add_argument("task", choices=_TASKS, metavar="TASK", help="one of: " + ", ".join(_TASKS))
    add_argument = parser.add_argument
    add_argument("--data", type=Path, action="append", required=True, metavar="DIR", help="a folder of texts; may be repeated")
    add_argument("--model", default="base", help="a shipped model's name, a training folder or a weights file (default: base)")
    help_tokens = "context length of recall, definitions and speed; may be repeated (default: 4k)"
    add_argument("--tokens", type=length, action="append", metavar="N", help=help_tokens)
    add_argument("--n", type=int, default=200, help="questions per length (default: 200)")
    add_argument("--facts", type=int, help="facts per context, all asked for (default: 10, and 50 from 64k tokens on)")
    add_argument("--phrasings", choices=("train", "heldout"), default="train", help="of recall (default: train)")
    add_argument("--seed", type=int, default=1, help="of everything that is drawn (default: 1)")
    add_argument("--json", type=Path, metavar="FILE", help="append every question, reply and score, one JSON object a line")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int | None:
    if args.n < 1:
        args.parser.error("--n must be 1 or more")
    if args.tokens and args.task in _OWN_LENGTH:
        args.parser.error(f"{args.task} takes its texts at their own length; leave --tokens out")
    import pollux
    from pollux.data.source import load

    corpus, engine = load(args.data, pairs_only=args.task == "reading"), pollux.load(args.model)
    if args.task == "text":
        return _text(engine, corpus)
    for tokens in args.tokens or [4096]:
        if args.task == "speed":
            _speed(engine, corpus, tokens)
        else:
            _measure(args, engine, _TASKS[args.task](args, corpus, tokens), tokens)
    return None


def _recall(args: argparse.Namespace, corpus: Corpus, tokens: int) -> Task:
    from pollux.tasks.recall import Recall

    _warn_if_short(corpus, tokens, "passages come more than once in a context")
    size, facts = (round(tokens * _CHARACTERS),) * 2, (args.facts or (50 if tokens >= 65_536 else 10),) * 2
    # names and values of the held-out half of the lexicon, whichever the phrasings
    return Recall(corpus.prose, args.phrasings, "heldout", characters=size, facts=facts, questions=facts, seed=args.seed)


def _cloze(args: argparse.Namespace, corpus: Corpus, tokens: int) -> Task:
    from pollux.tasks.cloze import Cloze

    return Cloze(corpus.prose, seed=args.seed)


def _definitions(args: argparse.Namespace, corpus: Corpus, tokens: int) -> Task:
    from pollux.tasks.definitions import Definitions

    if not corpus.code:
        raise ConfigError("there is no source code in the data", "name a folder with Python or JavaScript files: --data DIR")
    return Definitions(corpus.code, characters=(tokens * 5 // 2,) * 2, questions=(4, 4), seed=args.seed)


def _reading(args: argparse.Namespace, corpus: Corpus, tokens: int) -> Task:
    from pollux.tasks.reading import Reading

    if not corpus.pairs:
        raise ConfigError("there are no question/answer pairs in the data", "name a folder with *.jsonl or *.jsonl.xz files")
    return Reading(corpus.pairs, split="heldout", seed=args.seed)


_TASKS: dict[str, Callable] = {
    "recall": _recall, "cloze": _cloze, "definitions": _definitions, "reading": _reading, "text": None, "speed": None,
}  # fmt: skip

_OWN_LENGTH = ("cloze", "reading", "text")


def _measure(args: argparse.Namespace, engine, task: Task, tokens: int) -> None:
    from pollux.eval import report
    from pollux.eval.run import run as put
    from pollux.tasks.reading import f1

    began = time.monotonic()
    extra = [("f1", f1)] if args.task in ("reading", "cloze") else []
    with counting_bar(args.task) as progress:
        outcomes = put(engine, task, args.n, progress, extra=extra)
    if not outcomes:
        raise ConfigError(f"the data gives no question for {args.task}", "name a folder with more of it: --data DIR")
    mean = sum(outcome.tokens for outcome in outcomes) / len(outcomes)
    print(f"{args.task}, contexts of {mean:,.0f} tokens, {time.monotonic() - began:.0f} s")
    for row in report.rates(outcomes):
        print(f"  {row}")
    if args.task == "recall":
        for order, row in sorted(report.by_kind(outcomes, 2).items()):
            print(f"  exact, value {order} its subject: {row.mean:.1%} [{row.low:.1%}, {row.high:.1%}], n={row.n}")
    worst = [row for row in report.by_kind(outcomes, -1).values() if row.mean < 1][:10]
    if args.task == "recall" and worst:
        print("  weakest phrasings: " + ", ".join(f"{row.name} {row.mean:.0%} of {row.n}" for row in worst))
    if args.json:
        about = {"task": args.task, "tokens_asked": tokens, "phrasings": args.phrasings, "seed": args.seed, "model": args.model}
        with args.json.open("a") as file:
            file.writelines(json.dumps(about | outcome.row()) + "\n" for outcome in outcomes)


def _text(engine, corpus: Corpus) -> None:
    from pollux.engine.score import bits_per_byte

    runner = engine.runner
    with counting_bar("texts") as progress:
        texts = [*corpus.prose, *(source for _, source in corpus.code)]
        tick = progress or (lambda done, total: None)
        watched = (tick(i, len(texts)) or text for i, text in enumerate(texts))
        found = bits_per_byte(runner.params, runner.config, engine.vocabulary, watched)
    print(f"{found['bits_per_byte']:.4f} bits per byte ({found['nats_per_token']:.4f} nats per token, {found['tokens']:,} tokens, "
          f"{found['bytes']:,} bytes, rows of 2,048 tokens)")  # fmt: skip


def _warn_if_short(corpus: Corpus, tokens: int, else_: str) -> None:
    held = sum(map(len, corpus.prose)) / _CHARACTERS
    if held < tokens:
        fail(f"the texts hold about {held:,.0f} tokens, {tokens:,} were asked for; {else_}", kind="warning")


def _speed(engine, corpus: Corpus, tokens: int) -> None:
    """Reading texts of a length; a short one is read before, so that no compiling is timed."""
    from pollux.media.segment import Document, Text

    _warn_if_short(corpus, tokens, "all of it is read")
    text = "\n\n".join(corpus.prose)
    engine.read([Document("warm", (Text("warm", text[:8000]),))])
    document = Document("speed", (Text("speed", text[: round(tokens * _CHARACTERS)]),))
    began = time.monotonic()
    context = engine.read([document])
    seconds = time.monotonic() - began
    print(f"reading {len(context):,} tokens: {seconds:.2f} s, {len(context) / seconds:,.0f} tokens per second")


@contextmanager
def counting_bar(name: str):
    """A progress bar on stderr that counts to a number; None where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
