"""``pollux eval``: a task put to a model, with counts and intervals."""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING
from zlib import crc32

from pollux import __version__
from pollux.base.errors import ConfigError
from pollux.commands import eval_model
from pollux.commands.info import length
from pollux.commands.terminal import Parser, counting_bar

if TYPE_CHECKING:
    from pollux.data.source import Corpus
    from pollux.eval.family import Family
    from pollux.eval.run import Outcome, Subject
    from pollux.tasks.task import Task

_ABOUT = """
Measure a model, ours or one behind an HTTP API, by the same ruler. Everything is made on this machine, from the texts in --data,
which should be texts that the model was not trained on. Without --data it is one novel, which long contexts repeat.

tasks (TASK or TASK:VARIANT):
  recall       made-up facts hidden in the texts; exact answers and right citations
  two_step     facts that refer to facts: a value asked for through the subject that is said to share it
  needle       the magic number of a city: gemini (as in the report), kamradt, lwm, adversarial (an instruction to answer otherwise)
  ruler        RULER's 11 synthetic tasks: niah_single_1 … fwe, all of them when none is named
  babilong     facts among the sentences of the texts: qa1 … qa5
  mrcr         which of several like requests: gemini (as in the report), michelangelo, 2, 4, 8 (the public form)
  graphwalks   a walk in a graph given by its edges: bfs, parents
  key_value    a key's value in a JSON object
  cloze        the name or noun missing from a sentence that follows twenty others
  definitions  which file and line defines a function or class, in source code
  reading      extractive question/answer pairs (*.jsonl, *.jsonl.xz), the held-out passages; exact match and F1
  video_needle secret (as in the report): the word on one frame of a film, one frame a second; when: at what time a name appears;
               of films, and photographs, in --data
  mixed_needle a keyword that is said, and a number that one of the film's slides shows for it; likewise
  image_needle the secret word on one of many pictures; image_text: what is written in pictures; image_count: in how many of them
               a word is; image_page: a number on a scanned page; likewise
  image_classes:N  ten classes by N pictures of each (1, 4, 16); --data has train/CLASS/*.png and test/CLASS/*.png
  audio_needle the secret keyword in a recording (as in the report); said_when: when some words are said; spoken: words, phrases.
               By voices that are made here (espeak-ng, flite) and say what stands in the texts
  recorded     digits, sentences: recordings in --data (7_lucas_23.wav; or NAME.flac and metadata.csv)
  text         next-token loss in bits per byte
  position     next-token loss by position, and the power law nearest to it; prose, and code where there is some
  speed        tokens per second of reading, time of the next token and memory, at each length
"""
_EXAMPLES = """
pollux eval recall --data novels/ --lengths 4k 128k --n 500
pollux eval recall --data novels/ --phrasings heldout --n 500 --out results/
pollux eval needle --data essays/ --lengths 8k 128k 1M --depths 10 --n 100 --out results/
pollux eval needle --data essays/ --lengths 10M --in-place --n 500
pollux eval needle --data essays/ --lengths 10M --shared 100 --n 500
pollux eval ruler:vt --data essays/ --lengths 128k
pollux eval babilong:qa1 --data novels/ --lengths 10M --in-place --n 100
pollux eval needle --data essays/ --lengths 128k --remote gemini:MODEL --n 20
pollux eval video_needle --data films/ --lengths 180 3600 --n 200
pollux eval audio_needle --lengths 720 3600 --n 200
pollux eval image_page --detail high --n 50
pollux eval recorded:digits --data fsdd/ --n 250
pollux eval text --data novels/ --model runs/laptop
pollux eval position --data novels/ --lengths 1M --out results/
"""
_QUESTIONS = 200
# Settings by which one table is told from another.
_SETTINGS = ("seed", "needles", "asked", "shared", "in_place", "facts", "phrasings")
# What a chat model is told where the whole reply has to be the answer; ours are trained to answer so.
_TERSE = "\n\nReply with the answer's own words alone, as they stand in the text."


