"""What a run shows and keeps of itself: a progress bar, metrics as JSON lines, and a plot of the loss."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pollux.train.metrics import NAME, add_row, keep_rows, read_metrics

if TYPE_CHECKING:
    from pollux.train.loop import Run
    from pollux.train.losses import Report

log = logging.getLogger("pollux")
# Without a terminal, a line is logged every so many steps.
_QUIET_EVERY = 50


class Progress:
    """Shows and records steps.

    ``metrics.jsonl`` gets one row per step: step, tokens, loss, text, answer (nats), right (share of answer tokens), exact (of
    whole answers), pointed (share of attention on what is to be copied), busiest and idlest (that expert's load over the mean, for
    each layer that has experts), seconds. A resumed run first drops the rows past its starting step.
    """

    def __init__(self, folder: Path, *, show: bool = True, tensorboard: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / NAME
        self._show, self._bar, self._writer, self._tokens = show, None, None, 0
        if tensorboard:
            from tensorboardX import SummaryWriter  # pip install 'pollux[tensorboard]'

            self._writer = SummaryWriter(str(folder / "tensorboard"))

    def start(self, run: Run, first: int) -> None:
        rows = keep_rows(self.path, first)
        self._tokens = rows[-1]["tokens"] if rows else 0
        if first:
            log.info("going on from step %d of %d, saved in %s", first, run.steps, self.path.parent)
        self._time = time.monotonic()
        if self._show:
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task(run.name, total=run.steps, completed=first, loss=0.0, exact=0.0, rate=0.0)

    def step(self, number: int, report: Report, tokens: int) -> None:
        now = time.monotonic()
        seconds, self._time = now - self._time, now
        self._tokens += tokens
        row = {"step": number, "tokens": self._tokens, "loss": report.loss, "text": report.text, "answer": report.answer}
        row |= {"right": report.right, "exact": report.exact, "pointed": report.pointed}
        row |= {"busiest": _loads(report, max), "idlest": _loads(report, min), "seconds": round(seconds, 3)}
        add_row(self.path, row)
        if self._writer:
            for name in ("loss", "text", "answer", "right", "exact", "pointed"):
                self._writer.add_scalar(name, row[name], self._tokens)
            for name in ("busiest", "idlest"):
                for layer, load in enumerate(row[name]):
                    self._writer.add_scalar(f"{name}/{layer}", load, self._tokens)
        if self._bar:
            rate = tokens / max(seconds, 1e-9)
            self._bar.update(self._task, completed=number + 1, loss=report.loss, exact=report.exact, rate=rate)
        elif number % _QUIET_EVERY == 0:
            log.info("step %d  loss %.3f  answers exact %.3f", number, report.loss, report.exact)

    def stop(self) -> None:
        if self._bar:
            self._bar.stop()
        if self._writer:
            self._writer.close()
        plot(self.path, self.path.with_name("loss.png"))


def _loads(report: Report, pick) -> list[float]:
    """By layer with experts, the load of its busiest or idlest expert over the mean."""
    shares = [load.share for load in report.loads if load is not None]
    return [round(float(pick(share) * len(share)), 3) for share in map(list, shares)]


def _bar():
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    return Bar(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("loss {task.fields[loss]:.3f}"),
        TextColumn("answers exact {task.fields[exact]:.1%}"), TextColumn("{task.fields[rate]:,.0f} tokens/s"),
        TimeRemainingColumn(), console=Console(stderr=True),
    )  # fmt: skip


def plot(metrics: Path, picture: Path) -> None:
    """Loss and share of exact answers against tokens read, smoothed, as a PNG."""
    rows = read_metrics(metrics)
    if len(rows) < 2:
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    left = figure.subplots()
    right = left.twinx()
    tokens = [row["tokens"] / 1e6 for row in rows]
    left.plot(tokens, _smooth([row["text"] for row in rows]), color="tab:blue", label="text, nats per token")
    left.plot(tokens, _smooth([row["answer"] for row in rows]), color="tab:orange", label="answers, nats per token")
    right.plot(tokens, _smooth([row["exact"] for row in rows]), color="tab:green", label="answers exact")
    left.set(xlabel="million tokens", ylabel="loss", ylim=(0, None))
    right.set(ylabel="share right", ylim=(0, 1))
    figure.legend(loc="outside upper center", ncols=3)
    figure.savefig(picture, dpi=120)


def _smooth(values: list[float], pace: float = 0.05) -> list[float]:
    out, mean = [], values[0]
    for value in values:
        mean += pace * (value - mean)
        out.append(mean)
    return out
