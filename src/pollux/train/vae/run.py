"""A run of an experiment, from the start or from where it stopped. `train` reads downward: data, state, steps, the end.

In the folder: ``metrics.jsonl``, a row for each checkpoint; ``states/``, from which the run goes on; ``summary.json``, at the end.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from pollux.base.checkpoint import States
from pollux.base.errors import CheckpointError, ConfigError, TrainingError
from pollux.data.digits import Pictures
from pollux.train.metrics import NAME, add_row, keep_rows
from pollux.train.vae.experiment import Experiment
from pollux.train.vae.measure import Measured, make_evaluation, make_variance
from pollux.train.vae.step import State, batches, binarised, make_steps, moving_variance, start
from pollux.train.watch import Stopper

log = logging.getLogger("pollux")
SUMMARY = "summary.json"
# Steps of one call: a fraction of a second, after which Ctrl-C is heeded.
_CALL = 100
_SAVE_SECONDS = 300.0
# Of the training part, that a checkpoint measures the ELBO on.
_LOOKED_AT = 1000
# Keys of their own for what is drawn in measuring: no step is so high.
_WATCHED, _LAST, _VARIANCE = (2**31 + i for i in range(3))


class Programs(NamedTuple):
    """What is compiled for an experiment, whatever its seed."""

    steps: Callable[..., State]
    evaluate: Callable[..., Measured]
    finish: Callable[..., Measured]
    variance: dict[str, Callable[..., float]]


@lru_cache(maxsize=8)
def _programs(experiment: Experiment) -> Programs:
    variance = {name: make_variance(experiment, name) for name in experiment.compared or experiment.rivals}
    evaluate, finish = (make_evaluation(experiment.model, draws) for draws in (experiment.drawn, experiment.final))
    return Programs(make_steps(experiment), evaluate, finish, variance)


class Given(NamedTuple):
    """What a run reads and never changes: the grey pictures, their mean, and the black and white ones that it is measured on."""

    pictures: jax.Array
    mean: jax.Array
    key: jax.Array
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


def _given(experiment: Experiment, data: Pictures) -> Given:
    """Those that are measured on are made black and white once, alike in all runs. Raises ConfigError where one is too few."""
    if len(data.train) < experiment.batch:
        what = f"{len(data.train)} pictures to train with are fewer than a batch of {experiment.batch}"
        raise ConfigError(what, "name a folder with more pictures")
    fixed = lambda number, part: np.asarray(binarised(jax.random.key(number), jnp.asarray(part)))  # noqa: E731
    held = (fixed(i, part) for i, part in enumerate((data.train[:_LOOKED_AT], data.valid, data.test)))
    mean = jnp.asarray(data.train.mean(0) / 255, jnp.float32)
    return Given(jnp.asarray(data.train), mean, jax.random.key(experiment.seed), *held)


def train(
    experiment: Experiment, data: Pictures, folder: Path, steps: int, progress: Callable[[int, int], None] | None = None
) -> dict:
    """Train until ``steps`` are done and return the summary, which is written too. ``progress`` is told (done, steps).

    Stopped by Ctrl-C or SIGTERM it saves its state and raises KeyboardInterrupt; the same call goes on, bit for bit as if it had
    not stopped. With more ``steps`` than before it goes on, too.

    Raises:
        TrainingError: when the objective is not finite; states saved before stay.
        CheckpointError: when the folder holds another experiment, or one that is further.
    """
    given, programs = _given(experiment, data), _programs(replace(experiment, seed=0))
    folder.mkdir(parents=True, exist_ok=True)
    states, note = States(folder / "states", keep=1), _note(experiment, data)
    try:
        state = start(experiment, np.asarray(given.mean))
        if (latest := states.latest()) is not None:
            _check_same(note, states.note(latest), folder, latest, steps)
            state = states.restore(latest, state)
        keep_rows(folder / NAME, int(state.step) + 1)
        if state.step:
            log.info("going on from step %d, saved in %s", state.step, folder)
        save = lambda state: states.save(int(state.step), state, note)  # noqa: E731
        state = _loop(experiment, given, programs, state, folder, steps, save, progress)
    finally:
        states.close()
    return _summary(experiment, data, given, programs, state, folder)


def _loop(experiment: Experiment, given: Given, programs: Programs, state: State, folder: Path, last: int, save, progress) -> State:
    saved_at, done = time.monotonic(), int(state.step)
    with Stopper() as stopper:
        while done < last:
            upto = min(done + _CALL, (done // experiment.every + 1) * experiment.every, last)
            rows = batches(experiment.seed, len(given.pictures), experiment.batch, done, upto - done)
            rows = np.pad(rows, ((0, _CALL - len(rows)), (0, 0)))
            state = programs.steps(state, given.pictures, given.mean, rows, upto - done, given.key)
            _check_sound(state, done, upto)
            done = upto
            if done % experiment.every == 0:
                row = {"step": done, "objective": float(state.total) / experiment.every, **measured(given, programs, state)}
                add_row(folder / NAME, row)
                log.info("step %d  ELBO %.2f on the training part, %.2f on the validation part", row["step"], *_elbos(row))
                state = state._replace(total=jnp.zeros(()))
            asked = stopper.asked  # once: asked a moment later, it is the next step that saves and stops
            if done == last or asked or time.monotonic() - saved_at > _SAVE_SECONDS:
                save(state)
                saved_at = time.monotonic()
            if progress is not None:
                progress(done, last)
            if asked:
                raise KeyboardInterrupt
    return state


def measured(given: Given, programs: Programs, state: State) -> dict:
    """The ELBO and the bound of two parts, and the variance of every estimator at these parameters, by the same pictures."""
    key, batch = jax.random.key(_WATCHED), given.train[:50]
    train, valid = (programs.evaluate(state.params, part, given.mean, key) for part in (given.train, given.valid))
    draws = jax.random.fold_in(jax.random.fold_in(given.key, _VARIANCE), state.step)
    variance = {name: of(state.params, batch, given.mean, draws) for name, of in programs.variance.items()}
    return {"train": train._asdict(), "valid": valid._asdict(), "moving_variance": moving_variance(state), "variance": variance}


def _summary(experiment: Experiment, data: Pictures, given: Given, programs: Programs, state: State, folder: Path) -> dict:
    key = jax.random.key(_LAST)
    test = programs.finish(state.params, given.test, given.mean, key)
    sizes = {name: len(getattr(data, name)) for name in ("train", "valid", "test")}
    found = {"experiment": asdict(experiment), "pictures": sizes, "data": data.fingerprint, "steps": int(state.step)}
    found |= {"test": test._asdict(), **measured(given, programs, state)}
    part = folder / f"{SUMMARY}.part"
    part.write_text(json.dumps(found, indent=1))
    part.replace(folder / SUMMARY)
    return found


def _note(experiment: Experiment, data: Pictures) -> dict:
    """What tells a run from others."""
    return {**asdict(experiment), "model": asdict(replace(experiment.model, summary="")), "data": data.fingerprint}


def _check_same(ours: dict, theirs: dict, folder: Path, step: int, steps: int) -> None:
    ours = json.loads(json.dumps(ours))
    if other := [name for name in ours if theirs.get(name) != ours[name]]:
        there, here = (values.get(other[0]) for values in (theirs, ours))
        there, here = (value["name"] if isinstance(value, dict) else value for value in (there, here))
        what = f"{folder} holds a run with another {other[0]} ({there}, this one has {here})"
        raise CheckpointError(what, "train into another folder with --out, or as it was begun")
    if step > steps:
        raise CheckpointError(f"{folder} holds a run of {step} steps, past the {steps} asked for", f"--steps {step}, or more")


def _check_sound(state: State, first: int, last: int) -> None:
    if not math.isfinite(float(state.total)):
        what = f"training stopped: the objective is {float(state.total)} between steps {first} and {last}"
        raise TrainingError(what, "states saved before are as they were; try another seed in another folder")


def _elbos(row: dict) -> tuple[float, float]:
    return row["train"]["elbo"], row["valid"]["elbo"]
