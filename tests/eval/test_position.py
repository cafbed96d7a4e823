"""Loss by position: the law that made the points is found again, and reading in chunks is one pass."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.base.weights import initial
from pollux.engine.runner import Runner
from pollux.engine.score import losses
from pollux.eval.position import curve, fit, octaves, places
from pollux.kernels.attention import Sight
from pollux.model.sizes import family
from pollux.model.transformer import forward, predict, weight_table


@pytest.mark.parametrize("law", [(3.0, -0.4, 2.5), (20.0, -1.0, 3.9), (-1.0, -0.3, 4.0)])
def test_the_law_behind_the_points_is_found(law):
    places = np.unique(np.geomspace(64, 1 << 20, 57).round().astype(int))
    a, b, c = law
    found = fit(places, a * places**b + c)
    np.testing.assert_allclose(found, (*law, 1.0), rtol=1e-3)


def test_points_that_follow_no_law_are_told_so():
    places = np.unique(np.geomspace(64, 1 << 20, 57).round().astype(int))
    assert fit(places, 3 + np.sin(np.arange(places.size))).r2 < 0.5


def test_means_are_those_of_all_tokens_up_to_a_place():
    nll = np.random.default_rng(0).random((3, 1000)).astype(np.float32)
    at, curves = places(1000), [curve(document) for document in nll]
    assert (at[0], at[-1]) == (64, 1000)
    np.testing.assert_allclose(np.mean([c.upto for c in curves], axis=0), [nll[:, :place].mean() for place in at], rtol=1e-5)
    parts = octaves(curves, 1000)
    assert [part.start for part in parts] == [64, 128, 256, 512]
    assert parts[3].mean == pytest.approx(nll[:, 512:].mean(), rel=1e-5)
    assert all(part.low < part.mean < part.high for part in parts)


def test_losses_of_a_stream_read_in_chunks_are_those_of_one_pass():
    """As long as no text outgrows what the last layer has at hand; the other retrieval layer looks back as far as reading does."""
    config = replace(family()["tiny"], layers=family()["tiny"].layers * 2, reading_window=32)
    runner = Runner(initial(weight_table(config), 0), config, "test")
    ids = np.random.default_rng(0).integers(32, 512, 120).astype(np.int32)
    sight = Sight(jnp.arange(120)[None], jnp.zeros((1, 120), jnp.int32))
    output = forward(runner.params, config, jnp.asarray(ids)[None], sight, window=config.look_back)
    log_p = jax.nn.log_softmax(predict(runner.params, config, output)[0])
    truth = -np.take_along_axis(np.asarray(log_p)[:-1], ids[1:, None], axis=1)[:, 0]
    np.testing.assert_allclose(losses(runner, ids), truth, atol=0.05)