def add(commands) -> None:
    parser: Parser = commands.add_parser("eval", help="measure a model", description=_ABOUT, examples=_EXAMPLES)
    parser.add_argument("task", metavar="TASK", help="a task of the list above, and with it a variant")
    add_argument = parser.add_argument
    help_data = "a folder of texts; may be repeated (default: a novel that comes with Pollux)"
    add_argument("--data", type=Path, action="append", default=[], metavar="DIR", help=help_data)
    help_lengths = "tokens of the contexts, such as 4k, 128k, 1M (default: 4k); of films and sound seconds (180), or pictures (100)"
    add_argument("--lengths", type=length, nargs="+", action="extend", default=[], metavar="N", help=help_lengths)
    add_argument("--depths", type=int, default=10, metavar="N", help="depths that needles stand at (default: 10)")
    help_n = "questions per task and length (default: 200); documents of position (default: 8, if there are as many)"
    add_argument("--n", type=int, help=help_n)
    add_argument("--needles", type=int, default=1, metavar="N", help="needles of a context, asked for at once (default: 1)")
    add_argument("--asked", type=int, metavar="N", help="how many of the --needles a question asks for (default: all)")
    help_shared = "needles of one context, or of mrcr requests that come several times, asked for one by one (default: 1)"
    add_argument("--shared", type=int, default=1, metavar="N", help=help_shared)
    help_place = "needles (of ruler: in the texts), facts of babilong take the place of words as long: a text is read once for all"
    add_argument("--in-place", action="store_true", help=help_place)
    help_facts = "of recall (all asked for) and two_step (half), per context (default: 10, and 50 from 64k tokens on)"
    add_argument("--facts", type=int, metavar="N", help=help_facts)
    add_argument("--phrasings", choices=("train", "heldout"), default="train", help="of recall and two_step (default: train)")
    add_argument("--seed", type=int, default=1, help="of everything that is drawn (default: 1)")
    help_out = "keep every question, reply and score here, with a table and a heat map; the same command goes on where it stopped"
    add_argument("--out", type=Path, metavar="DIR", help=help_out)
    group = parser.add_argument_group("what is measured")
    group.add_argument("--model", default="base", help="a shipped model, a training folder or a weights file (default: base)")
    help_detail = "of what is seen: low, medium, high (default: medium)"
    group.add_argument("--detail", choices=("low", "medium", "high"), default="medium", help=help_detail)
    help_remote = "instead: gemini:MODEL or openai:MODEL, with the key in GEMINI_API_KEY or OPENAI_API_KEY"
    group.add_argument("--remote", metavar="API:MODEL", help=help_remote)
    group.add_argument("--url", default="", help="of a server that speaks so; an openai one ends in /v1 (default: theirs)")
    help_most = "of a remote reply, thoughts among them (default: 8192)"
    group.add_argument("--max-tokens", type=int, default=8192, metavar="N", help=help_most)
    help_temperature = "of a remote model; none for those that take none (default: 0)"
    group.add_argument("--temperature", type=_temperature, default=0.0, metavar="T", help=help_temperature)
    parser.set_defaults(run=run, parser=parser)


def _temperature(text: str) -> float | None:
    if text == "none":
        return None
    try:
        if 0 <= (found := float(text)) < 100:
            return found
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"a temperature is a number from 0 on, or none; got {text!r}")


def run(args: argparse.Namespace) -> int | None:
    _check(args)
    family = args.task.partition(":")[0]
    if family in eval_model.NAMES:
        return eval_model.run(args, family)
    args.n = args.n or _QUESTIONS
    from pollux.eval.family import USUAL, Wanted
    from pollux.eval.report import mean_of, rate
    from pollux.eval.suite import SUITE, tasks

    kind = SUITE[family]
    corpus = _corpus(args, kind.reads)
    count, about, subject = _subject(args, exact=kind.exact)
    options = {name: getattr(args, name) for name in ("depths", *_SETTINGS)}
    about |= options | {"data": _digest(args, corpus, kind.reads), "version": __version__}
    lengths = [0] if kind.own_length else args.lengths or [USUAL[kind.unit]]
    plan = {tokens: tasks(args.task, Wanted(corpus, tokens, count, **options, folders=tuple(args.data))) for tokens in lengths}
    for tokens, named in plan.items():
        if kind.reads == "prose" and kind.unit == "tokens" and not kind.own_length:
            eval_model.warn_if_short(corpus, tokens, "they come more than once in a context")
        found = [_measure(args, subject, task, about | {"task": name, "tokens": tokens}, kind) for name, task in named.items()]
        if len(named) > 1:
            scores = [rate("", [outcome.scores["score"] for outcome in outcomes]) for outcomes in found]
            print(mean_of(f"mean of {len(named)} tasks at {tokens:,} tokens", scores))
        if args.out:  # after each length, so that the next one may fail
            _draw(args, about)
    return None


