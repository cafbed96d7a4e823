"""``pollux eval``: a task put to a model, with counts and intervals."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pollux.base.errors import ConfigError
from pollux.commands.info import length
from pollux.commands.terminal import Parser, fail

if TYPE_CHECKING:
    from pollux.data.source import Corpus
    from pollux.eval.run import Outcome, Subject
    from pollux.tasks.task import Task

_ABOUT = """
Measure a model, ours or one behind an HTTP API, by the same ruler. Everything is made on this machine, from the texts in --data,
which should be texts that the model was not trained on.

tasks (TASK or TASK:VARIANT):
  recall       made-up facts hidden in the texts; exact answers and right citations
  needle       the magic number of a city: gemini (as in the report), kamradt, lwm
  ruler        RULER's 11 synthetic tasks: niah_single_1 … fwe, all of them when none is named
  babilong     facts among the sentences of the texts: qa1 … qa5
  mrcr         which of several like requests: gemini (as in the report), michelangelo, 2, 4, 8 (the public form)
  graphwalks   a walk in a graph given by its edges: bfs, parents
  key_value    a key's value in a JSON object
  cloze        the name or noun missing from a sentence that follows twenty others
  definitions  which file and line defines a function or class, in source code
  reading      extractive question/answer pairs (*.jsonl, *.jsonl.xz), the held-out passages; exact match and F1
  text         next-token loss in bits per byte
  speed        tokens per second of reading, at each length
