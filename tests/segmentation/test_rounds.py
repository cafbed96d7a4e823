"""Images whose regions are known, and what every image's rounds keep to."""

import numpy as np
import pytest
from pictures import disc, grain, halves
from skimage.data import astronaut

from pollux.base.errors import ConfigError, MediaError
from pollux.segmentation.metrics import covering, overlap
from pollux.segmentation.segment import Segmentation, Settings, regions, segment

FEW = Settings(superpixels=300)


@pytest.fixture(scope="module")
def photograph() -> Segmentation:
    return segment(astronaut()[:256:2, ::2], FEW)


def test_two_flat_halves():
    found = segment(halves(), FEW)
    assert found.count == 2 and found.regions_HW.max() == 1
    assert len(np.unique(found.labels_HW[:, :48])) == len(np.unique(found.labels_HW[:, 48:])) == 1


def test_two_textures_of_one_mean_colour():
    found = segment(grain())
    expected = np.arange(192) >= 96
    assert found.count == 2
    assert covering(overlap(found.regions_HW, np.broadcast_to(expected, (160, 192)).astype(int))) > 0.85


def test_a_disc_on_a_ground_that_changes():
    found = segment(disc(noise=0.01, slope=0.05), FEW)
    assert found.count == 2 and abs((found.labels_HW == 1).sum() - np.pi * 400) < 100


def test_labels_grow_fewer_and_energy_never_grows(photograph):
    counts = [int(photograph.superpixels_HW.max()) + 1, *photograph.counts]
    assert counts == sorted(counts, reverse=True) and photograph.count == counts[-1] < counts[0]
    assert counts[-1] == counts[-2] or counts[-1] <= 2, "it ends when a round joins nothing"
    for energies in photograph.energies:
        assert np.all(np.diff(energies) <= 1e-9 * max(map(abs, energies)))


def test_labels_are_whole_superpixels_the_largest_first(photograph):
    labels, superpixels = photograph.labels_HW, photograph.superpixels_HW
    assert (overlap(superpixels, labels) > 0).sum() == superpixels.max() + 1
    sizes = np.bincount(labels.ravel())
    assert np.all(np.diff(sizes) <= 0) and labels.dtype == np.int32 and sizes.min() > 0


def test_one_seed_one_result(photograph):
    again = segment(astronaut()[:256:2, ::2], FEW)
    assert np.array_equal(again.labels_HW, photograph.labels_HW) and again.energies == photograph.energies


def test_more_binding_fewer_labels():
    image = astronaut()[:256:2, ::2]
    few, many = (segment(image, Settings(superpixels=300, binding=binding)).count for binding in (1000.0, 5.0))
    assert few < many


def test_without_binding_nothing_that_differs_is_joined():
    """Then a label goes to the likeliest class, which is its own where classes differ."""
    found = segment(astronaut()[:256:2, ::2], Settings(superpixels=300, binding=0.0))
    assert found.count > 0.9 * found.superpixels_HW.max() > 20


def test_grey_bytes_and_floats_are_one_image():
    pixels = (halves((0.2,) * 3, (0.6,) * 3) * 255).astype(np.uint8)
    expected = segment(pixels, FEW).labels_HW
    for other in (pixels[..., 0], pixels[..., :1], pixels / 255, pixels.astype(np.uint16) * 257):
        assert np.array_equal(segment(other, FEW).labels_HW, expected)


def test_a_large_image_is_reduced_and_its_labels_enlarged():
    small = halves()
    found = segment(small.repeat(3, 0).repeat(3, 1)[:-1, :-2], Settings(superpixels=300, side=96))
    assert found.labels_HW.shape == (239, 286) and found.superpixels_HW.shape == (80, 96) and found.count == 2
    assert len(np.unique(found.labels_HW[:, :144])) == 1


@pytest.mark.parametrize("shape", [(16, 16), (16, 300), (300, 16), (17, 31), (20, 3000)])
def test_small_and_narrow_images(shape):
    image = np.random.default_rng(0).random((*shape, 3))
    assert segment(image).labels_HW.shape == shape


def test_regions_are_the_parts_of_labels():
    labels = np.zeros((20, 20), int)
    labels[:, 8:12] = 1
    assert regions(labels).max() == 2
    labels[10, 8:12] = 0
    assert regions(labels).max() == 2  # the two outer parts are one now, label 1 lies in two


def test_a_flat_shape_on_a_flat_ground_stays():
    found = segment(disc(noise=0, slope=0))
    assert found.count == 2 and found.superpixels_HW.max() == 1 and found.counts == ()


def test_bad_images_and_settings():
    for image in (np.full((20, 20, 3), 7, np.uint8), np.full((20, 20), np.nan), np.zeros((20, 20, 5)), np.zeros(7)):
        with pytest.raises(MediaError):
            segment(image)
    for wrong in ({"superpixels": 1}, {"binding": -1}, {"likeness": 0}, {"likeness": float("nan")}, {"rounds": 0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            Settings(**wrong)
