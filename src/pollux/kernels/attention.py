"""Softmax attention over rows of folded heads: the plain dense form, and the banded form for a local window.

Heads that share a key-value head are folded into rows, so that every product is a batched matrix product.

Axis letters: B batch, T query tokens, S key tokens, K key-value heads, G query heads per key-value head, D head size,
N = B * K folded batch, M = T * G folded rows (token-major).
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from pollux.kernels.products import dot, operand

HIDDEN = -1e30
# Query tokens handled at once: scores of a block (block * G x S floats) stay near the last-level cache.
QUERY_BLOCK = 256


class Sight(NamedTuple):
    """Where tokens stand, for deciding who sees whom: ``index`` counts along the row, ``segment`` tells documents apart.

    Both int32 [B, T]. A negative segment is padding and is seen by nobody.
    """

    index: jax.Array
    segment: jax.Array


# How many tokens back is seen: all for None; one number for all queries, or int32 [B, T].
Window = int | jax.Array | None


def sees(query: Sight, key: Sight, window: Window) -> jax.Array:
    """bool [B, T, S]: same document, not later, and closer than ``window`` tokens where there is one.

    Three tokens of one document, window 2::

        q0  1 0 0
        q1  1 1 0
        q2  0 1 1
    """
    distance = query.index[:, :, None] - key.index[:, None, :]
    seen = (distance >= 0) & (query.segment[:, :, None] == key.segment[:, None, :]) & (key.segment[:, None, :] >= 0)
    if window is None:
        return seen
    return seen & (distance < (window if isinstance(window, int) else window[:, :, None]))


def _scores(q_NMD: jax.Array, k_NSD: jax.Array, seen_NTS: jax.Array) -> jax.Array:
    s_NMS = dot(q_NMD, k_NSD, (1, 1))
    (n, m, s), t = s_NMS.shape, seen_NTS.shape[1]
    return jnp.where(seen_NTS[:, :, None, :], s_NMS.reshape(n, t, m // t, s), HIDDEN).reshape(n, m, s)


class Partial(NamedTuple):
    """A softmax over part of the keys: the mean of values under it, and its log-sum-exp, so that parts can be merged. A query that
    sees no key gets zeros, and about `HIDDEN`.

    out float32 [N, M, D], lse float32 [N, M].
    """

    out: jax.Array
    lse: jax.Array


@jax.custom_vjp
def attend(q_NMD: jax.Array, k_NSD: jax.Array, v_NSD: jax.Array, seen_NTS: jax.Array) -> Partial:
    """softmax(q k^T) v with scores kept only while they are needed: the backward pass makes them again (arXiv 2205.14135)."""
    s_NMS = _scores(q_NMD, k_NSD, seen_NTS)
    top_NM = s_NMS.max(-1)
    # rounded before the sum: the weights then add up as they are used, and no float32 copy of them is written out
    p_NMS = jnp.exp(s_NMS - top_NM[..., None]).astype(operand())
    total_NM = p_NMS.astype(jnp.float32).sum(-1)
    lse_NM = top_NM + jnp.log(total_NM)
    return Partial(jnp.where(_sees_any(lse_NM), dot(p_NMS, v_NSD, (1, 0)) / total_NM[..., None], 0.0), lse_NM)


def _sees_any(lse_NM: jax.Array) -> jax.Array:
    return (lse_NM > HIDDEN / 2)[..., None]


def _attend_forward(q, k, v, seen):
    part = attend(q, k, v, seen)
    return part, (q, k, v, seen, part)


def _attend_backward(saved, grad: Partial):
    q, k, v, seen, part = saved
    p_NMS = jnp.exp(_scores(q, k, seen) - part.lse[..., None]).astype(operand())
    grad = Partial(jnp.where(_sees_any(part.lse), grad.out, 0.0), jnp.where(_sees_any(part.lse)[..., 0], grad.lse, 0.0))
    dp_NMS = dot(grad.out, v, (1, 1))
    shift_NM = grad.lse - jnp.sum(grad.out * part.out, -1)
    ds_NMS = (p_NMS * (dp_NMS + shift_NM[..., None])).astype(operand())
    grads = dot(ds_NMS, k, (1, 0)), dot(ds_NMS, q, (0, 0)), dot(p_NMS, grad.out, (0, 0))
    return *(g.astype(x.dtype) for g, x in zip(grads, (q, k, v), strict=True)), None


attend.defvjp(_attend_forward, _attend_backward)


@jax.custom_vjp
def attend_back(q_NMD: jax.Array, k_NSD: jax.Array, v_NSD: jax.Array, seen_NTS: jax.Array) -> Partial:
    """`attend`, without the keys that stand before all that is seen: most blocks of a text see their neighbourhood alone, and those
    of a short lesson nothing before it. How far back they look is decided when it runs."""
    near = lambda size: attend(q_NMD, k_NSD[:, -size:], v_NSD[:, -size:], seen_NTS[..., -size:])  # noqa: E731
    return _as_far_as(seen_NTS, near)


def _attend_back_forward(q, k, v, seen):
    part = attend_back(q, k, v, seen)
    return part, (q, k, v, seen, part)


def _attend_back_backward(saved, grad: Partial):
    q, k, v, seen, part = saved

    def near(size: int):
        d_q, d_k, d_v, _ = _attend_backward((q, k[:, -size:], v[:, -size:], seen[..., -size:], part), grad)
        before = ((0, 0), (k.shape[1] - size, 0), (0, 0))
        return d_q, jnp.pad(d_k, before), jnp.pad(d_v, before)

    return *_as_far_as(seen, near), None


attend_back.defvjp(_attend_back_forward, _attend_back_backward)


def _as_far_as(seen_NTS: jax.Array, near):
    """``near`` of the last keys, of as few as hold all that is seen: twice a block of queries, or four times, and so on."""
    s = seen_NTS.shape[-1]
    sizes = [size for size in (2 * QUERY_BLOCK, 4 * QUERY_BLOCK, 8 * QUERY_BLOCK, 16 * QUERY_BLOCK) if size < s] + [s]
    needed = s - jnp.argmax(seen_NTS.any((0, 1)))  # where nothing is seen, all
    which = jnp.searchsorted(jnp.array(sizes), needed)
    return jax.lax.switch(which, [partial(near, size) for size in sizes])


def merge(a: Partial, b: Partial) -> Partial:
    """Two softmaxes over disjoint keys as one over both."""
    lse = jnp.logaddexp(a.lse, b.lse)
    weigh = lambda part: part.out * jnp.exp(part.lse - lse)[..., None]  # noqa: E731
    return Partial(weigh(a) + weigh(b), lse)


def fold_queries(q_BTHD: jax.Array, kv_heads: int) -> jax.Array:
    """[B, T, H, D] -> [B * K, T * G, D]."""
    b, t, h, d = q_BTHD.shape
    g = h // kv_heads
    return q_BTHD.reshape(b, t, kv_heads, g, d).swapaxes(1, 2).reshape(b * kv_heads, t * g, d)


def unfold_queries(out_NMD: jax.Array, batch: int, length: int) -> jax.Array:
    """[B * K, T * G, D] -> [B, T, H, D], the inverse of `fold_queries`."""
    n, m, d = out_NMD.shape
    k, g = n // batch, m // length
    return out_NMD.reshape(batch, k, length, g, d).swapaxes(1, 2).reshape(batch, length, k * g, d)


def fold_keys(k_BSKD: jax.Array) -> jax.Array:
    """[B, S, K, D] -> [B * K, S, D]."""
    b, s, k, d = k_BSKD.shape
    return k_BSKD.swapaxes(1, 2).reshape(b * k, s, d)


def dense(q_NMD, k_NSD, v_NSD, query: Sight, key: Sight, window: Window = None) -> Partial:
    """Every query over every key that it sees, in blocks of queries; each block meets no key that stands after it, and,
    where every query has a window of its own, few before all that it sees.

    The last T of the S keys must be the queries' own tokens.
    """
    batch, t = query.index.shape
    s, heads, group = key.index.shape[1], q_NMD.shape[0] // batch, q_NMD.shape[1] // t
    parts = []
    for start in range(0, t, QUERY_BLOCK):
        stop = min(start + QUERY_BLOCK, t)
        upto = s - t + stop
        within = window[:, start:stop] if isinstance(window, jax.Array) else window
        seen = sees(_part(query, start, stop), _part(key, 0, upto), within)
        rows = q_NMD[:, start * group : stop * group]
        softmax = attend_back if isinstance(window, jax.Array) else attend
        parts.append(softmax(rows, k_NSD[:, :upto], v_NSD[:, :upto], jnp.repeat(seen, heads, axis=0)))
    return Partial(*(jnp.concatenate(column, axis=1) for column in zip(*parts, strict=True)))


def banded(q_NMD, k_NSD, v_NSD, query: Sight, key: Sight, window: int) -> Partial:
    """A window in blocks as long as the past, the S - T keys before the queries' own: block i of queries meets blocks i and i+1 of
    the keys, so that key block 0 is the past.

    Needs T a multiple of a block, and every key that a query sees in its own block or the one before: a window no longer than a
    block, and shorter by as much as a key's index is higher than its place. Cost and memory O(T * block).
    """
    (n, m, _), (batch, t) = q_NMD.shape, query.index.shape
    block, heads = k_NSD.shape[1] - t, n // batch
    blocks = t // block
    pair = lambda x, axis: jnp.concatenate(_halves(x, blocks, block, axis), axis=axis + 1)  # noqa: E731
    k, v = (pair(x, 1).reshape(n * blocks, 2 * block, -1) for x in (k_NSD, v_NSD))
    cut = lambda x: x.reshape(batch * blocks, block)  # noqa: E731
    seen = sees(Sight(cut(query.index), cut(query.segment)), Sight(*(pair(x, 1).reshape(-1, 2 * block) for x in key)), window)
    seen = jnp.repeat(seen.reshape(batch, blocks, block, 2 * block), heads, axis=0).reshape(-1, block, 2 * block)
    part = attend(q_NMD.reshape(n * blocks, m // blocks, -1), k, v, seen)
    return Partial(part.out.reshape(n, m, -1), part.lse.reshape(n, m))


def _halves(x: jax.Array, blocks: int, block: int, axis: int) -> list[jax.Array]:
    shape = (*x.shape[:axis], blocks + 1, block, *x.shape[axis + 1 :])
    x = x.reshape(shape)
    return [jax.lax.slice_in_dim(x, 0, blocks, axis=axis), jax.lax.slice_in_dim(x, 1, blocks + 1, axis=axis)]


def _part(sight: Sight, start: int, stop: int) -> Sight:
    return Sight(*(x[:, start:stop] for x in sight))