"""
_EXAMPLES = """
pollux eval recall --data novels/ --lengths 4k 128k --n 500
pollux eval recall --data novels/ --phrasings heldout --n 500 --out results/
pollux eval needle --data essays/ --lengths 8k 128k 1M --depths 10 --n 100 --out results/
pollux eval needle --data essays/ --lengths 10M --shared 100 --n 500
pollux eval ruler:vt --data essays/ --lengths 128k
pollux eval needle --data essays/ --lengths 128k --remote gemini:MODEL --n 20
pollux eval text --data novels/ --model runs/laptop
"""
_OTHERS = ("text", "speed")


def add(commands) -> None:
    parser: Parser = commands.add_parser("eval", help="measure a model", description=_ABOUT, examples=_EXAMPLES)
    parser.add_argument("task", metavar="TASK", help="a task of the list above, and with it a variant")
    add_argument = parser.add_argument
    add_argument("--data", type=Path, action="append", required=True, metavar="DIR", help="a folder of texts; may be repeated")
    help_lengths = "tokens of the contexts (default: 4k)"
    add_argument("--lengths", type=length, nargs="+", action="extend", default=[], metavar="N", help=help_lengths)
    add_argument("--depths", type=int, default=10, metavar="N", help="depths that needles stand at (default: 10)")
    add_argument("--n", type=int, default=200, help="questions per task and length (default: 200)")
    add_argument("--needles", type=int, default=1, metavar="N", help="needles that one question asks for (default: 1)")
    add_argument("--shared", type=int, default=1, metavar="N", help="needles of one context, asked for one by one (default: 1)")
    add_argument("--facts", type=int, help="facts per context of recall, all asked for (default: 10, and 50 from 64k tokens on)")
    add_argument("--phrasings", choices=("train", "heldout"), default="train", help="of recall (default: train)")
    add_argument("--seed", type=int, default=1, help="of everything that is drawn (default: 1)")
    help_out = "keep every question, reply and score here, with a table and a heat map; the same command goes on where it stopped"
    add_argument("--out", type=Path, metavar="DIR", help=help_out)
    group = parser.add_argument_group("what is measured")
    group.add_argument("--model", default="base", help="a shipped model, a training folder or a weights file (default: base)")
    help_remote = "instead: gemini:MODEL or openai:MODEL, with the key in GEMINI_API_KEY or OPENAI_API_KEY"
    group.add_argument("--remote", metavar="API:MODEL", help=help_remote)
    group.add_argument("--url", default="", help="of a server that speaks so (default: Google's, OpenAI's)")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int | None:
    _check(args)
    from pollux.data.source import load

    family = args.task.partition(":")[0]
    corpus = load(args.data, pairs_only=family == "reading")
    if family in _OTHERS:
        return _others(args, family, corpus)
    from pollux.eval.suite import SUITE, Wanted, tasks

    lengths = [0] if SUITE[family].own_length else args.lengths or [4096]
    count, about, subject = _subject(args)
    options = {name: getattr(args, name) for name in ("seed", "depths", "needles", "shared", "facts", "phrasings")}
    plan = {tokens: tasks(args.task, Wanted(corpus, tokens, count, **options)) for tokens in lengths}
    outcomes: list[Outcome] = []
    for tokens, named in plan.items():
        if not SUITE[family].own_length:
            _warn_if_short(corpus, tokens, "they come more than once in a context")
        for name, task in named.items():
            settings = about | options | {"task": name, "tokens": tokens}
            outcomes += _measure(args, subject, task, settings, SUITE[family].extra)
    _mean(outcomes, plan)
    if args.out:
        _draw(args, outcomes)
    return None


def _check(args: argparse.Namespace) -> None:
    from pollux.eval.suite import SUITE

    family = args.task.partition(":")[0]
    if family not in (*SUITE, *_OTHERS):
        args.parser.error(f"there is no task {args.task!r}; one of {', '.join((*SUITE, *_OTHERS))}")
    for name in ("n", "depths", "needles", "shared"):
        if getattr(args, name) < 1:
            args.parser.error(f"--{name} must be 1 or more")
    if args.lengths and (family == "text" or (family in SUITE and SUITE[family].own_length)):
        args.parser.error(f"{family} takes its texts at their own length; leave --lengths out")
    if args.remote and family in _OTHERS:
        args.parser.error(f"{family} needs a model on this machine; leave --remote out")


def _subject(args: argparse.Namespace):
    """How to count tokens, what tells the subject from others, and the subject."""
    if args.remote:
        from pollux.eval.remote import Remote
        from pollux.tokens.vocabulary import shipped

        dialect, _, model = args.remote.partition(":")
        vocabulary = shipped()  # theirs is not known; ours is near enough to size a context by
        return lambda text: vocabulary.encode(text).size, {"model": args.remote, "url": args.url}, Remote(dialect, model, args.url)
    import pollux
    from pollux.eval.run import Local

    engine = pollux.load(args.model)
    return lambda text: engine.vocabulary.encode(text).size, {"model": args.model, "weights": engine.runner.weights}, Local(engine)


def _others(args: argparse.Namespace, family: str, corpus: Corpus) -> None:
    import pollux

    engine = pollux.load(args.model)
    if family == "text":
        return _text(engine, corpus)
    for tokens in args.lengths or [4096]:
        _speed(engine, corpus, tokens)
    return None


def _measure(args: argparse.Namespace, subject: Subject, task: Task, settings: dict, extra: tuple) -> list[Outcome]:
    from pollux.eval import report
    from pollux.eval.results import NAME, Kept
    from pollux.eval.run import measure

    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
    kept = Kept(args.out / NAME if args.out else None, settings)
    before, began, name = len(kept.all()), time.monotonic(), settings["task"]
    with counting_bar(name) as progress:
        try:
            measure(subject, task, args.n, kept, progress, asked=settings["tokens"], extra=extra)
        except ValueError as error:  # what the task cannot make of these texts at this length
            raise ConfigError(f"{name}: {error}", "ask for other --lengths, or name more texts: --data DIR") from error
    outcomes = kept.all()[: args.n]
    if not outcomes:
        raise ConfigError(f"the data gives no question for {name}", "name a folder with more of it: --data DIR")
    mean = sum(outcome.tokens for outcome in outcomes) / len(outcomes)
    earlier = f", {before} of the questions asked before" if before else ""
    print(f"{name}, contexts of {mean:,.0f} tokens, {time.monotonic() - began:.0f} s{earlier}")
    for row in report.rates(outcomes):
        print(f"  {row}")
    if name == "recall":
        _by_phrasing(outcomes)
    return outcomes


def _by_phrasing(outcomes: list[Outcome]) -> None:
    from pollux.eval import report

    for order, row in sorted(report.by_kind(outcomes, 2).items()):
        print(f"  exact, value {order} its subject: {row.mean:.1%} [{row.low:.1%}, {row.high:.1%}], n={row.n}")
    worst = [row for row in report.by_kind(outcomes, -1).values() if row.mean < 1][:10]
    if worst:
        print("  weakest phrasings: " + ", ".join(f"{row.name} {row.mean:.0%} of {row.n}" for row in worst))


def _mean(outcomes: list[Outcome], plan: dict[int, dict[str, Task]]) -> None:
    """The mean of several tasks' means, by length, as their authors give it."""
    from pollux.eval import report

    for tokens, named in plan.items():
        if len(named) > 1:
            rows = report.by_kind([outcome for outcome in outcomes if outcome.asked == tokens])
            print(f"mean of {len(rows)} tasks at {tokens:,} tokens: {sum(row.mean for row in rows.values()) / len(rows):.1%}")


def _draw(args: argparse.Namespace, outcomes: list[Outcome]) -> None:
    from pollux.eval import report
    from pollux.eval.heatmap import draw

    stem = args.task.replace(":", "-")
    (args.out / f"{stem}.md").write_text(report.table(outcomes), encoding="utf-8")
    drawn = draw(outcomes, args.out / f"{stem}.png", f"{args.task}, {args.remote or args.model}", depths=args.depths)
    print(f"wrote {stem}.md" + f", {stem}.png" * drawn + f" and results.jsonl in {args.out}")


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
    from pollux.eval.suite import CHARACTERS

    held = sum(map(len, corpus.prose)) / CHARACTERS
    if held < tokens:
        fail(f"the texts hold about {held:,.0f} tokens, {tokens:,} were asked for; {else_}", kind="warning")


def _speed(engine, corpus: Corpus, tokens: int) -> None:
    """Reading texts of a length; a short one is read before, so that no compiling is timed."""
    from pollux.eval.suite import CHARACTERS
    from pollux.media.segment import Document, Text

    _warn_if_short(corpus, tokens, "all of it is read")
    text = "\n\n".join(corpus.prose)
    engine.read([Document("warm", (Text("warm", text[:8000]),))])
    document = Document("speed", (Text("speed", text[: round(tokens * CHARACTERS)]),))
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
