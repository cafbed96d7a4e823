"""The training loop. `train` reads downward: devices, data, state, step, restore, loop."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import NamedSharding, PartitionSpec

from pollux.base.checkpoint import States, fingerprint, load_weights, save_weights
from pollux.base.errors import CheckpointError, TrainingError
from pollux.base.mesh import make_mesh, shardings, spec
from pollux.base.weights import Tree, abstract, flatten, initial, path_name, unflatten
from pollux.data.mixture import Mixture
from pollux.model.experts import rebalance
from pollux.model.sizes import ModelConfig
from pollux.model.transformer import weight_table
from pollux.perception.senses import KEY as SENSES
from pollux.tokens.stream import Batch
from pollux.train.losses import Report, next_token
from pollux.train.optimizer import OptimizerConfig, make_optimizer
from pollux.train.progress import Progress
from pollux.train.watch import Stopper, Watch


@dataclass(frozen=True)
class Stage:
    """Part of a run at one shape: ``steps`` batches of ``rows`` x ``length`` tokens from a mixture made for that length."""

    steps: int
    rows: int
    length: int
    mixture: Callable[[int], Mixture]


@dataclass(frozen=True)
class Run:
    """Everything that a training run is.

    Attributes:
        mesh: Sizes of the mesh axes data, sequence, expert, tensor.
        point: Weighs the loss that teaches retrieval where answers stand.
        averaged: The last share of the steps, over which weights are averaged; the averages are what training makes.
        begin: Weights to begin from; None for random ones.
    """

    name: str
    model: ModelConfig
    stages: tuple[Stage, ...]
    optimizer: OptimizerConfig = OptimizerConfig()
    mesh: dict[str, int] = field(default_factory=dict)
    seed: int = 0
    balance_rate: float = 0.001
    point: float = 0.5
    averaged: float = 0.0
    begin: Path | None = None
    save_minutes: float = 5.0

    @property
    def steps(self) -> int:
        return sum(stage.steps for stage in self.stages)

    def stage(self, step: int) -> Stage:
        """The stage that step number ``step`` belongs to."""
        for stage in self.stages:
            if step < stage.steps:
                return stage
            step -= stage.steps
        raise IndexError(f"the run has {self.steps} steps")


class State(NamedTuple):
    """What a step changes: the weights, their average so far (the same as they before averaging begins; None where nothing is to
    be averaged), the optimiser's memory, and the number of steps done (int32)."""

    params: Tree
    mean: Tree | None
    optimizer: Any
    step: jax.Array

    @property
    def weights(self) -> Tree:
        """What training has made."""
        return self.params if self.mean is None else self.mean


def make_step(run: Run, optimizer: optax.GradientTransformation) -> Callable[[State, Batch], tuple[State, Report]]:
    """One step as a pure function. A batch whose loss or gradient is not finite changes nothing but the step number."""
    first = run.steps - math.ceil(run.averaged * run.steps)

    def step(state: State, batch: Batch) -> tuple[State, Report]:
        (loss, report), grads = jax.value_and_grad(next_token, has_aux=True)(state.params, run.model, batch, run.point)
        updates, memory = optimizer.update(grads, state.optimizer, state.params)
        params = balance(optax.apply_updates(state.params, updates), report, run.balance_rate)
        sound = jnp.isfinite(loss) & jnp.isfinite(optax.tree.norm(grads))
        keep = lambda new, old: jax.tree.map(lambda a, b: jnp.where(sound, a, b), new, old)  # noqa: E731
        mean = None if state.mean is None else keep(averaged(state.mean, params, state.step - first), state.mean)
        params, memory = keep(params, state.params), keep(memory, state.optimizer)
        return State(params, mean, memory, state.step + 1), report._replace(sound=sound)

    return step


def averaged(mean: Tree, params: Tree, number: jax.Array) -> Tree:
    """The mean of ``params`` and of ``number`` weights before, whose mean is ``mean``; ``params`` where there are none. Runs end
    in places that lie about a better one: the mean of what a run passes through answers better than its end (arXiv 1803.05407)."""
    share = 1 / (1 + jnp.maximum(number, 0)).astype(jnp.float32)
    return jax.tree.map(lambda old, new: jnp.where(number > 0, old + share * (new - old), new), mean, params)


def balance(params: Tree, report: Report, rate: float) -> Tree:
    """Move every router's bias by its load."""
    layers = dict(params["layers"])
    for i, load in enumerate(report.loads):
        if load is not None:
            old = layers[str(i)]["feed_forward"]
            layers[str(i)] = layers[str(i)] | {"feed_forward": old | {"bias": rebalance(old["bias"], load, rate)}}
    return params | {"layers": layers}


