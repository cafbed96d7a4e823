"""The named sizes are what they are named after, read from the table alone: nothing is allocated."""

from dataclasses import replace

import pytest

from pollux.base.weights import Weight, count
from pollux.model.sizes import LOCAL, RETRIEVAL, LayerSpec, dense_twin, family, pattern
from pollux.model.transformer import weight_table

FAMILY = family()


@pytest.mark.parametrize(("name", "wanted"), [("nano-1", 1.8e9), ("nano-2", 3.25e9)])
def test_the_nanos_have_the_published_sizes(name, wanted):
    assert abs(count(weight_table(FAMILY[name])) / wanted - 1) < 0.15


def test_the_sizes_grow_and_all_can_retrieve():
    sizes = [count(weight_table(FAMILY[name])) for name in ("tiny", "laptop", "nano-1", "nano-2", "flash", "pro", "ultra")]
    assert sizes == sorted(sizes) and 2e6 < sizes[1] < 4e6
    for config in FAMILY.values():
        assert {layer.reach for layer in config.layers} == {LOCAL, RETRIEVAL}
        assert config.reading_window % config.chunk == 0


def feed_forward_rows(config):
    return [rows["feed_forward"] for rows in weight_table(config)["layers"].values()]


@pytest.mark.parametrize("name", ["tiny", "laptop", "mixtral-shape", "pro"])
def test_the_dense_twin_is_as_wide_as_the_experts_that_a_token_meets(name):
    config, twin = FAMILY[name], dense_twin(FAMILY[name])
    assert len(config.layers) == len(twin.layers)
    for sparse, dense, layer in zip(feed_forward_rows(config), feed_forward_rows(twin), config.layers, strict=True):
        met = layer.active * sparse["gate"].shape[-1]
        if "shared" in sparse:
            met += sparse["shared"]["gate"].shape[-1]
        assert isinstance(dense["gate"], Weight) and dense["gate"].shape == (config.width, met) and "router" not in dense
    assert count(weight_table(twin)) < count(weight_table(config))
    assert dense_twin(twin).layers == twin.layers


def test_every_nth_layer_retrieves():
    reach = [layer.reach for layer in pattern(7, LayerSpec(), every=3)]
    assert [i for i, name in enumerate(reach) if name == RETRIEVAL] == [2, 5]


@pytest.mark.parametrize("wrong", [{"reach": "far"}, {"experts": 4, "active": 5}, {"experts": 4, "active": 0}])
def test_a_layer_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=r"reach|experts"):
        LayerSpec(**wrong)


@pytest.mark.parametrize("wrong", [{"ahead": -4}, {"ahead": 128}, {"head_dim": 34}])
def test_keys_that_cannot_look_ahead_are_refused(wrong):
    with pytest.raises(ValueError, match="ahead"):
        replace(family()["tiny"], **wrong)
