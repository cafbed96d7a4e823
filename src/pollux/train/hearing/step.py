"""One step of learning to hear: what is lost, and the weights after it.

Axis letters: B rows, F frames, M mel bands, T steps of 20 ms, U codes of 40 ms, N letters, D and E digits of a
code, K speakers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from pollux.base.weights import Tree, begun, initial
from pollux.data.speech.clips import Batch
from pollux.media.mel import FLOOR
from pollux.perception.audio.net import FRAMES, Ear, Felt, hear, scaled, table, teach
from pollux.perception.codes import CODES, LEVELS
from pollux.train.hearing.grow import grown
from pollux.train.optimizer import OptimizerConfig, make_optimizer


@dataclass(frozen=True)
class Weighed:
    """How much each loss counts beside that of the letters, which is in nats for each letter.

    Attributes:
        told: Of letters by codes alone, likewise. frames: squared error of mel frames. speaker: nats for each moment of speech.
        pitch: Octaves that it is missed by, likewise. spread: how far digits of codes are from using all levels alike, each for
            itself.
    """

    told: float = 0.2
    frames: float = 1.0
    speaker: float = 0.1
    pitch: float = 0.2
    spread: float = 0.5


class State(NamedTuple):
    """What a step changes; ``mean`` is the moving mean of the weights, which is what training makes."""

    weights: Tree
    mean: Tree
    optimizer: Any
    step: jax.Array


class Report(NamedTuple):
    """Numbers of a step: the whole loss, its parts as in `Weighed`, and ``used``, how many codes are in use (the exponential of
    their entropy)."""

    loss: jax.Array
    letters: jax.Array
    told: jax.Array
    frames: jax.Array
    speaker: jax.Array
    pitch: jax.Array
    spread: jax.Array
    used: jax.Array
    sound: jax.Array


def start(ear: Ear, optimizer: OptimizerConfig, steps: int, seed: int, given: Tree | None = None) -> State:
    """The state before the first step. What is not ``given`` begins at random, and a smaller net grows (`grow`); ValueError where
    it is of another shape."""
    fresh = initial(table(ear), seed)
    weights = begun(fresh, grown(given, fresh)) if given else fresh
    memory = make_optimizer(optimizer, table(ear), steps).init(weights)
    return State(weights, jax.tree.map(jnp.copy, weights), memory, jnp.zeros((), jnp.int32))


def make_step(ear: Ear, optimizer: OptimizerConfig, steps: int, weighed: Weighed, kept: float) -> Callable:
    """``step(state, batch) -> state, report``; a batch whose gradient is not finite changes nothing. ``kept``: how much of the
    moving mean stays from one step to the next, once there are enough."""
    update = make_optimizer(optimizer, table(ear), steps).update

    def step(state: State, batch: Batch) -> tuple[State, Report]:
        (_, report), grads = jax.value_and_grad(loss, has_aux=True)(state.weights, ear, weighed, batch)
        sound = jnp.isfinite(optax.tree.norm(grads)) & jnp.isfinite(report.loss)
        updates, memory = update(grads, state.optimizer, state.weights)
        weights = optax.apply_updates(state.weights, updates)
        stays = jnp.minimum(kept, (1 + state.step) / (10 + state.step))
        mean = jax.tree.map(lambda old, new: stays * old + (1 - stays) * new, state.mean, weights)
        new = State(weights, mean, memory, state.step + 1)
        keep = lambda new, old: jnp.where(sound, new, old)  # noqa: E731
        changed = jax.tree.map(keep, new._replace(step=state.step), state._replace(step=state.step))
        return changed._replace(step=state.step + 1), report._replace(sound=sound)

    return step


def loss(params: Tree, ear: Ear, weighed: Weighed, batch: Batch) -> tuple[jax.Array, Report]:
    """The loss of a batch, and its parts."""
    edge = FRAMES * ear.halo
    mel_BFM = jnp.pad(batch.mel, ((0, 0), (edge, edge), (0, 0)), constant_values=math.log10(FLOOR))
    felt = hear(params, ear, mel_BFM)
    told = teach(params, ear, felt.digits)
    parts = {
        "letters": spelled(felt.letters, batch.letters),
        "told": spelled(told["letters"], batch.letters),
        "frames": jnp.square(told["frames"] - scaled(batch.mel)).mean(),
        "speaker": _speaker(told["speaker"], batch.speaker),
        "pitch": _pitch(told["pitch"], batch.pitch),
        "spread": _spread(felt.digits, batch.speaker >= 0),
    }
    whole = parts["letters"] + sum(getattr(weighed, name) * part for name, part in parts.items() if name != "letters")
    return whole, Report(whole, **parts, used=_used(felt), sound=jnp.isfinite(whole))


def spelled(log_p_BTL: jax.Array, letters_BN: jax.Array) -> jax.Array:
    """Connectionist temporal classification (Graves et al., 2006): nats for each letter of the batch."""
    steps = jnp.zeros(log_p_BTL.shape[:2])
    rows_B = optax.ctc_loss(log_p_BTL, steps, letters_BN, (letters_BN == 0).astype(jnp.float32))
    return rows_B.sum() / jnp.maximum((letters_BN > 0).sum(), 1)


def _speaker(logits_BUK: jax.Array, speaker_BU: jax.Array) -> jax.Array:
    there = speaker_BU >= 0
    lost_BU = optax.softmax_cross_entropy_with_integer_labels(logits_BUK, jnp.maximum(speaker_BU, 0))
    return (lost_BU * there).sum() / jnp.maximum(there.sum(), 1)


def _pitch(octaves_BU: jax.Array, pitch_BU: jax.Array) -> jax.Array:
    there = pitch_BU > 0
    missed_BU = jnp.abs(octaves_BU - jnp.log2(jnp.maximum(pitch_BU, 1) / 100))
    return (missed_BU * there).sum() / jnp.maximum(there.sum(), 1)


def _spread(digits_BUD: jax.Array, there_BU: jax.Array) -> jax.Array:
    """How far, while somebody speaks, digits' means are from 0, and their products' means from those of digits that take all levels
    alike and know nothing of each other; the sum of squares. Without it 20 of 1,024 codes were in use."""
    weight_BU = there_BU / jnp.maximum(there_BU.sum(), 1)
    mean_D = jnp.einsum("bu,bud->d", weight_BU, digits_BUD)
    product_DE = jnp.einsum("bud,bue->de", weight_BU[..., None] * digits_BUD, digits_BUD)
    even = jnp.square(jnp.linspace(-1, 1, LEVELS)).mean()
    return (jnp.square(mean_D).sum() + jnp.square(product_DE - even * jnp.eye(len(mean_D))).sum()) * there_BU.any()


def _used(felt: Felt) -> jax.Array:
    share = jnp.zeros(CODES).at[felt.codes.reshape(-1)].add(1.0 / felt.codes.size)
    return jnp.exp(-(share * jnp.log(jnp.maximum(share, 1e-9))).sum())
