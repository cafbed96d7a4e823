"""``pollux train``: a recipe on the user's own texts, from the start or from where it stopped."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pollux.base.errors import ConfigError
from pollux.base.models import find
from pollux.commands import train_vae
from pollux.commands.terminal import Parser, printable
from pollux.recipes.registry import RECIPES

if TYPE_CHECKING:
    from pollux.tokens.vocabulary import Vocabulary
    from pollux.train.loop import Run

_RECIPES = {**{name: recipe.summary for name, recipe in RECIPES.items()}, train_vae.NAME: train_vae.ABOUT}
_ABOUT = """
Train a model on folders of text, from scratch or from weights that are there. Progress is saved every few minutes and on Ctrl-C;
the same command goes on from there. Files named *.jsonl, *.jsonl.gz or *.jsonl.xz hold question/answer pairs, with the keys
prompt and completion.

recipes:
""" + "\n".join(f"  {name:8} {summary}" for name, summary in _RECIPES.items())
_EXAMPLES = """
pollux train laptop --data texts/
pollux train base --data novels/ --data code/ --out runs/mine --mesh data=2
pollux train further --data letters/
pollux train vae --data digits/ --estimator arms --n 4 --steps 6000
pollux ask --model runs/mine book.txt "Who is the harbour master?"
"""


def add(commands) -> None:
    parser: Parser = commands.add_parser("train", help="train a model on folders of text", description=_ABOUT, examples=_EXAMPLES)
    parser.add_argument("recipe", choices=_RECIPES, metavar="RECIPE", help="one of: " + ", ".join(_RECIPES))
    help_data = "a folder of texts; may be repeated (vae: one of pictures)"
    parser.add_argument("--data", type=Path, action="append", required=True, metavar="DIR", help=help_data)
    parser.add_argument("--out", type=Path, metavar="DIR", help="where everything goes (default: runs/RECIPE)")
    help_from = "a model whose weights to begin from (default: the recipe's, or random ones)"
    parser.add_argument("--from", dest="begin", metavar="MODEL", help=help_from)
    parser.add_argument("--steps", type=int, metavar="N", help="stop after step N, to go on later (default: the recipe's last)")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and of the order of the texts (default: 0)")
    parser.add_argument("--optimizer", choices=("muon", "adamw"), help="default: the recipe's")
    parser.add_argument("--mesh", type=mesh, default={}, metavar="AXIS=N,…", help="devices by axis, such as data=2,tensor=2")
    parser.add_argument("--vocabulary", type=Path, metavar="FILE", help="made by 'pollux tokenizer train' (default: Pollux's own)")
    parser.add_argument("--tensorboard", action="store_true", help="write TensorBoard events to OUT/tensorboard")
    train_vae.add_options(parser)
    parser.set_defaults(run=run, parser=parser)


def mesh(text: str) -> dict[str, int]:
    """Parse ``data=2,tensor=2``."""
    sizes = {}
    for part in text.split(","):
        axis, _, size = part.partition("=")
        if axis not in ("data", "sequence", "expert", "tensor") or not size.isdecimal() or int(size) < 1:
            raise argparse.ArgumentTypeError(f"{part!r} is no AXIS=N with AXIS one of data, sequence, expert, tensor")
        sizes[axis] = int(size)
    return sizes


def run(args: argparse.Namespace) -> int:
    if args.steps is not None and args.steps < 1:
        args.parser.error("--steps must be 1 or more")
    _log()
    if args.recipe == train_vae.NAME:
        return train_vae.run(args)
    train_vae.refuse(args)
    from pollux.base.config import prepare_jax

    prepare_jax()
    from pollux.data.source import load
    from pollux.train.loop import train

    out = args.out or Path("runs") / args.recipe
    corpus = load(args.data)
    print(f"{len(corpus.prose)} texts, {len(corpus.code)} source files, {len(corpus.pairs)} pairs", file=sys.stderr)
    vocabulary = _vocabulary(args.vocabulary, out)
    plan = _changed(RECIPES[args.recipe].build(corpus, vocabulary, args.seed), args)
    _check_vocabulary(plan, vocabulary)
    try:
        weights = train(plan, out, _progress(out, args.tensorboard), stop_after=args.steps)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on from the last saved state") from None
    print(f"weights: {printable(str(weights))}")
    print(f'try them: pollux ask --model {printable(str(weights))} FILE… "question"', file=sys.stderr)
    return 0


def _log() -> None:
    """Our own log lines on stderr; orbax and absl only when something is wrong."""
    logging.basicConfig(level=logging.ERROR, format="%(message)s", stream=sys.stderr)
    logging.getLogger("pollux").setLevel(logging.INFO)
    logging.getLogger("absl").setLevel(logging.ERROR)


def _vocabulary(given: Path | None, out: Path):
    """The vocabulary of the run; one that is not Pollux's own is kept beside the weights, where `pollux.load` finds it."""
    from pollux.tokens.vocabulary import Vocabulary, shipped

    kept = out / "vocabulary.json"
    if given is None:
        return Vocabulary.load(kept) if kept.exists() else shipped()
    vocabulary = Vocabulary.load(given)
    if kept.exists() and kept.read_bytes() != given.read_bytes():
        raise ConfigError(f"{out} holds a run with another vocabulary", "train into another folder with --out")
    out.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(given.read_bytes())
    return vocabulary


def _check_vocabulary(plan: Run, vocabulary: Vocabulary) -> None:
    """The weights to begin from know the tokens by the numbers that they have here."""
    from pollux.tokens.vocabulary import Vocabulary, shipped

    if plan.begin is None:
        return
    kept = plan.begin.with_name("vocabulary.json")
    theirs = Vocabulary.load(kept) if kept.exists() else shipped()
    if theirs.fingerprint != vocabulary.fingerprint:
        what = f"{plan.begin} was trained with another vocabulary"
        raise ConfigError(what, f"train with that one: --vocabulary {kept}" if kept.exists() else "leave --vocabulary out")


def _changed(plan: Run, args: argparse.Namespace) -> Run:
    """The recipe's run with what the command line changes."""
    if args.optimizer:
        plan = replace(plan, optimizer=replace(plan.optimizer, kind=args.optimizer))
    return replace(plan, mesh=args.mesh or plan.mesh, begin=find(args.begin) if args.begin else plan.begin)


def _progress(out: Path, tensorboard: bool):
    from pollux.train.progress import Progress

    try:
        return Progress(out, show=sys.stderr.isatty(), tensorboard=tensorboard)
    except ModuleNotFoundError as error:
        raise ConfigError(f"TensorBoard events need {error.name}, which is not here", "pip install tensorboardX") from error
