"""Superpixels, features and pictures: what later steps count on."""

import numpy as np
import pytest
from pictures import disc, halves, textures
from skimage.color import rgb2lab

from pollux.segmentation.features import DIRECTIONS, WAVELENGTHS, features, texture
from pollux.segmentation.outlines import label_map, outlines
from pollux.segmentation.superpixels import borders, superpixels


def test_superpixels_keep_to_edges():
    found = superpixels(halves(), 300)
    assert found.dtype == np.int32 and np.array_equal(np.unique(found), np.arange(found.max() + 1))
    assert not set(found[:, :48].ravel()) & set(found[:, 48:].ravel())


def test_strips_of_an_edges_own_are_no_superpixels():
    image = halves()
    image[:, 48] = (image[:, 47] + image[:, 49]) / 2
    assert superpixels(image, 2500).max() == 1
    stripes = superpixels(textures(), 2500)
    assert stripes.max() > 10, "where all are narrow, all stay"


@pytest.mark.parametrize("most", [20, 300, 2500])
def test_no_more_superpixels_than_asked_for(most):
    found = superpixels(np.random.default_rng(0).random((60, 70, 3)), most)
    assert found.max() < most and np.bincount(found.ravel()).min() >= 4200 / most


def test_borders_by_hand():
    labels = np.array([[0, 0, 1], [2, 2, 1]])
    assert borders(labels, 3).tolist() == [[0, 1, 2], [1, 0, 1], [2, 1, 0]]


def test_texture_tells_directions_and_wavelengths():
    energy = texture(100 * textures()[..., 0])
    assert energy.shape == (80, 96, len(WAVELENGTHS) * DIRECTIONS) and energy.dtype == np.float32
    left, right = energy[20:60, 10:35].mean((0, 1)), energy[20:60, 60:85].mean((0, 1))
    assert left.argmax() == 0 and right.argmax() == DIRECTIONS // 2 and left.max() > 5 * left[DIRECTIONS // 2]
    assert np.abs(texture(np.full((40, 40), 50.0))).max() < 1e-3


def test_features_are_colour_and_texture():
    found = features(halves())
    assert found.shape == (80, 96, 3 + len(WAVELENGTHS) * DIRECTIONS) and found.dtype == np.float32
    assert np.abs(found[:, :20, 3:]).max() < 0.05 < 0.3 < found[:, 46:50, 3:].max()
    assert np.allclose(found[40, 10, :3], rgb2lab(halves()[40:41, 10:11])[0, 0], atol=1e-3)


def test_label_map_holds_the_labels():
    labels = np.arange(12).reshape(3, 4)
    image = label_map(labels)
    assert image.mode == "P" and np.array_equal(np.asarray(image), labels)
    assert len(set(image.convert("RGB").get_flattened_data())) == 12
    many = label_map(labels * 100)
    assert many.mode == "I;16" and np.array_equal(np.asarray(many), labels * 100)
    with pytest.raises(ValueError, match="65535"):
        label_map(labels * 10_000)


def test_outlines_change_what_is_near_a_border_only():
    image, labels = disc(), (np.arange(96) >= 48) + np.zeros((80, 1), int)
    drawn = np.asarray(outlines(image, labels))
    assert np.array_equal(drawn[:, :45], np.round(image[:, :45] * 255).astype(np.uint8))
    assert np.all(drawn[:, 47] == (255, 217, 0))
