"""Documents packed into one row give what each gives alone: the same hidden states and the same loss."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest

from pollux.base.weights import initial
from pollux.kernels.attention import Sight
from pollux.model.attention import first_of
from pollux.model.recency import ages
from pollux.model.sizes import RETRIEVAL, LayerSpec, family
from pollux.model.transformer import forward, weight_table
from pollux.tokens.stream import Batch
from pollux.train.losses import next_token

LENGTHS = (19, 30, 15)
PLAIN = LayerSpec(window=8, hidden=32)
LAYERS = (PLAIN, replace(PLAIN, experts=4, shared=1), replace(PLAIN, reach=RETRIEVAL, parallel=True))
CONFIG = replace(family()["tiny"], layers=LAYERS)
RNG = np.random.default_rng(0)
TEXTS = [RNG.integers(32, 512, n) for n in LENGTHS]
SCORED = [np.sort(RNG.choice(n - 1, 4, replace=False)) for n in LENGTHS]


def batch(rows, length):
    """A batch whose rows hold the numbered documents, each scored at the same places wherever it stands."""
    shape = len(rows), length
    tokens, index, segment = np.zeros(shape, np.int32), np.zeros(shape, np.int32), np.full(shape, -1, np.int32)
    where, source = [], []
    for r, row in enumerate(rows):
        at, places, starts = 0, [], []
        for number, document in enumerate(row):
            span = slice(at, at + LENGTHS[document])
            tokens[r, span], index[r, span], segment[r, span] = TEXTS[document], np.arange(LENGTHS[document]), number
            places.append(SCORED[document] + at)
            starts.append(np.full(SCORED[document].size, at))
            at = span.stop
        where.append(np.concatenate(places))
        source.append(np.concatenate(starts))
    where = np.array(where, np.int32)
    source = np.array(source, np.int32)
    target = np.take_along_axis(tokens, where + 1, 1)
    weight = np.where(target % 2 == 0, 3.0, 0.5).astype(np.float32)
    return Batch(tokens, index, segment, where, target, weight, target % 2 == 0, source, np.stack([source, where], axis=-1))


@jax.jit
def run(params, given):
    sight = Sight(given.index, given.segment)
    hidden = forward(params, CONFIG, given.tokens, sight, age_BT=ages(given.tokens, sight, first_of(sight))).hidden
    return hidden, next_token(params, CONFIG, given)[1]


@pytest.fixture
def params():
    """Weights of which none is zero, as slopes are at first."""
    found = initial(weight_table(CONFIG), 0)
    for i, layer in found["layers"].items():
        if "recency" in layer["attention"]:
            layer["attention"]["recency"] = jax.random.normal(jax.random.key(int(i)), (CONFIG.width, CONFIG.heads)) / 8
    return found


def test_packed_is_separate(params):
    packed, packed_report = run(params, batch([(0, 1, 2)], 72))  # the last 8 tokens are padding
    alone, alone_report = run(params, batch([(0,), (1,), (2,)], 32))  # every row ends in padding
    at = 0
    for document, length in enumerate(LENGTHS):
        one, other = packed[0, at : at + length], alone[document, :length]
        apart = np.linalg.norm(one - other, axis=-1) / np.linalg.norm(other, axis=-1)
        assert apart.max() < 0.03, (document, apart)
        at += length
    for name in ("loss", "text", "answer", "right"):
        np.testing.assert_allclose(getattr(packed_report, name), getattr(alone_report, name), rtol=5e-3)
    np.testing.assert_allclose(packed_report.loads[1].share, alone_report.loads[1].share, atol=0.02)


def test_a_token_of_a_neighbour_changes_nothing_at_all(params):
    given = batch([(0, 1, 2)], 72)
    other = given.tokens.copy()
    other[0, 5], other[0, 70] = 77, 99  # in the first document, and in the padding
    before, after = run(params, given)[0], run(params, given._replace(tokens=other))[0]
    real = slice(LENGTHS[0], sum(LENGTHS))
    assert (before[0, real] == after[0, real]).all() and (before[0, 5:19] != after[0, 5:19]).any()


@pytest.mark.parametrize("last", [PLAIN, replace(PLAIN, experts=4), replace(PLAIN, reach=RETRIEVAL, parallel=True)])
def test_a_few_tokens_get_what_they_would_get_among_all(last):
    config = replace(CONFIG, layers=(LAYERS[2], last), copies=False)
    params, given = initial(weight_table(config), 0), batch([(0, 1, 2), (2, 1, 0)], 64)
    run = jax.jit(partial(forward, params, config, given.tokens, Sight(given.index, given.segment)))
    every, few = run().hidden, run(where_BM=given.where).hidden
    np.testing.assert_allclose(few, np.take_along_axis(every, given.where[..., None], axis=1), atol=0.02)