def start(run: Run, mesh: jax.sharding.Mesh) -> State:
    """The state before the first step, every weight made where it lives.

    Raises:
        CheckpointError: when the weights to begin from are not those of such a model.
    """
    table = weight_table(run.model)
    optimizer = make_optimizer(run.optimizer, table, run.steps)
    placed = shardings(table, mesh)
    make = jax.jit(lambda: initial(table, run.seed), out_shardings=placed)
    params = make()
    if run.begin is not None:
        params = jax.device_put(_given(run.begin, table, np.asarray(params["embedding"])), placed)
    mean = jax.tree.map(jnp.copy, params) if run.averaged else None
    memory = _like_weights(jax.eval_shape(optimizer.init, params), placed, mesh)
    step = jax.device_put(jnp.zeros((), jnp.int32), NamedSharding(mesh, PartitionSpec()))
    return State(params, mean, jax.jit(optimizer.init, out_shardings=memory)(params), step)


def _given(path: Path, table: Tree, embedding: np.ndarray) -> Tree:
    """Released weights, as training wants them: float32. Codes that they do not know yet begin as in ``embedding``; senses have
    trainings of their own."""
    params, about = load_weights(path)
    wanted, found = flatten(abstract(table)), flatten({name: part for name, part in params.items() if name != SENSES})
    known = found.get("embedding")
    if known is not None and not about.get("model", {}).get("codes") and known.shape[1:] == embedding.shape[1:]:
        found["embedding"] = np.concatenate([known.astype(embedding.dtype), embedding[len(known) :]])
    there, here = ({name: x.shape for name, x in tree.items()} for tree in (found, wanted))
    if other := sorted(name for name in there | here if there.get(name) != here.get(name)):
        shapes = f"{other[0]} is {there.get(other[0], 'not there')}, this model's {here.get(other[0], 'not')}"
        what = f"{path} holds weights of another model ({about.get('model', {}).get('name', 'unnamed')}): {shapes}"
        raise CheckpointError(what, "begin from weights of the recipe's own model")
    return unflatten({name: np.asarray(found[name], row.dtype) for name, row in wanted.items()})


def _like_weights(memory: Any, placed: Tree, mesh: jax.sharding.Mesh) -> Any:
    """Shardings of an optimiser's memory: what mirrors a weight lives where the weight does, anything else everywhere. Left to
    itself XLA puts all of it, being zeros, whole on every device; and the second step, which finds it split, compiles again."""
    where, everywhere = flatten(placed), NamedSharding(mesh, PartitionSpec())

    def one(path: tuple, _: Any) -> NamedSharding:
        keys = list(takewhile(lambda step: isinstance(step, jax.tree_util.DictKey), reversed(path)))
        return where.get(path_name(tuple(reversed(keys))), everywhere)

    return jax.tree_util.tree_map_with_path(one, memory)


def compiled_step(run: Run, state: State) -> Callable[[State, Batch], tuple[State, Report]]:
    """The step as a program that consumes the state it is given and leaves every array where it was: free to choose, XLA moves
    some, and the next step, which finds them elsewhere, compiles again."""
    step = make_step(run, make_optimizer(run.optimizer, weight_table(run.model), run.steps))
    where = jax.tree.map(lambda x: x.sharding, state)
    return jax.jit(step, donate_argnums=0, out_shardings=(where, None))


def train(run: Run, folder: Path, progress: Progress, *, stop_after: int | None = None) -> Path:
    """Train, or go on training, in ``folder``; returns the path of the weights.

    What is restored: the newest whole state in the folder, else the start. ``stop_after`` ends after that many steps, with the
    state saved. Killed at any moment and started again, the run goes on as if it had never stopped.

    Raises:
        TrainingError: when a loss or gradient is not finite (the state, which such a batch does not change, is saved), or the loss
            has risen far above its best (the states saved before stay as they are).
        CheckpointError: when the folder holds another run.
    """
    mesh = make_mesh(**run.mesh)
    with jax.set_mesh(mesh):
        states = States(folder / "states")
        if (latest := states.latest()) is None:
            state, note = start(run, mesh), _note(run)
        else:
            note = states.note(latest)
            _check_same(run, note, folder)
            state = states.restore(latest, start(replace(run, begin=None), mesh))
        step_function = compiled_step(run, state)
        first = int(state.step)
        progress.start(run, first)
        try:
            state = _loop(run, state, step_function, Saving(states, note), progress, min(run.steps, stop_after or run.steps))
        finally:
            states.close()
            progress.stop()
        path = folder / "model.safetensors"
        save_weights(path, state.weights, {"model": asdict(run.model), "run": run.name, "step": int(state.step)})
        return path


