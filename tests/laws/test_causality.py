"""Who depends on whom, read off the gradients: exactly the pairs that the layer's reach allows, and nothing across documents."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.base.weights import initial
from pollux.kernels.attention import Sight
from pollux.model.sizes import RETRIEVAL, LayerSpec, family
from pollux.model.transformer import forward, logits, weight_table
from pollux.tokens.vocabulary import SPECIAL

WINDOW = 8
LOCAL_LAYER = LayerSpec(window=WINDOW, hidden=32)
FAR_LAYER = replace(LOCAL_LAYER, reach=RETRIEVAL)
SPARSE = replace(LOCAL_LAYER, experts=4, shared=1)
# two documents and padding in the first row, one document in the second; every position has a token of its own
SEGMENT = np.array([[0] * 13 + [1] * 15 + [-1] * 4, [0] * 32], np.int32)
INDEX = np.array([[*range(13), *range(15), *range(28, 32)], [*range(32)]], np.int32)
TOKENS = np.arange(64, dtype=np.int32).reshape(2, 32) + SPECIAL

CASES = {
    "local": ((LOCAL_LAYER,), 0, WINDOW),
    "local, dense form": ((replace(LOCAL_LAYER, window=5),), 0, 5),
    "local with convolution": ((LOCAL_LAYER,), 4, WINDOW + 3),
    "retrieval": ((FAR_LAYER,), 0, 32),
    "parallel": ((replace(LOCAL_LAYER, parallel=True),), 0, WINDOW),
    "experts": ((SPARSE,), 0, WINDOW),
    "all together": ((SPARSE, replace(SPARSE, reach=RETRIEVAL, parallel=True)), 4, 32),
}


def influence(layers, conv, tokens=TOKENS, ahead=0):
    """float [64, 64]: how much the hidden state at each position owes to the token at each position."""
    config = replace(family()["tiny"], layers=layers, conv=conv, ahead=ahead, copies=False, vocab_size=128)
    params = initial(weight_table(config), 0)
    if conv:  # it starts as the identity
        for layer in params["layers"].values():
            layer["attention"]["conv"] += 0.5
    probe = np.random.default_rng(0).normal(size=config.width).astype(np.float32)

    @jax.jit
    def rows(embedding):
        out, back = jax.vjp(lambda e: forward(params | {"embedding": e}, config, tokens, Sight(INDEX, SEGMENT)).hidden, embedding)
        one = lambda t: back(jnp.zeros_like(out).at[t // 32, t % 32].set(probe))[0]  # noqa: E731
        return jnp.abs(jax.lax.map(one, jnp.arange(64))).max(-1)[:, tokens.reshape(-1)]

    return np.asarray(rows(params["embedding"]))


@pytest.mark.parametrize("case", CASES)
def test_a_token_depends_on_its_own_past_and_on_nothing_else(case):
    layers, conv, reach = CASES[case]
    found = influence(layers, conv)
    document = np.where(SEGMENT < 0, -1, SEGMENT + 10 * np.arange(2)[:, None]).reshape(-1)
    back = np.arange(64)[:, None] - np.arange(64)[None]
    wanted = (document[:, None] == document[None]) & (back >= 0) & (back < reach)
    real = document >= 0
    assert ((found > 0) == wanted)[real].all()
    assert (found[real][:, ~real] == 0).all()


def test_a_key_that_looks_ahead_is_seen_when_what_it_looks_at_is_past():
    """Keys look at themselves and 3 tokens ahead, or up to one of the template's; a query that sees one key alone owes nothing to
    what it looks at."""
    ahead, closing = 4, [0, 7, 13, 14, 32, 50]
    tokens = np.array([closing.index(n) if n in closing else SPECIAL + n for n in range(64)], np.int32).reshape(2, 32)
    found = influence((FAR_LAYER,), 0, tokens, ahead)
    document = np.where(SEGMENT < 0, -1, SEGMENT + 10 * np.arange(2)[:, None]).reshape(-1)
    wanted = np.eye(64, dtype=bool)
    looked = [range(t + 1, min([t + ahead, *(c for c in closing if c > t)])) if t not in closing else () for t in range(64)]
    for i in range(64):
        settled = [t for t in range(i + 1) if t in closing or t + ahead - 1 <= i or any(t < c <= i for c in closing)]
        seen = [t for t in settled if document[t] == document[i]]
        wanted[i, seen] = True
        if len(seen) > 1:
            wanted[i, [j for t in seen for j in looked[t]]] = True
    real = document >= 0
    assert ((found > 0) == wanted)[real].all()
    assert np.triu(wanted, 1).sum() == 0 and wanted.sum() < np.tril(document[:, None] == document[None]).sum()


def test_logits_read_the_embedding_backwards():
    config = family()["tiny"]
    params = initial(weight_table(config), 0)
    hidden = np.random.default_rng(0).normal(size=(2, 3, config.width)).astype(np.float32)
    ours, truth = logits(params, config, jnp.asarray(hidden)), hidden @ np.asarray(params["embedding"]).T
    assert ours.shape == (2, 3, 512) and np.linalg.norm(ours - truth) < 0.01 * np.linalg.norm(truth)
