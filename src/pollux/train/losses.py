"""Losses as pure functions.

Axis letters: B batch, M scored positions, N = B * M, W width, V vocabulary, R rows of a block.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from pollux.base.weights import Tree
from pollux.kernels.attention import Sight
from pollux.kernels.products import dot
from pollux.model.experts import Load
from pollux.model.sizes import ModelConfig
from pollux.model.transformer import forward
from pollux.tokens.stream import Batch

# Rows of logits made at once: 512 x 8,192 floats are 16 MB, near the last-level cache; all of them would go to memory and back.
ROWS = 512


class Scores(NamedTuple):
    """Per scored position: negative log-likelihood in nats, and whether the target was the likeliest token."""

    nll: jax.Array
    right: jax.Array


def _block(h_RW, embedding_VW, target_R):
    logits_RV = dot(h_RW, embedding_VW, (1, 1))
    top_R = logits_RV.max(-1)
    p_RV = jnp.exp(logits_RV - top_R[:, None])
    total_R = p_RV.sum(-1)
    at_target_R = jnp.take_along_axis(logits_RV, target_R[:, None], axis=1)[:, 0]
    return Scores(jnp.log(total_R) + top_R - at_target_R, at_target_R >= top_R), p_RV, total_R


def _blocks(x: jax.Array) -> jax.Array:
    rows = min(ROWS, x.shape[0])
    return x.reshape(-1, rows, *x.shape[1:])


@jax.custom_vjp
def cross_entropy(h_NW, embedding_VW, target_N, weight_N) -> tuple[jax.Array, Scores]:
    """Weighted sum of next-token losses, and the scores of each position. N must be a multiple of min(N, ROWS).

    The gradient is made in the same pass as the loss, block by block, so that the N x V logits never exist as a whole and are
    never made twice.
    """
    scores = jax.lax.map(lambda b: _block(b[0], embedding_VW, b[1])[0], (_blocks(h_NW), _blocks(target_N)))
    scores = jax.tree.map(lambda x: x.reshape(-1), scores)
    return (scores.nll * weight_N).sum(), scores


def _cross_entropy_forward(h_NW, embedding_VW, target_N, weight_N):
    def step(d_embedding_VW, block):
        h_RW, target_R, weight_R = block
        scores, p_RV, total_R = _block(h_RW, embedding_VW, target_R)
        hit_RV = jnp.arange(p_RV.shape[1])[None, :] == target_R[:, None]
        d_RV = (p_RV * (weight_R / total_R)[:, None] - jnp.where(hit_RV, weight_R[:, None], 0.0)).astype(jnp.bfloat16)
        return d_embedding_VW + dot(d_RV, h_RW, (0, 0)), (scores, dot(d_RV, embedding_VW, (1, 0)))

    blocks = _blocks(h_NW.astype(jnp.bfloat16)), _blocks(target_N), _blocks(weight_N)
    embedding_VW = embedding_VW.astype(jnp.bfloat16)
    d_embedding, (scores, d_h) = jax.lax.scan(step, jnp.zeros(embedding_VW.shape, jnp.float32), blocks)
    scores = jax.tree.map(lambda x: x.reshape(-1), scores)
    return ((scores.nll * weight_N).sum(), scores), (d_h.reshape(h_NW.shape), d_embedding)


def _cross_entropy_backward(saved, grad):
    return grad[0] * saved[0], grad[0] * saved[1], None, None


cross_entropy.defvjp(_cross_entropy_forward, _cross_entropy_backward)


class Report(NamedTuple):
    """What a step tells: mean loss of running text and of answers (nats), share of answer tokens right, the routers' loads, and
    whether loss and gradient were finite."""

    loss: jax.Array
    text: jax.Array
    answer: jax.Array
    right: jax.Array
    loads: tuple[Load | None, ...]
    sound: jax.Array


def next_token(params: Tree, config: ModelConfig, batch: Batch) -> tuple[jax.Array, Report]:
    """Weighted mean next-token loss (nats) over the positions that a batch scores."""
    output = forward(params, config, batch.tokens, Sight(batch.index, batch.segment))
    h_NW = jnp.take_along_axis(output.hidden, batch.where[..., None], axis=1).reshape(-1, config.width)
    weight_N = batch.weight.reshape(-1) / batch.weight.sum()
    loss, scores = cross_entropy(h_NW, params["embedding"], batch.target.reshape(-1), weight_N)
    is_answer = batch.answer.reshape(-1)
    is_text = (batch.weight.reshape(-1) > 0) & ~is_answer
    mean = lambda x, mask: jnp.where(mask, x, 0.0).sum() / jnp.maximum(mask.sum(), 1)  # noqa: E731
    answer, right = mean(scores.nll, is_answer), mean(scores.right, is_answer)
    report = Report(loss, mean(scores.nll, is_text), answer, right, output.loads, jnp.isfinite(loss))
    return loss, report
