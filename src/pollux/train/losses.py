"""Losses as pure functions.

Axis letters: B batch, T tokens, M scored positions, N = B * M, W width, V vocabulary, R rows of a block, H heads, D head size.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from pollux.base.weights import Tree
from pollux.kernels.attention import HIDDEN, Sight, sees
from pollux.kernels.products import dot, operand
from pollux.model.attention import Seen, first_of, windows
from pollux.model.copying import gates, log_copied, log_share
from pollux.model.experts import Load
from pollux.model.layers import pick
from pollux.model.recency import ages
from pollux.model.sizes import LOCAL, ModelConfig
from pollux.model.transformer import forward, words
from pollux.tokens.stream import Batch
from pollux.tokens.vocabulary import MODEL

# Rows of logits made at once: 512 x 8,192 floats are 16 MB, near the last-level cache; all of them would go to memory and back.
ROWS = 512


class Copied(NamedTuple):
    """Per scored position: log of what is left to the model's own words, and log of the probability that the target is copied."""

    keep: jax.Array
    log_p: jax.Array


def _block(h_RW, embedding_VW, target_R, copied: Copied):
    """Negative log-likelihoods, the model's own words' softmax before its division by total, total, and the share of the target's
    probability that is the own words'."""
    logits_RV = dot(h_RW, embedding_VW, (1, 1))
    top_R = logits_RV.max(-1)
    p_RV = jnp.exp(logits_RV - top_R[:, None])
    total_R = p_RV.sum(-1)
    at_target_R = jnp.take_along_axis(logits_RV, target_R[:, None], axis=1)[:, 0]
    own_R = copied.keep + at_target_R - top_R - jnp.log(total_R)
    both_R = jnp.logaddexp(own_R, copied.log_p)
    return -both_R, p_RV, total_R, jnp.exp(own_R - both_R)


def _blocks(x: jax.Array) -> jax.Array:
    rows = min(ROWS, x.shape[0])
    return x.reshape(-1, rows, *x.shape[1:])


@jax.custom_vjp
def cross_entropy(h_NW, embedding_VW, target_N, weight_N, copied_N: Copied) -> tuple[jax.Array, jax.Array]:
    """Weighted sum of next-token losses, and the negative log-likelihood of each (nats, float32 [N]), own words and copied ones
    together (`model.copying`). N must be a multiple of min(N, ROWS). The sum alone has a gradient.

    The gradient is made in the same pass as the loss, block by block, so that the N x V logits never exist as a whole and are
    never made twice.
    """
    blocks = jax.tree.map(_blocks, (h_NW, target_N, copied_N))
    nll_N = jax.lax.map(lambda b: _block(b[0], embedding_VW, b[1], b[2])[0], blocks).reshape(-1)
    return (nll_N * weight_N).sum(), nll_N


def _cross_entropy_forward(h_NW, embedding_VW, target_N, weight_N, copied_N: Copied):
    def step(d_embedding_VW, block):
        h_RW, target_R, weight_R, copied = block
        nll_R, p_RV, total_R, own_R = _block(h_RW, embedding_VW, target_R, copied)
        hit_RV = jnp.arange(p_RV.shape[1])[None, :] == target_R[:, None]
        due_R = weight_R * own_R
        d_RV = (p_RV * (due_R / total_R)[:, None] - jnp.where(hit_RV, due_R[:, None], 0.0)).astype(operand())
        found = nll_R, dot(d_RV, embedding_VW, (1, 0)), Copied(-due_R, due_R - weight_R)
        return d_embedding_VW + dot(d_RV, h_RW, (0, 0)), found

    blocks = jax.tree.map(_blocks, (h_NW.astype(operand()), target_N, weight_N, copied_N))
    embedding_VW = embedding_VW.astype(operand())
    d_embedding, (nll, d_h, d_copied) = jax.lax.scan(step, jnp.zeros(embedding_VW.shape, jnp.float32), blocks)
    nll_N = nll.reshape(-1)
    d_copied = jax.tree.map(lambda x: x.reshape(-1), d_copied)
    return ((nll_N * weight_N).sum(), nll_N), (d_h.reshape(h_NW.shape), d_embedding, d_copied)


def _cross_entropy_backward(saved, grad):
    d_h, d_embedding, d_copied = jax.tree.map(lambda x: grad[0] * x, saved)
    return d_h, d_embedding, None, None, d_copied


cross_entropy.defvjp(_cross_entropy_forward, _cross_entropy_backward)


def pointing(seen: Seen, first_BM: jax.Array, last_BM: jax.Array) -> jax.Array:
    """How far attention is from the tokens ``first`` to ``last`` [B, M]: -log of their share of the softmax, mean over heads,
    float32 [B, M]; 0 where none of them can be seen. Heads are averaged before the logarithm, so that one of them is enough and
    the others stay free.
    """
    place_T = jnp.arange(seen.key.shape[1])
    wanted_BMT = (place_T >= first_BM[..., None]) & (place_T <= last_BM[..., None])
    far_BM = jnp.log(seen.query.shape[2]) - jax.nn.logsumexp(log_share(seen, wanted_BMT), axis=-1)
    return jnp.where((wanted_BMT & sees(seen.looking, seen.sight, None)).any(-1), far_BM, 0.0)