def _check(args: argparse.Namespace) -> None:
    from pollux.eval.sensed import SENSED
    from pollux.eval.suite import SUITE

    family, _, variant = args.task.partition(":")
    if family not in (*SUITE, *eval_model.NAMES):
        args.parser.error(f"there is no task {args.task!r}; one of {', '.join((*SUITE, *eval_model.NAMES))}")
    if variant and (family in eval_model.NAMES or variant not in SUITE[family].variants):
        known = [] if family in eval_model.NAMES else list(filter(None, SUITE[family].variants))
        args.parser.error(f"{family} has no variant {variant!r}" + f"; one of {', '.join(known)}" * bool(known))
    for name in ("n", "depths", "needles", "asked", "shared", "facts"):
        if (value := getattr(args, name)) is not None and value < 1:
            args.parser.error(f"--{name} must be 1 or more")
    used = ("seed", "depths", *SUITE[family].settings) if family in SUITE else ("seed",)
    for name in ("depths", *_SETTINGS):
        if name not in used and getattr(args, name) != args.parser.get_default(name):
            args.parser.error(f"{family} has no --{name.replace('_', '-')}; leave it out")
    for name in () if args.remote else ("url", "max_tokens", "temperature"):
        if getattr(args, name) != args.parser.get_default(name):
            args.parser.error(f"--{name.replace('_', '-')} is for models behind an API; name one with --remote")
    if args.detail != "medium" and family not in SENSED:
        args.parser.error(f"{family} shows nothing; leave --detail out")
    if args.needles > 1 and args.shared > 1:
        args.parser.error("--needles asks for many at once, --shared for one by one; give one of the two")
    if args.lengths and (family == "text" or (family in SUITE and SUITE[family].own_length)):
        args.parser.error(f"{family} takes its texts at their own length; leave --lengths out")
    if args.remote and (family in eval_model.NAMES or family in SENSED):
        args.parser.error(f"{family} needs a model on this machine; leave --remote out")
    if not args.data and family in SUITE and SUITE[family].reads not in ("", "prose"):
        args.parser.error(f"{family} is made from your texts: --data DIR")
    args.data = args.data or [_novel()]


def _novel() -> Path:
    """The novel that comes with Pollux, beside the package or, where that is not built, in its source tree."""
    import pollux

    package, name = Path(pollux.__file__).parent, "the_odd_women.txt"
    return next((path for path in (package / "tasks" / name, package.parents[1] / "examples" / name) if path.exists()), Path(name))


def _corpus(args: argparse.Namespace, reads: str) -> Corpus:
    from pollux.data.source import Corpus, load

    if reads == "files":
        return load([_novel()])  # what is written on them
    return load(args.data, pairs_only=reads == "pairs") if reads else Corpus((), (), ())


def _digest(args: argparse.Namespace, corpus: Corpus, reads: str) -> str:
    """8 hex digits that tell texts, or files, from others."""
    files = [path for folder in args.data for path in sorted(folder.rglob("*")) if path.is_file()] if reads == "files" else []
    sizes = [(path.name, path.stat().st_size) for path in files]
    parts = {"prose": corpus.prose, "code": corpus.code, "pairs": corpus.pairs, "files": sizes}.get(reads, ())
    digest = 0
    for part in parts:
        digest = crc32(repr(part).encode("utf-8", "surrogatepass"), digest)
    return f"{digest:08x}"


def _subject(args: argparse.Namespace, *, exact: bool) -> tuple[Callable[[str], int], dict, Subject]:
    """How to count tokens, what tells the subject from others, and the subject."""
    if args.remote:
        from pollux.eval.remote import Remote
        from pollux.tokens.vocabulary import shipped

        vocabulary = shipped()  # theirs is not known; ours is near enough to size a context by
        terse = _TERSE if exact else ""
        remote = Remote(*args.remote.partition(":")[::2], args.url, args.max_tokens, terse, args.temperature)
        about = {"model": args.remote, "url": args.url, "max_tokens": args.max_tokens}
        about |= {} if args.temperature == 0 else {"temperature": args.temperature}
        return lambda text: vocabulary.encode(text).size, about, remote
    import pollux
    from pollux.eval.run import Local

    engine = pollux.load(args.model)
    about = {"model": args.model, "weights": engine.runner.weights}
    if engine.perception is not None:
        from pollux.perception.perceive import DETAIL

        engine.perception = replace(engine.perception, detail=DETAIL[args.detail])
        about |= {} if args.detail == "medium" else {"detail": args.detail}
    return lambda text: engine.vocabulary.encode(text).size, about, Local(engine)


