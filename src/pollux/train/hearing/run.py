"""Learning to hear, from the start or from where it stopped. `train` reads downward: sound, state, steps, weights.

In the folder: ``metrics.jsonl``, a row for each step; ``states/``, from which the run goes on; ``hearing.safetensors``, the moving
mean of the weights, at every save.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import jax

from pollux.base.checkpoint import States, save_weights
from pollux.base.errors import CheckpointError, TrainingError
from pollux.data.speech.clips import Batch, Clips
from pollux.data.speech.shelf import WHO, Utterance
from pollux.perception.audio.net import Ear
from pollux.perception.senses import senses_of
from pollux.train.hearing.step import Report, State, Weighed, make_step, start
from pollux.train.metrics import NAME, add_row, keep_rows
from pollux.train.optimizer import OptimizerConfig
from pollux.train.watch import Stopper, Watch

log = logging.getLogger("pollux")
# A run may go on to another end, on the schedule that this end has.
_FREE = ("steps", "save_minutes")
WEIGHTS = "hearing.safetensors"
Shelves = Sequence[tuple[Sequence[Utterance], float]]


@dataclass(frozen=True)
class HearingRun:
    """Everything that a run is, but for the sound that it hears.

    Attributes:
        begin: A model whose hearing to begin from; None for random weights. A run that goes on has no more use for it.
        rows: Clips of ten seconds in a step.
        kept: How much of the moving mean of the weights stays from one step to the next.
    """

    name: str = "hearing"
    ear: Ear = Ear(speakers=len(WHO))
    steps: int = 10_000
    rows: int = 16
    seed: int = 0
    optimizer: OptimizerConfig = OptimizerConfig(matrix_rate=0.02, rate=2e-3, warmup=300, decay=0.4)
    weighed: Weighed = Weighed()
    kept: float = 0.999
    save_minutes: float = 5.0
    begin: Path | None = None


def train(run: HearingRun, shelves: Shelves, folder: Path, *, show: bool = True, stop_after: int | None = None) -> Path:
    """Train, or go on training, in ``folder``; returns the path of the weights. Stopped by Ctrl-C or SIGTERM, or killed, the same
    call goes on, bit for bit as if it had not stopped.

    Args:
        shelves: Utterances, each shelf with how often one is taken from it; the same ones whenever it goes on.
        show: Whether to show a progress bar; a line is logged now and then otherwise.
        stop_after: Ends after that many steps, with the state saved.

    Raises:
        TrainingError: when the loss is not finite, or rises far above its best; states saved before stay.
        CheckpointError: when the folder holds another run, or the weights to begin from are none of such hearing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    states, note = States(folder / "states"), json.loads(json.dumps(asdict(replace(run, begin=None))))
    try:
        latest = states.latest()
        state = begin(run if latest is None else replace(run, begin=None))
        if latest is not None:
            _check_same(note, states.note(latest), folder)
            state = states.restore(latest, state)
        progress = Progress(run, folder, int(state.step), show)
        saving = Saving(run, folder, states, note)
        try:
            state = _loop(run, Clips(shelves, run.seed), state, progress, saving, min(stop_after or run.steps, run.steps))
        finally:
            progress.stop()
    finally:
        states.close()
    return saving.weights(state)


def begin(run: HearingRun) -> State:
    """The state before the first step. Raises CheckpointError where the weights to begin from are none of such hearing."""
    given = senses_of(run.begin)["hearing"] if run.begin else None
    try:
        return start(run.ear, run.optimizer, run.steps, run.seed, given)
    except ValueError as error:
        raise CheckpointError(f"{run.begin} hears with another net: {error}", "begin from random weights") from error


class Saving:
    """Where states and weights of a run go."""

    def __init__(self, run: HearingRun, folder: Path, states: States, note: dict) -> None:
        self._run, self._folder, self._states, self._note = run, folder, states, note

    def state(self, state: State) -> None:
        self._states.save(int(state.step), state, self._note)
        self.weights(state)

    def weights(self, state: State) -> Path:
        path = self._folder / WEIGHTS
        save_weights(
            path, jax.device_get(state.mean), {"ear": asdict(self._run.ear), "run": self._run.name, "step": int(state.step)}
        )
        return path


def _loop(run: HearingRun, clips: Clips, state: State, progress: Progress, saving: Saving, last: int) -> State:
    """Steps until ``last``. The next batch is made, and the next step dispatched, before a step's numbers are fetched."""
    step = jax.jit(make_step(run.ear, run.optimizer, run.steps, run.weighed, run.kept), donate_argnums=0)
    watch, saved_at, pending = Watch(), time.monotonic(), None
    with ThreadPoolExecutor(1) as ahead, Stopper() as stopper:
        first = int(state.step)
        coming = ahead.submit(clips.batch, first, run.rows) if first < last else None
        for number in range(first, last):
            batch: Batch = coming.result()
            coming = ahead.submit(clips.batch, number + 1, run.rows) if number + 1 < last else None
            state, report = step(state, batch)
            if pending is not None:
                _record(progress, watch, *pending)
            pending = number, report
            due = time.monotonic() - saved_at > run.save_minutes * 60
            asked = stopper.asked  # once: asked a moment later, it is the next step that saves and stops
            if due or asked or number + 1 == last:
                _record(progress, watch, *pending)
                saving.state(state)
                pending, saved_at = None, time.monotonic()
            if asked:
                raise KeyboardInterrupt
    return state


def _record(progress: Progress, watch: Watch, number: int, report: Report) -> None:
    row = {name: float(value) for name, value in report._asdict().items()}
    progress.step(number, row)
    reason = watch.wrong(row["loss"]) if row.pop("sound") else "the gradient is not finite"
    if reason:
        what = f"training stopped at step {number}: {reason}"
        raise TrainingError(what, "states saved before are as they were; try a lower rate in another folder")


def _check_same(ours: dict, theirs: dict, folder: Path) -> None:
    if other := [name for name in ours if theirs.get(name) != ours[name] and name not in _FREE]:
        there, here = theirs.get(other[0]), ours[other[0]]
        what = f"{folder} holds a run with another {other[0]} ({there}, this one has {here})"
        raise CheckpointError(what, "train into another folder, or with the settings that it was begun with")


class Progress:
    """Shows steps, and keeps a row of ``metrics.jsonl`` for each; rows past the one that a run goes on from are dropped."""

    QUIET_EVERY = 50

    def __init__(self, run: HearingRun, folder: Path, first: int, show: bool) -> None:
        self._path, self._time, self._bar = folder / NAME, time.monotonic(), _bar() if show else None
        keep_rows(self._path, first)
        if self._bar:
            self._bar.start()
            self._task = self._bar.add_task(run.name, total=run.steps, completed=first, letters=0.0, told=0.0)

    def step(self, number: int, row: dict[str, float]) -> None:
        now = time.monotonic()
        seconds, self._time = now - self._time, now
        kept = {name: round(value, 5) for name, value in row.items()}
        add_row(self._path, {"step": number, **kept, "seconds": round(seconds, 3)})
        if self._bar:
            self._bar.update(self._task, completed=number + 1, letters=row["letters"], told=row["told"])
        elif number % self.QUIET_EVERY == 0:
            log.info(
                "step %d  letters %.3f nats  by codes %.3f  codes in use %.0f", number, row["letters"], row["told"], row["used"]
            )

    def stop(self) -> None:
        if self._bar:
            self._bar.stop()


def _bar():
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    return Bar(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("letters {task.fields[letters]:.3f} nats"),
        TextColumn("by codes {task.fields[told]:.3f}"), TimeRemainingColumn(), console=Console(stderr=True),
    )  # fmt: skip