class Report(NamedTuple):
    """What a step tells: mean loss of running text and of answers (nats), share of answer tokens right (likelier than all others
    together), share of answers right to the last token (greedy decoding would give them), mean share of attention on the token to
    be copied (geometric), the routers' loads, and whether loss and gradient were finite."""

    loss: jax.Array
    text: jax.Array
    answer: jax.Array
    right: jax.Array
    exact: jax.Array
    pointed: jax.Array
    loads: tuple[Load | None, ...]
    sound: jax.Array


def next_token(params: Tree, config: ModelConfig, batch: Batch, point: float = 0.0) -> tuple[jax.Array, Report]:
    """Weighted mean next-token loss (nats) over the positions that a batch scores, and, where an answer's token is copied from the
    context, ``point`` times how far retrieval is from looking there."""
    sight = Sight(batch.index, batch.segment)
    few = 2 * batch.where.shape[1] <= batch.tokens.shape[1]  # else it is cheaper to work for all in order
    window = windows(batch.tokens, sight, config.look_back)
    age = ages(batch.tokens, sight, first_of(sight)) if config.recency else None
    output = forward(params, config, batch.tokens, sight, where_BM=batch.where if few else None, window=window, age_BT=age)
    h_BMW = output.hidden if few else pick(output.hidden, batch.where)
    seen = [_scored(seen, batch) for seen in output.seen]
    copied_N = jax.tree.map(lambda x: x.reshape(-1), _copied(params, config, h_BMW, seen, batch))
    weight_N = batch.weight.reshape(-1) / batch.weight.sum()
    target_N = batch.target.reshape(-1)
    loss, nll_N = cross_entropy(h_BMW.reshape(-1, config.width), words(params, config), target_N, weight_N, copied_N)
    is_answer = batch.answer.reshape(-1)
    is_text = (batch.weight.reshape(-1) > 0) & ~is_answer
    mean = lambda x, mask: jnp.where(mask, x, 0.0).sum() / jnp.maximum(mask.sum(), 1)  # noqa: E731
    found, pointed = _pointed(config, seen, batch)
    right_N = nll_N < math.log(2)
    text, answer, right = mean(nll_N, is_text), mean(nll_N, is_answer), mean(right_N, is_answer)
    exact = _exact(right_N.reshape(batch.where.shape), batch)
    total = loss + point * (found + pointed)
    return total, Report(loss, text, answer, right, exact, jnp.exp(-pointed), output.loads, jnp.isfinite(total))


def _scored(seen: Seen, batch: Batch) -> Seen:
    """What a layer saw, with the queries of the scored positions alone [B, M, H, D]."""
    if seen.query.shape[1] < batch.tokens.shape[1]:  # the last layer has no others
        return seen
    looking = Sight(*(pick(x, batch.where) for x in seen.looking))
    return seen._replace(query=pick(seen.query, batch.where), lse=pick(seen.lse, batch.where), looking=looking)


def _copied(params: Tree, config: ModelConfig, h_BMW: jax.Array, seen: list[Seen], batch: Batch) -> Copied:
    if not config.copies:
        return Copied(jnp.zeros(h_BMW.shape[:2]), jnp.full(h_BMW.shape[:2], HIDDEN))
    keep_BM, take_BMH = gates(params, h_BMW, seen[-1])
    return Copied(keep_BM, log_copied(take_BMH, seen[-1], batch.target))


def _pointed(config: ModelConfig, seen: list[Seen], batch: Batch) -> tuple[jax.Array, jax.Array]:
    """How far retrieval is from where answers stand, mean over their tokens by weight: the earlier layers from the passage (mean
    over layers), the last from the very token."""
    layers = [s for s, layer in zip(seen, config.layers, strict=True) if layer.reach != LOCAL]
    if not layers or batch.source is None:
        return jnp.zeros(()), jnp.zeros(())
    weight = jnp.where(batch.source >= 0, batch.weight, 0.0)

    def far(layer: Seen, first, last) -> jax.Array:
        nll = pointing(layer, first, last)
        return (nll * weight).sum() / jnp.maximum(weight.sum(), 1e-6)

    earlier = [far(layer, batch.passage[..., 0], batch.passage[..., 1]) for layer in layers[:-1]]
    return sum(earlier, jnp.zeros(())) / max(len(earlier), 1), far(layers[-1], batch.source, batch.source)


def _exact(right_BM, batch: Batch) -> jax.Array:
    """Share of answers whose scored tokens are all right. An answer begins behind the token that hands the turn to the model."""
    begins = batch.answer & (jnp.take_along_axis(batch.tokens, batch.where, axis=1) == MODEL)
    number = jnp.cumsum(begins.reshape(-1)) - 1
    wrong = (batch.answer & ~right_BM).reshape(-1) & (number >= 0)
    missed = jnp.zeros(number.size, bool).at[number].max(wrong, mode="drop")
    return 1 - missed.sum() / jnp.maximum(begins.sum(), 1)