def _measure(args: argparse.Namespace, subject: Subject, task: Task, about: dict, kind: Family) -> list[Outcome]:
    from pollux.eval import report
    from pollux.eval.results import NAME, Kept
    from pollux.eval.run import measure

    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
    kept = Kept(args.out / NAME if args.out else None, about)
    before, began, name = min(len(kept.all()), args.n), time.monotonic(), about["task"]
    with counting_bar(name) as progress:
        measure(subject, task, args.n, kept, progress, asked=about["tokens"], extra=kind.extra)
    outcomes = kept.all()
    if not outcomes:
        raise ConfigError(f"the data gives no question for {name}", "name a folder with more of it: --data DIR")
    mean = fmean(outcome.tokens for outcome in outcomes)
    earlier = f", {before} of the questions asked before" if before else ""
    print(f"{name}, {len(kept.outcomes):,} contexts of {mean:,.0f} tokens, {time.monotonic() - began:.0f} s{earlier}")
    for row in report.rates(outcomes):
        print(f"  {row}")
    if cut := sum(outcome.end != "end" for outcome in outcomes):
        print(f"  {cut} of the replies were cut short or withheld: {', '.join(sorted({o.end for o in outcomes} - {'end'}))}")
    if name == "recall":
        _by_phrasing(outcomes)
    return outcomes


def _by_phrasing(outcomes: list[Outcome]) -> None:
    from pollux.eval import report

    for order, row in sorted(report.by_kind(outcomes, 2).items()):
        print(f"  score, value {order} its subject: {row.mean:.1%} [{row.low:.1%}, {row.high:.1%}], n={row.n}")
    worst = [row for row in report.by_kind(outcomes, -1).values() if row.mean < 1][:10]
    if worst:
        print("  weakest phrasings: " + ", ".join(f"{row.name} {row.mean:.0%} of {row.n}" for row in worst))


def _draw(args: argparse.Namespace, about: dict) -> None:
    """A table and a heat map of all that was measured with these settings, at whatever length and in whatever variant."""
    from pollux.eval import report
    from pollux.eval.heatmap import draw
    from pollux.eval.results import NAME, rows

    family = args.task.partition(":")[0]
    groups: dict[tuple[str, int], list[tuple[Outcome, ...]]] = {}
    for settings, _, outcomes in rows(args.out / NAME):
        name = settings.get("task", "")
        if name.partition(":")[0] == family and settings == json.loads(json.dumps(about)) | {
            "task": name, "tokens": settings.get("tokens")
        }:
            groups.setdefault((name, settings["tokens"]), []).append(outcomes)
    set_ = [f"{option} {about[option]}" for option in _SETTINGS if about[option] != args.parser.get_default(option)]
    title = ", ".join([family, about["model"], *set_])
    digest = crc32(json.dumps({**about, "task": family, "tokens": 0}, sort_keys=True).encode())
    file = lambda title: re.sub(r"[^\w.-]+", "-", f"{title}-{digest:08x}")  # noqa: E731 (other texts or weights are other files)
    wrote, found = [f"{file(title)}.md", f"{file(title)}.json"], report.summary(groups)
    (args.out / wrote[0]).write_text(report.table(title, found), encoding="utf-8")
    told = {"settings": about, "rows": [row._asdict() for row in found]}
    (args.out / wrote[1]).write_text(json.dumps(told, indent=1), encoding="utf-8")
    for task in sorted({task for task, _ in groups}):
        every = [outcome for (name, _), examples in groups.items() if name == task for example in examples for outcome in example]
        of_task = title.replace(family, task, 1)
        if draw(every, args.out / f"{file(of_task)}.png", of_task, depths=args.depths):
            wrote.append(f"{file(of_task)}.png")
    print(f"wrote {', '.join(wrote)} and {NAME} in {args.out}")