class Saving(NamedTuple):
    """Where states go, and the note of the run that goes with them."""

    states: States
    note: dict

    def save(self, state: State) -> None:
        self.states.save(int(state.step), state, self.note)


def _loop(run: Run, state: State, step_function, saving: Saving, progress: Progress, last: int) -> State:
    """Steps until ``last``. The next step is dispatched before the numbers of the one before are fetched."""
    place = lambda batch: jax.tree.map(_placer(), batch)  # noqa: E731
    watch, stopper = Watch(), Stopper()
    saved_at, pending = time.monotonic(), None
    with ThreadPoolExecutor(1) as ahead, stopper:
        first = int(state.step)
        coming = ahead.submit(_batch, run, first) if first < last else None
        for number in range(first, last):
            batch = coming.result()
            coming = ahead.submit(_batch, run, number + 1) if number + 1 < last else None
            state, report = step_function(state, place(batch))
            if pending is not None:
                _record(progress, watch, saving, state, *pending)
            pending = (number, report, batch.tokens.size)
            due = time.monotonic() - saved_at > run.save_minutes * 60
            asked = stopper.asked  # once: asked a moment later, it is the next step that saves and stops
            if due or asked or number + 1 == last:
                _record(progress, watch, saving, state, *pending)
                pending, saved_at = None, time.monotonic()
                saving.save(state)
            if asked:
                raise KeyboardInterrupt
    return state


def _record(progress: Progress, watch: Watch, saving: Saving, state: State, number: int, report: Report, tokens: int) -> None:
    loads = jax.device_get(report.loads)
    numbers = jax.tree.map(float, report._replace(loads=()))
    progress.step(number, numbers._replace(loads=loads), tokens)
    if not numbers.sound:
        saving.save(state)
        what = "gradient is not finite" if math.isfinite(numbers.loss) else f"loss is {numbers.loss}"
        raise TrainingError(
            f"training stopped at step {number}: the {what}",
            f"the state is sound and saved (step {int(state.step)}); look at batch {number}, or try a lower rate",
        )
    if reason := watch.wrong(numbers.loss):
        raise TrainingError(
            f"training stopped at step {number}: {reason}",
            f"states saved before are as they were (the newest: step {saving.states.latest()}); try a lower rate in another folder",
        )


def _check_same(run: Run, note: dict, folder: Path) -> None:
    """A folder goes on with the run that it holds, or not at all."""
    if run.begin is not None and not run.begin.exists():
        run = replace(run, begin=None)  # it is not needed any more
        note = {**note, "begin": None}
    ours = json.loads(json.dumps(_note(run)))
    # what came later than the note is taken to be as it is here
    there = {"begin": None, "averaged": 0.0, **note, "model": {**ours["model"], **note["model"]}}
    if other := [name for name, value in ours.items() if there[name] != value]:
        before, now = _differing(there[other[0]], ours[other[0]])
        raise CheckpointError(
            f"{folder} holds a run with another {other[0]} ({before}, this one has {now})",
            "train into another folder with --out, or with the settings that it was begun with",
        )


def _differing(there, here) -> tuple:
    """Two values; of two dicts only what differs."""
    if not isinstance(there, dict) or not isinstance(here, dict):
        return there, here
    names = [name for name in here | there if there.get(name) != here.get(name)]
    return tuple({name: x[name] for name in names if name in x} for x in (there, here))


def _note(run: Run) -> dict:
    """What tells a run from others. Raises CheckpointError when there are no weights to begin from."""
    if run.begin is not None and not run.begin.exists():
        raise CheckpointError(f"there are no weights at {run.begin}", "see 'pollux info' for the models that are here")
    begin = None if run.begin is None else fingerprint(run.begin)
    return {"run": run.name, "seed": run.seed, "model": asdict(run.model), "begin": begin, "averaged": run.averaged}


def _batch(run: Run, number: int) -> Batch:
    stage = run.stage(number)
    return stage.mixture(stage.length).batch(number, stage.rows, stage.length)


def _placer():
    mesh = jax.sharding.get_mesh()

    def one(x):
        axes = ("batch",) + (None,) * (x.ndim - 1)
        sharding = NamedSharding(mesh, spec(axes, mesh, x.shape) if mesh.size > 1 else PartitionSpec())
        return jax.device_put(x, sharding)

    return one
