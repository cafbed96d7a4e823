"""Losses as pure functions.

Axis letters: B batch, T tokens, M scored positions, N = B * M, W width, V vocabulary, R rows of a block, H heads, D head size.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from pollux.base.weights import Tree
from pollux.kernels.attention import HIDDEN, Sight, fold_keys, fold_queries, sees, unfold_queries
from pollux.kernels.products import dot, product
from pollux.model.attention import Seen
from pollux.model.experts import Load
from pollux.model.layers import pick
from pollux.model.sizes import LOCAL, ModelConfig
from pollux.model.transformer import forward
from pollux.tokens.stream import Batch
from pollux.tokens.vocabulary import MODEL

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


def pointing(query_BMHD, key_BTKD, looking: Sight, sight: Sight, first_BM, last_BM) -> jax.Array:
    """How far attention is from the tokens ``first`` to ``last`` [B, M]: -log of their share of the softmax, mean over heads,
    float32 [B, M]; 0 where none of them can be seen. Heads are averaged before the logarithm, so that one of them is enough and
    the others stay free. ``looking`` [B, M] is where queries stand, ``sight`` [B, T] from where on each key is seen.
    """
    batch, count, heads, _ = query_BMHD.shape
    seen_BMT = sees(looking, sight, None)
    place_T = jnp.arange(key_BTKD.shape[1])
    wanted_BMT = seen_BMT & (place_T >= first_BM[..., None]) & (place_T <= last_BM[..., None])
    scores_NRT = product(fold_queries(query_BMHD, key_BTKD.shape[2]), fold_keys(key_BTKD).swapaxes(1, 2))
    scores_BMHT = unfold_queries(scores_NRT, batch, count)
    among = lambda mask_BMT: jax.nn.logsumexp(jnp.where(mask_BMT[:, :, None], scores_BMHT, HIDDEN), axis=-1)  # noqa: E731
    far_BM = jnp.log(heads) - jax.nn.logsumexp(among(wanted_BMT) - among(seen_BMT), axis=-1)
    return jnp.where(wanted_BMT.any(-1), far_BM, 0.0)


class Report(NamedTuple):
    """What a step tells: mean loss of running text and of answers (nats), share of answer tokens right, share of answers right to
    the last token (as greedy decoding would give them), mean share of attention on the token to be copied (geometric), the
    routers' loads, and whether loss and gradient were finite."""

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
    output = forward(params, config, batch.tokens, sight, where_BM=batch.where if few else None)
    h_NW = (output.hidden if few else pick(output.hidden, batch.where)).reshape(-1, config.width)
    weight_N = batch.weight.reshape(-1) / batch.weight.sum()
    loss, scores = cross_entropy(h_NW, params["embedding"], batch.target.reshape(-1), weight_N)
    is_answer = batch.answer.reshape(-1)
    is_text = (batch.weight.reshape(-1) > 0) & ~is_answer
    mean = lambda x, mask: jnp.where(mask, x, 0.0).sum() / jnp.maximum(mask.sum(), 1)  # noqa: E731
    found, pointed = _pointed(config, [_scored(seen, batch) for seen in output.seen], batch)
    text, answer, right = mean(scores.nll, is_text), mean(scores.nll, is_answer), mean(scores.right, is_answer)
    exact = _exact(scores.right.reshape(batch.where.shape), batch)
    total = loss + point * (found + pointed)
    return total, Report(loss, text, answer, right, exact, jnp.exp(-pointed), output.loads, jnp.isfinite(total))


def _scored(seen: Seen, batch: Batch) -> Seen:
    """What a layer saw, with the queries of the scored positions alone [B, M, H, D]."""
    if seen.query.shape[1] < batch.tokens.shape[1]:  # the last layer has no others
        return seen
    return seen._replace(query=pick(seen.query, batch.where), looking=Sight(*(pick(x, batch.where) for x in seen.looking)))


def _pointed(config: ModelConfig, seen: list[Seen], batch: Batch) -> tuple[jax.Array, jax.Array]:
    """How far retrieval is from where answers stand, mean over their tokens: the earlier layers from the passage (mean over
    layers), the last from the very token."""
    layers = [s for s, layer in zip(seen, config.layers, strict=True) if layer.reach != LOCAL]
    if not layers or batch.source is None:
        return jnp.zeros(()), jnp.zeros(())
    copied = batch.source >= 0

    def far(layer: Seen, first, last) -> jax.Array:
        nll = pointing(layer.query, layer.key, layer.looking, layer.sight, first, last)
        return jnp.where(copied, nll, 0.0).sum() / jnp.maximum(copied.sum(), 1)

    earlier = [far(layer, batch.passage[..., 0], batch.passage[..., 1]) for layer in layers[:-1]]
    return sum(earlier, jnp.zeros(())) / max(len(earlier), 1), far(layers[-1], batch.source, batch.source)


def _exact(right_BM, batch: Batch) -> jax.Array:
    """Share of answers whose scored tokens are all right. An answer begins behind the token that hands the turn to the model."""
    begins = batch.answer & (jnp.take_along_axis(batch.tokens, batch.where, axis=1) == MODEL)
    number = jnp.cumsum(begins.reshape(-1)) - 1
    wrong = (batch.answer & ~right_BM).reshape(-1) & (number >= 0)
    missed = jnp.zeros(number.size, bool).at[number].max(wrong, mode="drop")
    return 1 - missed.sum() / jnp.maximum(begins.sum(), 1)
