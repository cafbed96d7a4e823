"""The attention forms against a softmax written out plainly, in float32, with a mask made by loops."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.kernels import attention as kernels
from pollux.kernels.attention import QUERY_BLOCK, Sight, fold_keys, fold_queries, merge, sees, unfold_queries

# Scores are float32 sums of bf16 operands in every form; probabilities are rounded to bf16 before they are summed.
LSE, OUT = 3e-3, 2e-2
BATCH, KV, GROUP, DEPTH = 2, 2, 3, 16


def bf16(rng, *shape):
    """Normal values that bf16 holds exactly, so that no form loses anything on the way in."""
    return np.asarray(rng.normal(size=shape), jnp.bfloat16).astype(np.float32)


def mask(query: Sight, key: Sight, window):
    """Who sees whom, one pair at a time."""
    (b, t), s = query.index.shape, key.index.shape[1]
    seen = np.zeros((b, t, s), bool)
    for i, j, k in np.ndindex(b, t, s):
        same = query.segment[i, j] == key.segment[i, k] >= 0
        distance = query.index[i, j] - key.index[i, k]
        seen[i, j, k] = same and distance >= 0 and (window is None or distance < window)
    return seen


@jax.jit
def plain(q, k, v, seen_NMS):
    """softmax(q k^T) v, no blocks and no rounding."""
    s = jnp.where(seen_NMS, jnp.einsum("nmd,nsd->nms", q, k, precision="highest"), -1e30)
    return jnp.einsum("nms,nsd->nmd", jax.nn.softmax(s, -1), v, precision="highest"), jax.nn.logsumexp(s, -1)


banded, dense = (jax.jit(form, static_argnums=5) for form in (kernels.banded, kernels.dense))
attend = jax.jit(kernels.attend)


def rows(seen, heads, group):
    """A mask [B, T, S] as one for folded rows [B * K, T * G, S]."""
    return np.repeat(np.repeat(seen, heads, axis=0), group, axis=1)


def sights(rng, length, window, past):
    """Rows of several documents and padding, behind ``window`` past keys of which the last ``past`` are there. Documents are cut
    at random; the first goes on where the past ends."""
    index, segment = np.zeros((BATCH, length), np.int32), np.full((BATCH, length), -1, np.int32)
    for b in range(BATCH):
        cuts = [0, *sorted(rng.choice(np.arange(1, length - 5), 3, replace=False)), length - 5 * b]
        for number, (start, stop) in enumerate(pairwise(cuts)):
            index[b, start:stop] = np.arange(stop - start) + (1000 if number == 0 else 0)
            segment[b, start:stop] = number
    before = np.where(np.arange(window) < window - past, -1, 1000 - window + np.arange(window))
    before = np.broadcast_to(before, (BATCH, window)).astype(np.int32)
    key = Sight(np.concatenate([before, index], 1), np.concatenate([np.where(before < 0, -1, 0), segment], 1))
    return Sight(index, segment), key


def operands(rng, t, s):
    return bf16(rng, BATCH * KV, t * GROUP, DEPTH), bf16(rng, BATCH * KV, s, DEPTH), bf16(rng, BATCH * KV, s, DEPTH)


@pytest.mark.parametrize("window", [None, 1, 3])
def test_sees_is_what_the_pairs_say(window):
    query, key = sights(np.random.default_rng(0), 20, 6, 4)
    assert (sees(query, key, window) == mask(query, key, window)).all()


def test_attend_is_softmax_with_its_gradients():
    rng = np.random.default_rng(1)
    query, key = sights(rng, 24, 0, 0)
    q, k, v = operands(rng, 24, 24)
    seen = mask(query, key, None)
    real = np.repeat(rows(seen.any(-1, keepdims=True), KV, 1)[..., 0], GROUP, axis=1)
    weigh_out, weigh_lse = bf16(rng, *q.shape) * real[..., None], bf16(rng, *q.shape[:2]) * real

    def value(form, seen):
        def total(q, k, v):
            out, lse = form(q, k, v, seen)
            return (out * weigh_out).sum() + (lse * weigh_lse).sum(), (out, lse)

        return jax.jit(jax.grad(total, (0, 1, 2), has_aux=True))(q, k, v)

    grads, (out, lse) = value(kernels.attend, np.repeat(seen, KV, axis=0))
    true_grads, (true_out, true_lse) = value(plain, rows(seen, KV, GROUP))
    np.testing.assert_allclose(lse[real], true_lse[real], atol=LSE)
    np.testing.assert_allclose(out[real], true_out[real], atol=OUT)
    for a, b in zip(grads, true_grads, strict=True):
        assert np.linalg.norm(a - b) < 0.01 * np.linalg.norm(b)


def test_a_query_that_sees_nothing_gets_nothing_and_teaches_nothing():
    rng = np.random.default_rng(6)
    q, k, v = bf16(rng, 1, 2, DEPTH), bf16(rng, 1, 9, DEPTH), bf16(rng, 1, 9, DEPTH)
    seen = np.array([[[False] * 9, [True] * 9]])
    out, back = jax.vjp(lambda *x: kernels.attend(*x, seen), q, k, v)
    assert (out.out[0, 0] == 0).all() and out.lse[0, 0] < -1e29 and (out.out[0, 1] != 0).any()
    for grad in back(kernels.Partial(np.ones_like(out.out) * [[[1], [0]]], np.array([[1.0, 0.0]], np.float32))):
        assert (grad == 0).all()


@pytest.mark.parametrize("past", [16, 5, 0])
@pytest.mark.parametrize(("length", "window"), [(16, 16), (64, 16), (64, 11)])
def test_banded_is_dense_with_a_window(past, length, window):
    block, rng = 16, np.random.default_rng(past + length)
    query, key = sights(rng, length, block, past)
    q, k, v = operands(rng, length, block + length)
    real = np.repeat(np.repeat(query.segment >= 0, KV, axis=0), GROUP, axis=1)
    band, full = banded(q, k, v, query, key, window), dense(q, k, v, query, key, window)
    np.testing.assert_allclose(band.lse[real], full.lse[real], atol=LSE)
    np.testing.assert_allclose(band.out[real], full.out[real], atol=OUT)
    truth = plain(q, k, v, rows(mask(query, key, window), KV, GROUP))
    np.testing.assert_allclose(band.lse[real], truth[1][real], atol=LSE)
    np.testing.assert_allclose(band.out[real], truth[0][real], atol=OUT)


def test_each_query_may_have_a_window_of_its_own():
    rng, length = np.random.default_rng(5), 40
    query, key = sights(rng, length, 10, 10)
    q, k, v = operands(rng, length, 10 + length)
    own = rng.choice([1, 7, 100], (BATCH, length))
    each = kernels.dense(q, k, v, query, key, jnp.asarray(own))
    for window in (1, 7, 100):
        alike = np.repeat(np.repeat((own == window) & (query.segment >= 0), KV, axis=0), GROUP, axis=1)
        assert alike.any()
        same = dense(q, k, v, query, key, window)
        np.testing.assert_allclose(each.out[alike], same.out[alike], atol=OUT)


@pytest.mark.parametrize("far", [1, 9, 33, 70])
def test_keys_before_all_that_is_seen_are_left_out_with_the_same_gradients(far, monkeypatch):
    """In blocks of 4 queries, of which no query, or one, sees ``far`` tokens back: as many keys as hold these, and no more."""
    monkeypatch.setattr("pollux.kernels.attention.QUERY_BLOCK", 4)
    sizes, attend = [], kernels.attend
    rng, length = np.random.default_rng(7), 72
    query = key = Sight(*(np.broadcast_to(x, (BATCH, length)) for x in (np.arange(length), np.zeros(length, int))))
    q, k, v = operands(rng, length, length)
    own = np.full((BATCH, length), 1)
    own[1, 71] = far
    seen, weigh = mask(query, key, None), bf16(rng, *q.shape)
    seen &= np.arange(length) > np.arange(length)[:, None] - own[..., None]

    def value(form):
        total = lambda q, k, v: ((out := form(q, k, v)).out * weigh).sum() + out.lse.sum()  # noqa: E731
        return jax.value_and_grad(total, (0, 1, 2))(q, k, v)

    def only(q, k, v, seen):
        jax.debug.callback(lambda: sizes.append(k.shape[1]))
        return attend(q, k, v, seen)

    total, grads = value(lambda *x: kernels.dense(*x, query, key, jnp.asarray(own)))
    plainly, true_grads = value(lambda *x: attend(*x, np.repeat(seen, KV, axis=0)))
    np.testing.assert_allclose(total, plainly, rtol=1e-3)
    for a, b in zip(grads, true_grads, strict=True):
        assert np.linalg.norm(a - b) < 0.01 * np.linalg.norm(b)
    monkeypatch.setattr(kernels, "attend", only)
    kernels.dense(q, k, v, query, key, jnp.asarray(own))
    jax.effects_barrier()
    needed = {1: 8, 9: 16, 33: 64, 70: 72}[far]
    assert sorted(sizes) == sorted([4, *[8] * 16, needed])


@pytest.mark.parametrize("window", [None, 40])
def test_dense_in_blocks_is_dense(window, monkeypatch):
    """Also a length that no block divides, behind a past that is no block."""
    rng, length = np.random.default_rng(3), 50
    assert length < QUERY_BLOCK
    query, key = sights(rng, length, 10, 10)
    q, k, v = operands(rng, length, 10 + length)
    real = np.repeat(np.repeat(query.segment >= 0, KV, axis=0), GROUP, axis=1)
    whole = dense(q, k, v, query, key, window)
    monkeypatch.setattr("pollux.kernels.attention.QUERY_BLOCK", 16)
    blocks = jax.jit(lambda *x: kernels.dense(*x, window))(q, k, v, query, key)
    np.testing.assert_allclose(blocks.lse[real], whole.lse[real], atol=LSE)
    np.testing.assert_allclose(blocks.out[real], whole.out[real], atol=OUT)


@pytest.mark.parametrize("cut", [0, 1, 9, 20])
def test_two_halves_merge_into_the_whole(cut):
    rng = np.random.default_rng(4)
    q, k, v = bf16(rng, 1, 6, DEPTH), bf16(rng, 1, 20, DEPTH), bf16(rng, 1, 20, DEPTH)
    part = lambda keep: attend(q, k, v, np.broadcast_to(keep, (1, 6, 20)))  # noqa: E731
    # a half that sees nothing weighs nothing
    both, whole = merge(part(np.arange(20) < cut), part(np.arange(20) >= cut)), part(True)
    np.testing.assert_allclose(both.lse, whole.lse, atol=LSE)
    np.testing.assert_allclose(both.out, whole.out, atol=OUT)


def test_folding_keeps_each_head_with_its_key_head():
    rng = np.random.default_rng(5)
    q, k = bf16(rng, BATCH, 4, KV * GROUP, DEPTH), bf16(rng, BATCH, 7, KV, DEPTH)
    folded = fold_queries(q, KV)
    assert (unfold_queries(folded, BATCH, 4) == q).all()
    scores = np.einsum("nmd,nsd->nms", folded, fold_keys(k)).reshape(BATCH, KV, 4, GROUP, 7)
    truth = np.einsum("btkgd,bskd->bktgs", q.reshape(BATCH, 4, KV, GROUP, DEPTH), k)
    np.testing.assert_allclose(scores, truth, atol=1e-4)
