"""``pollux senses``: train the nets that see and hear, and put them into a model."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from pollux.commands.terminal import Parser, printable

_ABOUT = """
Train the nets that see and hear, from nothing, on pictures and speech that are made here; and put them into a model's file.

parts:
  look    what is in a picture: its codes, and where there is text    (--fonts, --photos, --texts, --classes, --digits)
  read    the lines of text in it                                     (--fonts, --photos, --texts)
  speech  makes what hearing is trained on; needs espeak-ng, flite and pico2wave, and no part after this one does
          (--texts; --digits and --prompts add recordings)
  hear    letters and codes of sound                                  (--speech)
  join    puts look, read and hear into a model                       (--model, --look, --read, --hear)
  measure how well look and read see                                  (--look, --read, --fonts, --photos, --texts; --classes)
          on fonts, photographs and texts that they were not trained on

Every training saves every few minutes, and on Ctrl-C; the same command goes on from there.
"""
_EXAMPLES = """
pollux senses look --fonts /usr/share/fonts --photos photos/ --texts novels/ --classes cifar10/train --digits mnist/
pollux senses read --fonts /usr/share/fonts --photos photos/ --texts novels/
pollux senses speech --texts novels/ --digits fsdd.tar --out runs/speech
pollux senses hear --speech runs/speech
pollux senses hear --speech runs/speech --from base --out runs/further
pollux senses join --model runs/further --look runs/look --read runs/read --hear runs/hear --out mine.safetensors
pollux senses measure --look runs/look --read runs/read --fonts other-fonts/ --photos other-photos/ --texts other-novels/
"""
_NEEDED = {
    "look": ("fonts", "photos", "texts", "classes", "digits"), "read": ("fonts", "photos", "texts"), "speech": ("texts",),
    "hear": ("speech",), "join": ("model", "look", "read", "hear", "out"),
    "measure": ("look", "read", "fonts", "photos", "texts"),
}  # fmt: skip
_TAKEN = {name: {*needed, "out", "steps"} for name, needed in _NEEDED.items()}
_TAKEN["speech"] = {"texts", "digits", "prompts", "hours", "out"}
_TAKEN["join"] -= {"steps"}
for _name in ("look", "read", "hear"):
    _TAKEN[_name].add("begin")
_TAKEN["measure"] = {*_NEEDED["measure"], "classes", "n"}
_STEPS = {"look": 14_000, "read": 20_000, "hear": 10_000}
_SHARES = (0.68, 0.2, 0.12)  # of what is heard in training: made, digits, prompts
_A_SHARD = 0.25  # hours of speech


def add(commands) -> None:
    parser: Parser = commands.add_parser("senses", help="train seeing and hearing", description=_ABOUT, examples=_EXAMPLES)
    parser.add_argument("part", choices=_NEEDED, metavar="PART", help="one of: " + ", ".join(_NEEDED))
    folder = {"type": Path, "metavar": "DIR"}
    parser.add_argument("--fonts", action="append", **folder, help="a folder of fonts; may be repeated")
    parser.add_argument("--photos", **folder, help="a folder of photographs, for backgrounds")
    parser.add_argument("--texts", **folder, help="a folder of plain texts, for what is written and said")
    parser.add_argument("--classes", **folder, help="a folder with one of small photographs for each class (CIFAR-10's layout)")
    help_digits = "of look: a folder with MNIST's two files; of speech: a tar file of the Free Spoken Digit Dataset"
    parser.add_argument("--digits", type=Path, metavar="PATH", help=help_digits)
    help_prompts = "a folder of Asterisk's recorded prompts (NAME.wav), and in it core-sounds-en.txt"
    parser.add_argument("--prompts", **folder, help=help_prompts)
    parser.add_argument("--hours", type=float, default=15.0, metavar="N", help="of made speech (default: 15)")
    parser.add_argument("--speech", **folder, help="what 'pollux senses speech' made")
    help_from = "a model whose nets look, read or hear begin from (default: random weights)"
    parser.add_argument("--from", dest="begin", metavar="MODEL", help=help_from)
    parser.add_argument("--model", metavar="MODEL", help="a model that knows codes, such as 'pollux train further' makes")
    for name in ("look", "read", "hear"):
        parser.add_argument(f"--{name}", **folder, help=f"where 'pollux senses {name}' was trained")
    parser.add_argument("--out", type=Path, metavar="PATH", help="where everything goes (default: runs/PART)")
    parser.add_argument("--n", type=int, default=300, metavar="N", help="pictures to measure with (default: 300)")
    parser.add_argument("--steps", type=int, metavar="N", help="of the training (default: look 14,000, read 20,000, hear 10,000)")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    _check(args)
    logging.basicConfig(level=logging.ERROR, format="%(message)s", stream=sys.stderr)
    logging.getLogger("pollux").setLevel(logging.INFO)
    out = args.out or Path("runs") / args.part
    from pollux.base.config import prepare_jax

    prepare_jax()
    if args.part == "measure":
        return _measure(args)
    try:
        made = {"look": _see, "read": _see, "speech": _speech, "hear": _hear, "join": _join}[args.part](args, out)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on from where it was saved") from None
    print(f"wrote {printable(str(made))}")
    return 0


def _check(args: argparse.Namespace) -> None:
    for name in _NEEDED[args.part]:
        if not getattr(args, name):
            args.parser.error(f"{args.part} needs --{name}")
    every = "fonts photos texts classes digits prompts speech begin model look read hear steps hours n".split()
    for name in every:
        if name not in _TAKEN[args.part] and getattr(args, name) != args.parser.get_default(name):
            args.parser.error(f"{args.part} has no --{'from' if name == 'begin' else name}; leave it out")
    if args.steps is not None and args.steps < 1:
        args.parser.error("--steps must be 1 or more")
    if not args.hours > 0:
        args.parser.error("--hours must be above 0")
    if args.n < 1:
        args.parser.error("--n must be 1 or more")


def _see(args: argparse.Namespace, out: Path) -> Path:
    from pollux.train.sight.config import SightRun, Sources
    from pollux.train.sight.run import train

    sources = Sources(tuple(args.fonts), args.photos, args.texts, args.classes, args.digits)
    more = {"scenes": 4, "labelled": 72} if args.part == "look" else {}
    run = SightRun(args.part, sources, args.steps or _STEPS[args.part], begin=_begin(args), **more)
    return train(run, out, show=sys.stderr.isatty())


def _begin(args: argparse.Namespace) -> Path | None:
    from pollux.base import models

    return models.find(args.begin) if args.begin else None


def _speech(args: argparse.Namespace, out: Path) -> Path:
    from pollux.data.speech.recordings import digits, prompts
    from pollux.data.speech.shelf import keep, make
    from pollux.data.speech.texts import gather

    texts = gather(path.read_text(errors="replace") for path in sorted(args.texts.rglob("*.txt")))
    make(out, texts, max(round(args.hours / _A_SHARD), 1), seed=0)
    (out / "words.txt").write_text("\n".join(texts.words) + "\n")  # the first of those that `perception.known` ships
    if args.digits:
        keep(out / "kept-digits", digits(args.digits)[0])
    if args.prompts:
        keep(out / "kept-prompts", prompts(args.prompts, args.prompts / "core-sounds-en.txt"))
    return out


def _hear(args: argparse.Namespace, out: Path) -> Path:
    from dataclasses import replace

    from pollux.base.errors import ConfigError
    from pollux.data.speech.shelf import Shelf
    from pollux.train.hearing.run import HearingRun, train

    patterns = ("made-*", "kept-digits", "kept-prompts")
    shelves = [(shelf, share) for name, share in zip(patterns, _SHARES, strict=True) if (shelf := Shelf(args.speech, name))]
    if not shelves:
        raise ConfigError(f"there is no speech in {args.speech}", "make some first: pollux senses speech --texts DIR")
    run = replace(HearingRun(), steps=args.steps or _STEPS["hear"], begin=_begin(args))
    return train(run, shelves, out, show=sys.stderr.isatty())


def _join(args: argparse.Namespace, out: Path) -> Path:
    import tempfile

    from pollux.base import models
    from pollux.perception.senses import join
    from pollux.train.sight.run import join as sight_of

    with tempfile.TemporaryDirectory() as folder:
        sight = Path(folder) / "sight.safetensors"
        sight_of(args.look / "look.safetensors", args.read / "read.safetensors", sight)
        join(models.find(args.model), sight, args.hear / "hearing.safetensors", out)
    return out


def _measure(args: argparse.Namespace) -> int:
    import tempfile

    from pollux.base.checkpoint import load_weights
    from pollux.data.scenes.labelled import photographs
    from pollux.eval.report import rate
    from pollux.perception.vision.sight import Sight
    from pollux.train.sight import evaluate
    from pollux.train.sight.batches import supply
    from pollux.train.sight.config import Sources
    from pollux.train.sight.run import join as sight_of

    scenes = supply(Sources(tuple(args.fonts), args.photos, args.texts)).scenes
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sight.safetensors"
        sight_of(args.look / "look.safetensors", args.read / "read.safetensors", file)
        sight = Sight.load(file)
    for name, lines in (
        ("found and read", evaluate.lines(sight, scenes, 1, args.n)),
        ("read where they are", evaluate.reading(sight, scenes, 1, args.n)),
    ):
        print(f"lines {name}: {lines.found} of {lines.lines} found, {lines.right} of {lines.said} that were said are there")
        print(f"  character error rate: {lines.cer:.1%}, n={lines.characters:,} characters")
    counts = {"captions read exactly": evaluate.captions(sight, scenes, 1, args.n)}
    if args.classes:
        params, _ = load_weights(args.look / "look.safetensors")
        counts["classes told from codes"] = evaluate.classes(params, photographs(args.classes))
    for name, (right, count) in counts.items():
        print(rate(name, [1.0] * right + [0.0] * (count - right)))
    return 0
