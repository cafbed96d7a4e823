"""A training of half of sight, from the start or from where it stopped. `train` reads downward: state, batches, steps, the end.

In the folder: ``metrics.jsonl``, a row every so many steps; ``states/``, from which the run goes on; ``{half}.safetensors``, the
weights as they are at each save (the averaged ones).
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from pollux.base.checkpoint import States, load_weights, save_weights
from pollux.base.errors import CheckpointError, TrainingError
from pollux.base.weights import Tree, begun, count, initial
from pollux.perception.senses import senses_of
from pollux.train.metrics import NAME, add_row, keep_rows
from pollux.train.optimizer import make_optimizer
from pollux.train.sight.batches import Ahead
from pollux.train.sight.config import SightRun
from pollux.train.sight.losses import loss_of, table_of
from pollux.train.watch import Stopper

log = logging.getLogger("pollux")
_EVERY = 50  # steps to a row of the metrics
_KEPT = 0.998  # of the averaged weights, by a step


class State(NamedTuple):
    """What a step changes: the weights, their moving average, the optimiser's memory, sums of numbers since the last row, and the
    number of steps done (int32)."""

    params: Tree
    mean: Tree
    optimizer: Any
    sums: dict[str, jax.Array]
    step: jax.Array


def make_step(run: SightRun) -> Callable[[State, Any], State]:
    """One step. A batch whose gradient is not finite changes nothing but the sums and the number."""
    optimizer, loss = make_optimizer(run.optimizer, table_of(run.half), run.steps), loss_of(run.half)

    def step(state: State, batch: Any) -> State:
        (value, numbers), grads = jax.value_and_grad(loss, has_aux=True)(state.params, batch)
        updates, memory = optimizer.update(grads, state.optimizer, state.params)
        params = optax.apply_updates(state.params, updates)
        sound = jnp.isfinite(value) & jnp.isfinite(optax.tree.norm(grads))
        keep = lambda new, old: jax.tree.map(lambda a, b: jnp.where(sound, a, b), new, old)  # noqa: E731
        params, memory = keep(params, state.params), keep(memory, state.optimizer)
        kept = jnp.minimum(_KEPT, (1 + state.step) / (10 + state.step))  # the first steps are soon forgotten
        mean = jax.tree.map(lambda m, p: kept * m + (1 - kept) * p, state.mean, params)
        sums = jax.tree.map(jnp.add, state.sums, {"loss": value, **numbers})
        return State(params, mean, memory, sums, state.step + 1)

    return jax.jit(step, donate_argnums=0)


def start(run: SightRun, batch: Any) -> State:
    """The state before the first step. Raises CheckpointError where the weights to begin from are none of such sight."""
    params = initial(table_of(run.half), run.seed)
    if run.begin is not None:
        try:
            params = begun(params, senses_of(run.begin)["sight"])
        except ValueError as error:
            raise CheckpointError(f"{run.begin} sees with other nets: {error}", "begin from random weights") from error
    _, numbers = jax.eval_shape(loss_of(run.half), params, batch)
    sums = {name: jnp.zeros(()) for name in ("loss", *numbers)}
    memory = make_optimizer(run.optimizer, table_of(run.half), run.steps).init(params)
    return State(params, jax.tree.map(jnp.copy, params), memory, sums, jnp.zeros((), jnp.int32))


def train(run: SightRun, folder: Path, *, show: bool = False) -> Path:
    """Train until ``run.steps`` are done and return where the weights are.

    Stopped by Ctrl-C or SIGTERM it saves its state and raises KeyboardInterrupt; the same call goes on, bit for bit as if it had
    not stopped. The number of steps may be another one then: the rate falls over the last of them.

    Raises:
        ConfigError: a folder that pictures are made of does not hold what it should.
        CheckpointError: the folder holds another run, or the weights to begin from are none of such sight.
        TrainingError: the loss is not finite; states saved before stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    states = States(folder / "states")
    try:
        latest = states.latest()
        if latest is not None:
            _check_same(_note(run), states.note(latest), folder)
        with Ahead(run, latest or 0) as batches:
            batch = batches()
            state = start(run if latest is None else replace(run, begin=None), batch)
            if latest is not None:
                state = states.restore(latest, state)
                log.info("going on from step %d of %d, saved in %s", latest, run.steps, folder)
            state = _loop(run, state, batch, batches, states, folder, show)
    finally:
        states.close()
    return folder / f"{run.half}.safetensors"


