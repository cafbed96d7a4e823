"""Sight: sizes, codes, regions, and that what is seen of a picture does not depend on what is seen beside it."""

import numpy as np
import pytest

from pollux.base.checkpoint import save_weights
from pollux.base.errors import CheckpointError, MediaError
from pollux.base.weights import count, initial
from pollux.perception import blocks, codes
from pollux.perception.codes import codes_table
from pollux.perception.vision import letters, strips
from pollux.perception.vision.finder import finder_table
from pollux.perception.vision.letters import letters_table
from pollux.perception.vision.sight import Found, Sight, _roomy, _words
from pollux.perception.vision.strips import Strip
from pollux.perception.vision.trunk import TrunkConfig, features, trunk_table

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def sight():
    trunk = TrunkConfig((8, 12, 16, 16), (1, 1, 1, 1))
    table = {"trunk": trunk_table(trunk), "codes": codes_table(16), "finder": finder_table(trunk), "letters": letters_table()}
    return Sight(initial(table, 0))


def picture(height, width):
    return RNG.integers(256, size=(height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("shape", "cells", "wanted"),
    [
        ((144, 256), 64, (144, 256)),
        ((32, 32), 256, (128, 128)),
        ((10, 64), 256, (20, 128)),
        ((720, 1280), 1024, (720, 1280)),
        ((1000, 1000), 64, (256, 256)),
        ((5000, 20), 64, (2048, 8)),
        ((1, 1), 1, (32, 32)),
    ],
)
def test_pictures_are_seen_as_large_as_cells_allow(shape, cells, wanted):
    assert Sight.resize(picture(*shape), cells).shape[:2] == wanted


@pytest.mark.parametrize("cells", [1, 7, 64, 256, 1024])
def test_never_more_cells_than_asked_and_not_far_fewer(cells):
    for height, width in RNG.integers(1, 1500, (40, 2)):
        new = Sight.resize(np.zeros((height, width, 3), np.uint8), cells).shape
        covered = -(-new[0] // 32) * -(-new[1] // 32)
        assert covered <= cells
        if height * width > cells * 1024 * 4 and 0.5 < height / width < 2:
            assert covered > 0.6 * cells - 2
            assert abs(new[1] / new[0] / (width / height) - 1) < 0.1


def test_rooms_are_few_and_hardly_larger():
    sides = range(1, 4000, 7)
    assert all(side <= _roomy(side) and _roomy(side) % 32 == 0 and _roomy(side) <= side * 1.34 + 32 for side in sides)
    assert len({_roomy(side) for side in sides}) < 30


def test_every_cell_has_a_code(sight):
    shapes = [(128, 128), (40, 100), (128, 128), (33, 31)]
    seen = sight.see([picture(*shape) for shape in shapes])
    assert [one.codes.shape for one in seen] == [(4, 4), (2, 4), (4, 4), (2, 1)]
    assert all(one.codes.dtype == np.int32 and one.codes.min() >= 0 and one.codes.max() < codes.CODES for one in seen)
    assert sight.see([]) == []


def test_a_picture_alone_is_seen_as_among_others(sight):
    pictures = [picture(64, 96) for _ in range(3)]
    together = sight.see(pictures)
    for one, other in zip(pictures, together, strict=True):
        assert (sight.see([one])[0].codes == other.codes).all()


def test_something_else_is_refused(sight):
    with pytest.raises(MediaError, match="uint8"):
        sight.see([np.zeros((32, 32), np.uint8)])
    with pytest.raises(MediaError, match="float64"):
        Sight.resize(np.zeros((32, 32, 3)), 64)


def test_weights_are_loaded(sight, tmp_path):
    save_weights(tmp_path / "eye.safetensors", sight.params, {"kind": "sight"})
    save_weights(tmp_path / "other.safetensors", {"a": np.zeros(3)}, {"kind": "ear"})
    one = picture(64, 64)
    assert Sight.load(tmp_path / "eye.safetensors").see([one])[0].codes.shape == (2, 2)
    with pytest.raises(CheckpointError, match="no sight"):
        Sight.load(tmp_path / "other.safetensors")


def test_ids_and_digits_are_the_same():
    ids = np.arange(codes.CODES)
    assert (np.asarray(codes.numbered(codes.digits(ids))) == ids).all()


def test_depthwise_is_a_convolution_with_its_derivative():
    import jax
    import jax.numpy as jnp

    x, w = RNG.normal(size=(2, 6, 7, 3)).astype(np.float32), RNG.normal(size=(3, 5, 3)).astype(np.float32)
    axes = {"dimension_numbers": ("NHWC", "HWIO", "NHWC"), "feature_group_count": 3}
    plain = lambda x, w: jax.lax.conv_general_dilated(x, w[:, :, None], (1, 1), "SAME", **axes)  # noqa: E731
    assert np.allclose(blocks.depthwise(x, w), plain(x, w), atol=1e-5)
    grads = [jax.grad(lambda x, w, f=f: jnp.sin(f(x, w)).sum(), (0, 1))(x, w) for f in (blocks.depthwise, plain)]
    assert all(np.allclose(a, b, atol=1e-4) for a, b in zip(*grads, strict=True))


def test_features_have_their_strides():
    import jax

    config = TrunkConfig()
    found = jax.eval_shape(features, initial(trunk_table(config), 0), np.zeros((2, 64, 96, 3), np.uint8))
    assert [x.shape for x in found] == [(2, 64 // s, 96 // s, c) for s, c in zip((4, 8, 16, 32), config.channels, strict=True)]
    assert count(trunk_table(config)) < 1_000_000 and count(letters_table()) < 1_000_000


def test_text_comes_back_from_its_symbols():
    symbols = letters.encoded("ill & 0k~")
    steps = np.concatenate([[symbol, symbol, 0] for symbol in symbols])
    text, begins = letters.decoded(steps)
    assert text == "ill & 0k~" and list(begins) == list(range(0, 27, 3))
    assert letters.decoded(np.zeros(5, int))[0] == ""


def test_words_stand_where_their_letters_are():
    """A line of ten characters of equal width, two words of four with two spaces between them."""
    strip = Strip(100, 50, 120, 20, 0.0)
    columns = round(strips.outer(strip).width / strips.outer(strip).height * 32)
    line = Found(0, strip, np.zeros((32, columns, 3), np.float32))
    places = (np.arange(10) + 0.5) * 12 + 6  # pixels from the outer box's left edge, which is six before the strip's
    begins = np.round(places / strips.outer(strip).width * columns / letters.STEP - 0.5).astype(int)
    one, two = _words(line, "abcd  wxyz", begins, np.ones(len(begins)), (100, 200, 3))
    assert (one.text, two.text) == ("abcd", "wxyz")
    assert np.allclose(one.region, (0.2, 0.4, 0.44, 0.6), atol=0.02) and np.allclose(two.region, (0.56, 0.4, 0.8, 0.6), atol=0.02)
