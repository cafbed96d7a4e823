"""What the loop does when a batch is bad, when the loss runs away, and at the seams of stages."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from small_run import STEPS, small_run

from pollux.base.checkpoint import States, load_weights
from pollux.base.errors import CheckpointError, TrainingError
from pollux.base.mesh import make_mesh
from pollux.base.weights import flatten
from pollux.train.loop import averaged, compiled_step, start, train
from pollux.train.metrics import read_metrics
from pollux.train.progress import Progress
from pollux.train.watch import Watch

BAD = 5


class Spoiled:
    """A mixture one of whose batches has a loss that is not a number."""

    def __init__(self, mixture):
        self.mixture = mixture

    def batch(self, number, rows, length):
        batch = self.mixture.batch(number, rows, length)
        return batch._replace(weight=batch.weight * np.nan) if number == BAD else batch


def finite(tree):
    return all(np.isfinite(x).all() for x in jax.tree.leaves(jax.device_get(tree)))


def test_a_loss_that_is_no_number_stops_the_run_with_a_sound_state(tmp_path, vocabulary, text):
    run = small_run(vocabulary, text, wrap=Spoiled)
    with pytest.raises(TrainingError, match=rf"step {BAD}.*nan") as error:
        train(run, tmp_path, Progress(tmp_path, show=False))
    assert f"batch {BAD}" in error.value.hint
    rows = read_metrics(tmp_path / "metrics.jsonl")
    assert [row["step"] for row in rows] == list(range(BAD + 1)) and not np.isfinite(rows[-1]["loss"])

    mesh = make_mesh()
    states = States(tmp_path / "states")
    with jax.set_mesh(mesh):
        state = states.restore(states.latest(), start(run, mesh))
        states.close()
        assert finite(state) and int(state.step) > BAD
        # it goes on past the bad batch; `stop_after` ends it early, with the weights as they are
        path = train(run, tmp_path, Progress(tmp_path, show=False), stop_after=int(state.step) + 2)
    weights, about = load_weights(path)
    assert finite(weights) and about["step"] == int(state.step) + 2 and about["model"]["name"] == "tiny"
    assert flatten(weights).keys() == flatten(state.params).keys()


def test_the_mean_of_what_a_run_passes_through():
    passed = [{"a": np.full(3, float(n))} for n in range(5)]
    mean = passed[0]
    for number, params in zip((-2, -1, 0, 1, 2), passed, strict=True):  # averaging begins with the third
        mean = averaged(mean, params, np.int32(number))
        assert np.allclose(mean["a"], np.mean([p["a"] for p in passed[2 : 3 + number]]) if number > 0 else params["a"])


def test_what_training_makes_is_the_mean_of_its_last_steps(tmp_path, vocabulary, text):
    run = small_run(vocabulary, text)
    stages = tuple(replace(stage, steps=5) for stage in run.stages)
    run = replace(run, averaged=0.4, stages=stages, optimizer=replace(run.optimizer, warmup=1))
    mesh = make_mesh()
    with jax.set_mesh(mesh):
        state, passed = start(run, mesh), []
        step = compiled_step(run, state)
        for number in range(run.steps):
            stage = run.stage(number)
            state, _ = step(state, stage.mixture(stage.length).batch(number, stage.rows, stage.length))
            passed.append(jax.device_get(flatten(state.params)))
    made = flatten(load_weights(train(run, tmp_path, Progress(tmp_path, show=False)))[0])
    vectors = [name for name, x in made.items() if x.ndim < 2 and not name.endswith("bias")]  # matrices are rounded to bfloat16
    for name in vectors:
        wanted = np.mean([params[name] for params in passed[-4:]], axis=0)
        np.testing.assert_allclose(made[name], wanted, atol=1e-5, err_msg=name)
        assert np.abs(made[name] - passed[-1][name]).max() > 1e-4, name


def test_a_run_begins_with_given_weights_and_makes_the_average_of_its_last_steps(tmp_path, vocabulary, text):
    run = small_run(vocabulary, text)
    first = train(run, tmp_path / "first", Progress(tmp_path / "first", show=False), stop_after=2)
    given = flatten(load_weights(first)[0])
    still = replace(run.optimizer, rate=0.0, matrix_rate=0.0)
    further = replace(run, begin=first, optimizer=still, averaged=0.99, balance_rate=0.0)
    then = flatten(load_weights(train(further, tmp_path / "then", Progress(tmp_path / "then", show=False), stop_after=5))[0])
    for name in given:  # nothing moved, and so the average is what it began with
        np.testing.assert_allclose(np.asarray(then[name], float), np.asarray(given[name], float), atol=1e-6, err_msg=name)
    other = replace(run, begin=first, model=replace(run.model, width=32))
    with pytest.raises(CheckpointError, match="weights of another model"):
        train(other, tmp_path / "other", Progress(tmp_path / "other", show=False))
    with pytest.raises(CheckpointError, match="another begin"):
        train(replace(further, begin=tmp_path / "then" / "model.safetensors"), tmp_path / "then", Progress(tmp_path, show=False))


def test_every_step_has_its_stage(vocabulary, text):
    run = small_run(vocabulary, text)
    assert run.steps == STEPS
    assert [run.stages.index(run.stage(n)) for n in (0, STEPS // 2 - 1)] == [0, 0]
    assert run.stage(STEPS // 2) is run.stages[1] and run.stage(STEPS - 1) is run.stages[1]
    with pytest.raises(IndexError):
        run.stage(STEPS)


def test_a_loss_that_runs_away_is_noticed_and_noise_is_not():
    watch, rng = Watch(), np.random.default_rng(0)
    assert not any(watch.wrong(float(3 + rng.normal())) for _ in range(500))
    assert not watch.wrong(20.0)  # one bad batch
    assert any(watch.wrong(8.0) for _ in range(200))
    assert "nan" in Watch().wrong(float("nan")) and "inf" in Watch().wrong(float("inf"))


def test_a_folder_with_another_run_is_refused(tmp_path, vocabulary, text):
    run = small_run(vocabulary, text)
    train(run, tmp_path, Progress(tmp_path, show=False), stop_after=1)
    for other in (replace(run, seed=run.seed + 1), replace(run, name="other"), replace(run, model=replace(run.model, width=32))):
        with pytest.raises(CheckpointError, match="holds a run with another"):
            train(other, tmp_path, Progress(tmp_path, show=False))


def test_codes_that_weights_do_not_know_yet_are_added_to_them(tmp_path, vocabulary, text):
    run = small_run(vocabulary, text)
    first = train(run, tmp_path / "first", Progress(tmp_path / "first", show=False), stop_after=1)
    sensed = replace(run, begin=first, model=replace(run.model, codes=7))
    state, known = start(sensed, make_mesh()), load_weights(first)[0]["embedding"]
    embedding = np.asarray(state.params["embedding"])
    assert embedding.shape[0] == known.shape[0] + 7 and embedding[-7:].std() > 0
    np.testing.assert_array_equal(embedding[:-7], known.astype(embedding.dtype))
