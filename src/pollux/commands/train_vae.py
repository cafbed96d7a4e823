"""``pollux train vae``: the experiment of the estimators' papers, an autoencoder with discrete latent variables."""

from __future__ import annotations

import argparse
from pathlib import Path

from pollux.commands.terminal import Parser, counting_bar, printable
from pollux.train.vae.experiment import METHODS, MODELS, Experiment


def _rows(known: dict) -> str:
    return "".join(f"  {name:13} {row.summary}\n" for name, row in known.items())


NAME = "vae"
ABOUT = "the estimators' experiment: discrete latent variables of MNIST's or Omniglot's pictures"
_STEPS = 10_000
_GROUP = f"""
--data holds MNIST's files (*idx3-ubyte, *idx3-ubyte.gz) or Omniglot's (*.zip); two ninths of the pictures are kept from training.
Whatever the estimator, a step evaluates the decoder at N draws for each of 50 pictures.

models:
{_rows(MODELS)}
estimators:
{_rows(METHODS)}"""
# Options of the one kind of recipe that the other has no use for.
_OURS = ("estimator", "latents", "n")
_THEIRS = ("begin", "optimizer", "mesh", "vocabulary", "tensorboard")
_SPELT = {"begin": "from"}


def add_options(parser: Parser) -> None:
    group = parser.add_argument_group("of vae alone", _GROUP)
    help_estimator = "of the encoder's gradient (default: arms, of categories carms-sb)"
    group.add_argument("--estimator", choices=METHODS, metavar="NAME", help=help_estimator)
    group.add_argument("--model", dest="latents", choices=MODELS, metavar="NAME", help="default: nonlinear")
    group.add_argument("--n", type=int, metavar="N", help="draws per picture and step (default: 4)")


def refuse(args: argparse.Namespace) -> None:
    """Options of this experiment given to another recipe are wrong usage."""
    _refuse(args, _OURS)


def _refuse(args: argparse.Namespace, names: tuple[str, ...]) -> None:
    for name in names:
        if getattr(args, name) != args.parser.get_default(name):
            shown = {"latents": "model", **_SPELT}.get(name, name)
            args.parser.error(f"{args.recipe} has no --{shown}; leave it out")


def run(args: argparse.Namespace) -> int:
    _refuse(args, _THEIRS)
    if len(args.data) > 1:
        args.parser.error(f"vae takes one folder of pictures, got {len(args.data)} times --data")
    model = MODELS[args.latents] if args.latents else Experiment.model
    usual = Experiment.estimator if model.categories is None else "carms-sb"
    experiment = Experiment(model, args.estimator or usual, Experiment.n if args.n is None else args.n, seed=args.seed)
    from pollux.base.config import prepare_jax
    from pollux.data.digits import load

    data, out = load(args.data[0]), args.out or Path("runs") / NAME
    prepare_jax()
    from pollux.train.vae.run import SUMMARY, train

    try:
        with counting_bar(f"vae, {experiment.estimator}", "steps") as progress:
            found = train(experiment, data, out, args.steps or _STEPS, progress)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on from the last saved state") from None
    _tell(found)
    print(f"wrote {SUMMARY} and metrics.jsonl in {printable(str(out))}")
    return 0


def _tell(found: dict) -> None:
    experiment, sizes = found["experiment"], found["pictures"]
    uses = {"train": "train with", "valid": "validate with", "test": "test with"}
    counted = ", ".join(f"{count:,} pictures to {uses[part]}" for part, count in sizes.items())
    print(f"{experiment['model']['name']}, {experiment['estimator']}, n={experiment['n']}, {found['steps']:,} steps; {counted}")
    rows = {"training part": found["train"]["elbo"], "validation part": found["valid"]["elbo"], "test part": found["test"]["elbo"]}
    for name, elbo in rows.items():
        print(f"  ELBO, {name:26} {elbo:9.2f} nats")
    print(f"  bound of {experiment['final']} draws, test part {found['test']['bound']:12.2f} nats")
    for name, variance in found["variance"].items():
        print(f"  variance of the encoder's gradient here, {name:12} {variance:.4g}")
