"""Copying: a token may be said because the last retrieval layer looks at it, whatever word it is.

    p(v) = keep * softmax(logits)(v) + sum over heads h of take_h * (share of h's softmax on tokens that are v)

Pointer networks (arXiv 1704.04368), with a gate per head. The tied embedding alone cannot repeat what was found to the letter:
where thousands of tokens share a few hundred numbers, many an embedding is more like another's than like itself.

Axis letters: B batch, M tokens that look, S keys at hand, H heads, E places kept of a context, W width, V vocabulary.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from pollux.base.weights import Tree
from pollux.kernels.attention import HIDDEN, fold_keys, fold_queries, sees, unfold_queries
from pollux.kernels.products import linear, product
from pollux.model.attention import Seen
from pollux.model.cache import Context


def gates(params: Tree, hidden_BMW: jax.Array, seen: Seen) -> tuple[jax.Array, jax.Array]:
    """log of what is left to the model's own words, float32 [B, M], and of what each head's copying takes [B, M, H]; together 1.

    Who sees no key has its own words alone.
    """
    columns = linear(hidden_BMW, params["copy"])
    own, heads = columns[..., 0], columns[..., 1:]
    own = jnp.where(seen.lse[..., 0] > HIDDEN / 2, own, -HIDDEN)
    return jax.nn.log_sigmoid(own), jax.nn.log_sigmoid(-own)[..., None] + jax.nn.log_softmax(heads)


def log_share(seen: Seen, wanted_BMS: jax.Array) -> jax.Array:
    """log of the share of each head's softmax on some of the keys at hand, float32 [B, M, H]; about `HIDDEN` where none is seen."""
    scores_BMHS = _scores(seen)
    wanted_BMH = jax.nn.logsumexp(jnp.where(wanted_BMS[:, :, None], scores_BMHS, HIDDEN), axis=-1)
    return jnp.where(wanted_BMH > HIDDEN / 2, wanted_BMH - jax.nn.logsumexp(scores_BMHS, axis=-1), HIDDEN)


def _scores(seen: Seen) -> jax.Array:
    """float32 [B, M, H, S], `HIDDEN` for keys that are not seen."""
    batch, count, _, _ = seen.query.shape
    scores = product(fold_queries(seen.query, seen.key.shape[2]), fold_keys(seen.key).swapaxes(1, 2))
    return jnp.where(sees(seen.looking, seen.sight, None)[:, :, None], unfold_queries(scores, batch, count), HIDDEN)


def log_copied(take_BMH: jax.Array, seen: Seen, target_BM: jax.Array) -> jax.Array:
    """log of the probability that a token at hand is copied which is the target, float32 [B, M]."""
    same = seen.past.token[:, None, :] == target_BM[..., None]
    return jax.nn.logsumexp(take_BMH + log_share(seen, same), axis=-1)


def log_target(params: Tree, own_BMV: jax.Array, hidden_BMW: jax.Array, seen: Seen, target_BM: jax.Array) -> jax.Array:
    """`log_probabilities` of targets alone, float32 [B, M], where there is no context."""
    keep_BM, take_BMH = gates(params, hidden_BMW, seen)
    own_BM = jnp.take_along_axis(jax.nn.log_softmax(own_BMV), target_BM[..., None], axis=-1)[..., 0]
    return jnp.logaddexp(keep_BM + own_BM, log_copied(take_BMH, seen, target_BM))


def log_probabilities(params: Tree, own_BMV: jax.Array, hidden_BMW: jax.Array, seen: Seen, context: Context | None) -> jax.Array:
    """log p(v) of what comes next, float32 [B, M, V].

    Args:
        own_BMV: The logits of the model's own words.
        seen: What the copying layer saw; where it looked into a ``context``, with all that it found there.
    """
    keep_BM, take_BMH = gates(params, hidden_BMW, seen)
    take = jnp.exp(take_BMH)[..., None]
    near_BMHS = jnp.where(seen.lse[..., None] > HIDDEN / 2, jnp.exp(_scores(seen) - seen.lse[..., None]), 0.0)
    near_BMS = (take * near_BMHS).sum(2)
    token_BMS = jnp.broadcast_to(seen.past.token[:, None], near_BMS.shape)
    if context is not None:
        spread = lambda x: unfold_queries(x, *hidden_BMW.shape[:2])  # noqa: E731
        far_BMHE, token = take * spread(seen.found.weight), context.token[spread(seen.found.index)]
        flat = lambda x: x.reshape(*x.shape[:2], -1)  # noqa: E731
        near_BMS, token_BMS = (jnp.concatenate([a, flat(b)], -1) for a, b in ((near_BMS, far_BMHE), (token_BMS, token)))
    copied_BMV = _by_token(near_BMS, token_BMS, own_BMV.shape[-1])
    return jnp.logaddexp(keep_BM[..., None] + jax.nn.log_softmax(own_BMV), jnp.log(copied_BMV + 1e-30))


def _by_token(share_BMS: jax.Array, token_BMS: jax.Array, size: int) -> jax.Array:
    """Shares added up for each token that they are of: float32 [B, M, V]."""
    batch, count, _ = share_BMS.shape
    rows = jnp.arange(batch * count)[:, None]
    flat = lambda x: x.reshape(batch * count, -1)  # noqa: E731
    return jnp.zeros((batch * count, size)).at[rows, flat(token_BMS)].add(flat(share_BMS)).reshape(batch, count, size)
