"""Learning to hear: a run that stops goes on as if it had not, and what is lost is what is said to be."""

import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.base.checkpoint import load_weights, save_weights
from pollux.base.errors import CheckpointError, TrainingError
from pollux.base.weights import initial
from pollux.data.speech.clips import MOST_LETTERS, Batch, symbols
from pollux.data.speech.shelf import Utterance
from pollux.media.senses import RATE
from pollux.perception.audio.hearing import Hearing
from pollux.perception.audio.net import FRAMES, Ear, hear, table
from pollux.train.hearing import step
from pollux.train.hearing.run import HearingRun, begin, train
from pollux.train.hearing.step import Weighed, make_step, spelled, start
from pollux.train.metrics import NAME
from pollux.train.optimizer import OptimizerConfig

EAR = Ear(width=8, hidden=8, blocks=2, coded=1, taps=3, told=8, speakers=70)
RUN = HearingRun(ear=EAR, steps=4, rows=2, optimizer=OptimizerConfig(warmup=2))
loss = jax.jit(step.loss, static_argnums=(1, 2))
SHELVES = [([Utterance(np.sin(np.arange(RATE) / 9).astype(np.float32) / 9, "a", 1, 280.0)], 1.0)]


def batch(text="hi", rows=2):
    rng = np.random.default_rng(0)
    letters = np.zeros((rows, MOST_LETTERS), np.int32)
    letters[:, : len(text)] = symbols(text)
    speaker, pitch = np.full((rows, 250), -1, np.int32), np.zeros((rows, 250), np.float32)
    speaker[:, :9], pitch[:, :9] = 2, 200.0
    return Batch(rng.normal(-6, 1, (rows, 1000, 80)).astype(np.float32), letters, speaker, pitch)


def test_resumed_equals_uninterrupted(tmp_path):
    whole = train(RUN, SHELVES, tmp_path / "whole", show=False)
    train(RUN, SHELVES, tmp_path / "parts", show=False, stop_after=3)
    parts = train(RUN, SHELVES, tmp_path / "parts", show=False)
    (ours, about), (theirs, _) = load_weights(parts), load_weights(whole)
    assert about["step"] == 4
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)
    rows = [json.loads(line) for line in (tmp_path / "parts" / NAME).read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 1, 2, 3] and all(np.isfinite(row["letters"]) for row in rows)
    assert Hearing.load(parts).ear == EAR


def test_a_folder_goes_on_with_its_own_run(tmp_path):
    train(RUN, SHELVES, tmp_path, show=False, stop_after=1)
    with pytest.raises(CheckpointError, match="another seed"):
        train(replace(RUN, seed=1), SHELVES, tmp_path, show=False)


def test_it_begins_from_a_model_that_hears(tmp_path):
    given = initial(table(EAR), 7)
    heard = {"senses": {"hearing": {name: part for name, part in given.items() if name != "teach"}}}
    save_weights(tmp_path / "model.safetensors", heard, {})
    state, fresh = begin(replace(RUN, begin=tmp_path / "model.safetensors")), begin(RUN)
    for name, wanted in (given | {"teach": fresh.weights["teach"]}).items():  # which only training needs, and is not in the file
        for ours, theirs in zip(jax.tree.leaves(state.weights[name]), jax.tree.leaves(wanted), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-2)  # matrices are kept in bfloat16
    jax.tree.map(np.testing.assert_array_equal, state.mean, state.weights)
    save_weights(tmp_path / "other.safetensors", {"senses": {"hearing": {"stem": np.zeros((2, 2))}}}, {})
    with pytest.raises(CheckpointError, match="hears with another net"):
        begin(replace(RUN, begin=tmp_path / "other.safetensors"))


def test_a_smaller_net_grows_and_hears_the_same_at_first():
    larger, given = replace(EAR, hidden=24, blocks=4), initial(table(EAR), 7)
    weights = start(larger, RUN.optimizer, 4, 0, given).weights
    mel = np.random.default_rng(0).normal(-6, 1, (1, 240, 80)).astype(np.float32)
    edge = FRAMES * (larger.halo - EAR.halo)
    ours, theirs = hear(weights, larger, mel), hear(given, EAR, mel[:, edge:-edge])
    np.testing.assert_allclose(ours.letters, theirs.letters, atol=1e-5)
    np.testing.assert_array_equal(ours.codes, theirs.codes)
    first = weights["blocks"]["0"]["rise"], weights["blocks"]["3"]["rise"]
    assert all(np.abs(np.asarray(matrix)).min(axis=0).all() for matrix in first)  # what is new is not dead
    for smaller in (replace(EAR, hidden=4), replace(EAR, blocks=1)):
        with pytest.raises(ValueError, match="are wanted"):
            start(smaller, RUN.optimizer, 4, 0, given)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path):
    wild = replace(RUN, weighed=replace(RUN.weighed, frames=float("inf")))
    with pytest.raises(TrainingError, match="stopped at step 0"):
        train(wild, SHELVES, tmp_path, show=False)


def test_a_step_that_is_not_sound_changes_nothing():
    state = start(EAR, RUN.optimizer, 4, 0)
    step = jax.jit(make_step(EAR, RUN.optimizer, 4, Weighed(), 0.999))
    new, report = step(state, batch()._replace(mel=np.full((2, 1000, 80), np.nan, np.float32)))
    assert not report.sound and int(new.step) == 1
    jax.tree.map(np.testing.assert_array_equal, new.weights, state.weights)


def test_letters_are_lost_as_enumeration_says():
    """Two symbols, a then b, in three steps: five ways to say them."""
    log_p = jax.nn.log_softmax(jnp.asarray(np.random.default_rng(0).normal(size=(1, 3, 4)), jnp.float32))
    p = np.exp(np.asarray(log_p[0], np.float64))
    ways = [(1, 2, 2), (1, 1, 2), (1, 2, 0), (1, 0, 2), (0, 1, 2)]
    chance = sum(np.prod([p[step, symbol] for step, symbol in enumerate(way)]) for way in ways)
    assert float(spelled(log_p, jnp.array([[1, 2, 0]]))) == pytest.approx(-np.log(chance) / 2, rel=1e-4)


def test_parts_of_the_loss():
    state = start(EAR, RUN.optimizer, 4, 0)
    whole, report = loss(state.weights, EAR, Weighed(0.0, 0.0, 0.0, 0.0, 0.0), batch())
    assert float(whole) == float(report.letters) > 0
    _, nobody = loss(state.weights, EAR, Weighed(), batch()._replace(speaker=np.full((2, 250), -1), pitch=np.zeros((2, 250))))
    assert float(nobody.speaker) == float(nobody.pitch) == float(nobody.spread) == 0 and 1 <= float(report.used) <= 1024


def test_nothing_said_is_learned_too():
    state = start(EAR, RUN.optimizer, 4, 0)
    grads = jax.jit(jax.grad(lambda w: loss(w, EAR, Weighed(), batch(text=""))[0]))(state.weights)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(grads))


def test_it_learns():
    optimizer = OptimizerConfig(warmup=5, decay=0.01)
    state, given = start(EAR, optimizer, 10**6, 0), batch(text="hello")
    step = jax.jit(make_step(EAR, optimizer, 10**6, Weighed(), 0.9))
    lost = []
    for _ in range(30):
        state, report = step(state, given)
        lost.append(float(report.loss))
    assert lost[-1] < 0.5 * lost[0]