def _loop(run: SightRun, state: State, batch: Any, batches: Ahead, states: States, folder: Path, show: bool) -> State:
    step, done = make_step(run), int(state.step)
    keep_rows(folder / NAME, done + 1)
    saved_at, row_at, last_row = time.monotonic(), time.monotonic(), done
    with Stopper() as stopper, _Bar(run, done, show) as bar:
        while done < run.steps:
            state = step(state, batch)
            done += 1
            asked = stopper.asked  # once: asked a moment later, it is the next step that saves and stops
            stop = asked or done == run.steps
            if not stop:
                batch = batches()  # while the step is computed
            if done % _EVERY == 0 or stop:
                state, row = _row(state, done - last_row, time.monotonic() - row_at)
                row_at, last_row = time.monotonic(), done
                add_row(folder / NAME, row)
                bar(done, row)
                if stop or time.monotonic() - saved_at > run.save_minutes * 60:
                    _save(run, state, states, folder)
                    saved_at = time.monotonic()
            if asked:
                raise KeyboardInterrupt
    return state


def _row(state: State, steps: int, seconds: float) -> tuple[State, dict]:
    """A row of the metrics, and the state with its sums begun anew. Raises TrainingError where the loss is not finite."""
    means = {name: round(float(value) / max(steps, 1), 5) for name, value in state.sums.items()}
    if not math.isfinite(means["loss"]):
        what = f"training stopped before step {int(state.step)}: the loss is {means['loss']}"
        raise TrainingError(what, "states saved before are sound; try a lower rate in another folder")
    row = {"step": int(state.step), **means, "seconds": round(seconds / max(steps, 1), 3)}
    return state._replace(sums=jax.tree.map(jnp.zeros_like, state.sums)), row


def _save(run: SightRun, state: State, states: States, folder: Path) -> None:
    states.save(int(state.step), state, _note(run))
    about = {"half": run.half, "step": int(state.step), "parameters": count(table_of(run.half))}
    save_weights(folder / f"{run.half}.safetensors", state.mean, about)


def join(look: Path, read: Path, path: Path) -> None:
    """The two halves as one file that `perception.vision.sight.Sight` loads; what only training needs is left out.

    Raises:
        CheckpointError: one of them is missing, damaged, or not such a half.
    """
    weights, about = {}, {}
    for half in (look, read):
        found, told = load_weights(half)
        if "half" not in told:
            raise CheckpointError(
                f"{half} is no half of sight", "name the files that training made: look.safetensors, read.safetensors"
            )
        weights |= {name: part for name, part in found.items() if name != "teachers"}
        about[told["half"]] = told["step"]
    save_weights(path, jax.tree.map(np.asarray, weights), {"kind": "sight", "steps": about})


def _note(run: SightRun) -> dict:
    """What tells a run from others: batches are made of these."""
    note = {name: getattr(run, name) for name in ("half", "seed", "scenes", "labelled")}
    return json.loads(json.dumps({**note, "optimizer": asdict(run.optimizer)}))


def _check_same(ours: dict, theirs: dict, folder: Path) -> None:
    if other := [name for name in ours if theirs.get(name) != ours[name]]:
        what = f"{folder} holds a run with another {other[0]} ({theirs.get(other[0])}, this one has {ours[other[0]]})"
        raise CheckpointError(what, "train into another folder, or as it was begun")


class _Bar:
    """A progress bar on standard error; without one, a line of the log now and then."""

    def __init__(self, run: SightRun, done: int, show: bool) -> None:
        self._run, self._done, self._bar = run, done, None
        if show:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True))

    def __call__(self, done: int, row: dict) -> None:
        if self._bar:
            self._bar.update(self._task, completed=done, description=f"{self._run.half}  loss {row['loss']:.3f}")
        elif done % (10 * _EVERY) == 0:
            log.info("step %d  %s", done, "  ".join(f"{name} {value:.3f}" for name, value in row.items() if name != "step"))

    def __enter__(self) -> _Bar:
        if self._bar:
            self._bar.start()
            self._task = self._bar.add_task(self._run.half, total=self._run.steps, completed=self._done)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()
