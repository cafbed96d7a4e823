"""Retrieval with everything kept is dense attention; with little kept it finds what was planted."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.kernels import attention, coded, retrieval
from pollux.kernels.attention import merge
from pollux.kernels.coded import Coded
from pollux.kernels.retrieval import KEY_BLOCK, Keys, chunk_scores
from pollux.kernels.signs import signs

HEADS, ROWS, DEPTH, CHUNK = 2, 5, 16, 8
# the dense form rounds keys and probabilities to bf16, where retrieval takes 4-bit keys as they are
LSE = 2e-2


@partial(jax.jit, static_argnums=(4, 5))
def retrieve(q, key, value, length, chunk, selected, **places):
    decoded = lambda head, at: Coded(*(x[head, at] for x in value)).decode()  # noqa: E731
    return retrieval.retrieve(q, Keys(key, jnp.swapaxes(signs(key.decode()), 1, 2)), decoded, length, chunk, selected, **places)


@pytest.fixture
def every_key(monkeypatch):
    """No shortlist: every key is scored."""
    monkeypatch.setattr(retrieval, "SHORTLIST_FROM", 1 << 30)
    retrieve.clear_cache()
    yield
    retrieve.clear_cache()


attend = jax.jit(attention.attend)
encode = jax.jit(coded.encode)


def dense(q, key, value, seen):
    """The plain form, over what the 4 bits stand for."""
    return attend(q, key.decode(), value.decode(), seen)


def context(size, length, seed=0):
    """Queries, and a context of ``length`` tokens in arrays of ``size``. What stands past the length is large on purpose."""
    rng = np.random.default_rng(seed)
    make = lambda *shape: np.asarray(rng.normal(size=shape), jnp.bfloat16)  # noqa: E731
    key, value = make(HEADS, size, DEPTH), make(HEADS, size, DEPTH)
    key[:, length:], value[:, length:] = 30, 30
    return make(HEADS, ROWS, DEPTH).astype(np.float32), encode(key), encode(value)


def whole(q, key, value, length):
    return dense(q, key, value, np.broadcast_to(np.arange(key.code.shape[1]) < length, (HEADS, ROWS, key.code.shape[1])))


@pytest.mark.parametrize("length", [256, 203, 1])
def test_every_chunk_kept_is_dense(length):
    q, key, value = context(256, length)
    part, found = retrieve(q, key, value, np.int32(length), CHUNK, 256 // CHUNK)
    truth = whole(q, key, value, length)
    np.testing.assert_allclose(part.lse, truth.lse, atol=LSE)
    np.testing.assert_allclose(part.out, truth.out, atol=2e-2)
    scores = np.einsum("kmd,ksd->kms", q, key.decode())
    share = np.exp(np.where(np.arange(256) < length, scores, -np.inf) - truth.lse[..., None])
    np.testing.assert_allclose(np.take_along_axis(share, np.asarray(found.index), axis=2), found.weight, atol=LSE)
    np.testing.assert_allclose(found.weight[..., 0], share.max(-1), atol=LSE)


def test_all_that_was_looked_at_can_be_had():
    q, key, value = context(256, 250)
    part, found = retrieve(q, key, value, np.int32(250), CHUNK, 3, places=None)
    _, best = retrieve(q, key, value, np.int32(250), CHUNK, 3)
    assert found.index.shape == (HEADS, ROWS, 3 * CHUNK)
    np.testing.assert_allclose(found.weight.sum(-1), 1.0, atol=1e-5)
    np.testing.assert_allclose(-np.sort(-found.weight, axis=-1)[..., : best.weight.shape[-1]], best.weight)
    scores = np.take_along_axis(np.einsum("kmd,ksd->kms", q, key.decode()), np.asarray(found.index), axis=2)
    seen = np.asarray(found.index) < 250
    np.testing.assert_allclose(found.weight, np.where(seen, np.exp(scores - part.lse[..., None]), 0), atol=LSE)


@pytest.mark.parametrize("place", [0, 7, 8, 1001, KEY_BLOCK - 1, KEY_BLOCK, 2 * KEY_BLOCK + 77])
def test_one_planted_key_is_found_and_named(place):
    """At the edges of chunks and of blocks of keys, by the row that asks for it and in the head that holds it."""
    size = 3 * KEY_BLOCK
    q, key, value = context(size, size)
    key, value = (np.array(x.decode()) for x in (key, value))
    q[1, 2], key[1, place], value[1, place] = 3.0, 3.0, 5.0
    key, value = encode(key), encode(value)
    part, found = retrieve(q, key, value, np.int32(size), CHUNK, 4)
    assert found.index[1, 2, 0] == place and found.weight[1, 2, 0] > 0.99
    np.testing.assert_allclose(part.out[1, 2], 5.0, atol=0.05)
    assert not (found.index[0] == place).any()


def test_few_chunks_are_attention_over_the_best_of_them():
    q, key, value = context(256, 250)
    kept = 3
    part, _ = retrieve(q, key, value, np.int32(250), CHUNK, kept)
    scores = np.einsum("kmd,ksd->kms", q, key.decode())
    best = np.where(np.arange(256) < 250, scores, -1e30).reshape(HEADS, ROWS, -1, CHUNK).max(-1)
    for h in range(HEADS):
        np.testing.assert_allclose(chunk_scores(q[h], key, h, np.int32(250), CHUNK), best[h], atol=1e-4)
    for h, m in np.ndindex(HEADS, ROWS):
        chosen = np.argsort(-best[h, m])[:kept]
        seen = np.isin(np.arange(256) // CHUNK, chosen) & (np.arange(256) < 250)
        k, v = (Coded(*(x[h : h + 1] for x in coded)) for coded in (key, value))
        truth = dense(q[h : h + 1, m : m + 1], k, v, seen[None, None])
        np.testing.assert_allclose(part.lse[h, m], truth.lse[0, 0], atol=LSE)
        np.testing.assert_allclose(part.out[h, m], truth.out[0, 0], atol=2e-2)


def test_nothing_read_weighs_nothing():
    q, key, value = context(64, 0)
    part, found = retrieve(q, key, value, np.int32(0), CHUNK, 4)
    assert (part.lse < -1e29).all() and np.isfinite(part.out).all()
    turn = whole(*context(64, 64, seed=1), 64)
    both = merge(turn, part)
    assert (both.out == turn.out).all() and (both.lse == turn.lse).all()
    assert (found.weight * np.exp(part.lse - both.lse)[..., None] == 0).all()


@pytest.mark.parametrize(("length", "room"), [(300, 4 * KEY_BLOCK), (KEY_BLOCK + 9, 2 * KEY_BLOCK)])
def test_spare_room_changes_nothing(length, room, every_key):
    least = -(-length // CHUNK) * CHUNK if length < KEY_BLOCK else 2 * KEY_BLOCK
    q, key, value = context(least, length)
    spare = lambda x: np.concatenate([x, np.full((HEADS, room - least, *x.shape[2:]), 30, x.dtype)], axis=1)  # noqa: E731
    pad = lambda coded: Coded(*map(spare, coded))  # noqa: E731
    small, large = (retrieve(q, k, v, np.int32(length), CHUNK, 6) for k, v in ((key, value), (pad(key), pad(value))))
    for a, b in zip(jax.tree.leaves(small), jax.tree.leaves(large), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def resembling(noise: float, size: int):
    """Queries, and among so many keys one for each that resembles it as those of a trained model do."""
    rng, depth = np.random.default_rng(3), 64
    q, key, value = (rng.normal(size=(1, n, depth)).astype(np.float32) for n in (20, size, size))
    places = rng.choice(size, 20, replace=False)
    key[0, places] = q[0] + noise * rng.normal(size=(20, depth))
    return 2 * q, encode(key), encode(value), places


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_shortlist_by_signs_holds_what_every_score_would_find(noise, request):
    q, key, value, places = resembling(noise, 8 * KEY_BLOCK)
    short, found = retrieve(q, key, value, np.int32(8 * KEY_BLOCK), CHUNK, 4)
    request.getfixturevalue("every_key")
    every, truth = retrieve(q, key, value, np.int32(8 * KEY_BLOCK), CHUNK, 4)
    np.testing.assert_array_equal(found.index[..., 0], truth.index[..., 0])
    np.testing.assert_array_equal(found.index[0, :, 0], places)
    np.testing.assert_allclose(short.lse, every.lse, atol=1e-3)


def test_a_shortlist_holds_nothing_from_spare_room():
    q, key, value, _ = resembling(0.0, 8 * KEY_BLOCK)
    length = 3 * KEY_BLOCK + 5
    _, found = retrieve(q, key, value, np.int32(length), CHUNK, 4)
    assert (np.asarray(found.index)[np.asarray(found.weight) > 0] < length).all()


def test_more_rows_than_a_batch_of_rows():
    """Rows are gathered in batches; the last one may be short."""
    q, key, value = context(64, 64)
    many = np.tile(q, (1, 29, 1))  # 2 heads of 145 rows: no multiple of the batch
    part, _ = retrieve(many, key, value, np.int32(64), CHUNK, 2)
    single, _ = retrieve(q, key, value, np.int32(64), CHUNK, 2)
    np.testing.assert_allclose(part.out, np.tile(single.out, (1, 29, 1)), atol=1e-5)
