"""The estimators' experiment at our size: five paired seeds of each estimator, a table and a plot.

    python benchmarks/vae.py --digits mnist/ --characters omniglot/ --out runs/vae --plot docs/vae.png

Runs of a seed begin at the same weights and see the same batches, made black and white alike; every step evaluates the decoder at n
draws per picture, whatever the estimator. What is finished is not run again: the same command goes on where it stopped, and
--report makes table and plot of what is there. The variance of every estimator is measured at the parameters of the first one's
run, on one batch, by 256 fresh estimates each. --quick takes two seeds of 400 steps, to see that all works.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from scipy.stats import t

ELBO, BOUND = "elbo", "bound"


class Setting(NamedTuple):
    """Estimators that are compared with the first of them: at this model and n, by this number."""

    title: str
    data: str
    model: str
    n: int
    estimators: tuple[str, ...]
    judged: str = ELBO


_BEGIN, _END = "<!-- benchmarks/vae.py writes what follows -->", "<!-- to here -->"
BITS = ("loorf", "disarm", "arms", "gumbel-st")
SETTINGS = (
    Setting("digits, linear", "digits", "linear", 4, BITS),
    Setting("digits, nonlinear", "digits", "nonlinear", 4, BITS),
    Setting("digits, categorical", "digits", "categorical", 4, ("loorf", "carms-i", "carms-sb", "gumbel-st")),
    Setting("characters, linear", "characters", "linear", 4, BITS),
    Setting("digits, linear, bounds", "digits", "linear", 8, ("vimco", "vimco-halves", "local-disarm", "local-arms"), BOUND),
)
NAMES = {
    "loorf": "LOORF", "disarm": "DisARM", "arms": "ARMS", "gumbel-st": "Gumbel-ST", "carms-i": "CARMS-I", "carms-sb": "CARMS-SB",
    "vimco": "VIMCO", "vimco-halves": "VIMCO, halves", "local-disarm": "local DisARM", "local-arms": "local ARMS",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--digits", type=Path, metavar="DIR", help="MNIST's IDX files")
    parser.add_argument("--characters", type=Path, metavar="DIR", help="Omniglot's zip files")
    parser.add_argument("--out", type=Path, default=Path("runs/vae"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", action="store_true", help="run nothing")
    parser.add_argument("--plot", type=Path, metavar="FILE")
    parser.add_argument("--docs", type=Path, metavar="FILE", help="put the tables into this page, between its two marks")
    args = parser.parse_args()
    if args.quick:
        args.seeds, args.steps = 2, 400
    if not args.report:
        run(args)
    found = {setting: kept for setting in SETTINGS if (kept := collect(args.out, setting))}
    (args.out / "results.json").write_text(json.dumps({s.title: kept for s, kept in found.items()}, indent=1))
    (args.out / "table.md").write_text(text := "\n".join(table(setting, kept) for setting, kept in found.items()))
    print(text)
    if args.docs:
        before, rest = args.docs.read_text().split(_BEGIN)
        args.docs.write_text(f"{before}{_BEGIN}\n\n{text}\n{_END}{rest.split(_END)[1]}")
    if args.plot and found:
        draw(found, args.plot)


def run(args: argparse.Namespace) -> None:
    """Whatever is not there yet."""
    from pollux.base.config import prepare_jax

    prepare_jax()
    from pollux.data.digits import load
    from pollux.train.vae.experiment import MODELS, Experiment
    from pollux.train.vae.run import SUMMARY, train

    folders = {"digits": args.digits, "characters": args.characters}
    data = {name: load(folder) for name, folder in folders.items() if folder}
    every, estimates = (100, 16) if args.quick else (1000, 256)
    for setting in (setting for setting in SETTINGS if setting.data in data):
        for seed in range(args.seeds):
            for name in setting.estimators:
                compared = setting.estimators if name == setting.estimators[0] else (name,)
                folder = place(args.out, setting, name, seed)
                if not (folder / SUMMARY).exists():
                    plan = Experiment(MODELS[setting.model], name, setting.n, seed, compared, every, estimates=estimates)
                    summary = train(plan, data[setting.data], folder, args.steps)
                    print(f"{setting.title}, {name}, seed {seed}: {summary['train']}", flush=True)


def place(out: Path, setting: Setting, name: str, seed: int) -> Path:
    return out / setting.title.replace(", ", "-") / f"{name}-{seed}"


def collect(out: Path, setting: Setting) -> dict:
    """By estimator and seed, the summary and the rows of metrics; only of seeds that every estimator has finished."""
    done = lambda seed: all((place(out, setting, name, seed) / "summary.json").exists() for name in setting.estimators)  # noqa: E731
    seeds = [seed for seed in range(100) if done(seed)]
    rows = lambda path: [json.loads(line) for line in path.read_text().splitlines()]  # noqa: E731
    of = lambda path: json.loads((path / "summary.json").read_text()) | {"rows": rows(path / "metrics.jsonl")}  # noqa: E731
    return {name: {seed: of(place(out, setting, name, seed)) for seed in seeds} for name in setting.estimators} if seeds else {}


def interval(values: np.ndarray) -> tuple[float, float]:
    """The mean of paired differences, and how far its 95% interval (Student's t) reaches on either side."""
    if len(values) < 2:
        return float(values.mean()), float("nan")
    return float(values.mean()), float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def ratios(setting: Setting, kept: dict, name: str) -> np.ndarray:
    """Variance over the reference's at the same parameters and pictures, [seeds, checkpoints]."""
    runs = kept[setting.estimators[0]].values()
    return np.array([[row["variance"][name] / row["variance"][setting.estimators[0]] for row in run["rows"]] for run in runs])


def table(setting: Setting, kept: dict) -> str:
    first, judged = setting.estimators[0], setting.judged
    runs = list(kept[first].values())
    sizes, steps = runs[0]["pictures"], [row["step"] for row in runs[0]["rows"]]
    held = f"{sizes['train']:,} pictures to train, {sizes['test']:,} to test"
    about = f"n={setting.n}, {runs[0]['steps']:,} steps, {len(runs)} paired seeds; {held}"
    ours = "ELBO" if judged == ELBO else f"bound of {runs[0]['experiment']['drawn']}"
    head = f"| | {ours}, train | ELBO, test | bound of {runs[0]['experiment']['final']}, test | variance at "
    head += " | ".join(f"{step:,}" for step in steps) + " |"
    lines = [f"**{setting.title}**: {about}", "", head, "|" + " --- |" * (4 + len(steps))]
    for name in setting.estimators:
        cells = [_cell(kept, name, first, part, number) for part, number in (("train", judged), ("test", ELBO), ("test", BOUND))]
        for column in np.log(ratios(setting, kept, name)).T:
            mean, half = interval(column)
            cells.append("1" if name == first else f"{np.exp(mean):.3f} ± {np.exp(mean) * half:.3f}")
        lines.append(f"| {NAMES[name]} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _cell(kept: dict, name: str, first: str, part: str, number: str) -> str:
    values, theirs = (np.array([run[part][number] for run in kept[e].values()]) for e in (name, first))
    if name == first:
        return f"{values.mean():.2f}"
    mean, half = interval(values - theirs)
    return f"{mean:+.2f} ± {half:.2f}"


def draw(found: dict[Setting, dict], picture: Path) -> None:
    """By step: the variance at the reference's parameters, and over the reference's; the ELBO or the bound, and above the
    reference's. Where Gumbel-ST would dwarf what differs between the others it is left out."""
    figure = Figure(figsize=(3.1 * len(found), 10), layout="constrained")
    grid = figure.subplots(4, len(found), squeeze=False, sharex="col")
    for column, (setting, kept) in zip(grid.T, found.items(), strict=True):
        reference = list(kept[setting.estimators[0]].values())
        of = partial(_judged, setting, kept)
        steps = [row["step"] for row in reference[0]["rows"]]
        for number, name in enumerate(setting.estimators):
            style = {"label": NAMES[name], "color": f"C{number}"}
            _line(column[0], steps, np.array([[row["variance"][name] for row in run["rows"]] for run in reference]), **style)
            _line(column[2], steps, of(name), **style)
            if name != "gumbel-st":
                _line(column[1], steps, ratios(setting, kept, name), **style)
                _line(column[3], steps, of(name) - of(setting.estimators[0]), **style)
        column[0].set(title=setting.title, yscale="log")
        low, high = column[0].get_ylim()
        column[0].yaxis.set_major_locator(LogLocator(subs=(1,) if high > 100 * low else (1, 2, 5)))
        column[0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}".replace("e-0", "e-")))
        column[0].yaxis.set_minor_formatter(NullFormatter())
        column[2].legend(frameon=False, fontsize=8)
        column[3].set_xlabel("steps")
    labels = "variance of the gradient", "variance over the first's", "ELBO (or bound), nats", "above the first's, nats"
    for axis, label in zip(grid[:, 0], labels, strict=True):
        axis.set_ylabel(label)
    figure.savefig(picture, dpi=100)


def _judged(setting: Setting, kept: dict, name: str) -> np.ndarray:
    """On the training part, [seeds, checkpoints]."""
    return np.array([[row["train"][setting.judged] for row in run["rows"]] for run in kept[name].values()])


def _line(axis: Axes, steps: list[int], values: np.ndarray, **style) -> None:
    """The mean of seeds, and the 95% interval about it."""
    mean, half = np.array([interval(column) for column in values.T]).T
    axis.plot(steps, mean, "o-", markersize=3, linewidth=1.2, **style)
    axis.fill_between(steps, mean - np.nan_to_num(half), mean + np.nan_to_num(half), color=style["color"], alpha=0.15, linewidth=0)
    axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
