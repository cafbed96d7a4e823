"""A segmentation as pictures: a map of labels, and outlines over the photograph.

Axis letters: H, W rows and columns of pixels; C channels; K labels.
"""

from __future__ import annotations

import colorsys

import numpy as np
from PIL import Image
from scipy.ndimage import maximum_filter

_LINE = np.array([1.0, 0.85, 0.0], np.float32)
_GOLDEN = 0.618034  # turns of the hue from a label to the next: neighbours in number are far apart in colour


def label_map(labels_HW: np.ndarray) -> Image.Image:
    """An image whose pixels are the labels themselves.

    Up to 256 labels are 8 bits with a palette, so that a viewer shows each in a colour of its own; more are 16 bits of grey.

    Raises:
        ValueError: labels below 0 or above 65535.
    """
    if labels_HW.min() < 0 or labels_HW.max() > 65535:
        raise ValueError(f"a label map holds 0 to 65535, got {labels_HW.min()} to {labels_HW.max()}")
    if labels_HW.max() > 255:
        return Image.fromarray(labels_HW.astype(np.uint16))
    image = Image.fromarray(labels_HW.astype(np.uint8), "L")
    image.putpalette(_palette(int(labels_HW.max()) + 1).tobytes())
    return image


def outlines(rgb_HWC: np.ndarray, labels_HW: np.ndarray) -> Image.Image:
    """The photograph with a bright line, dark on either side, where labels meet; thicker in larger images.

    Args:
        rgb_HWC: sRGB, 0 to 1.
    """
    edge_HW = np.zeros(labels_HW.shape, bool)
    edge_HW[:, :-1] |= labels_HW[:, :-1] != labels_HW[:, 1:]
    edge_HW[:-1] |= labels_HW[:-1] != labels_HW[1:]
    width = 1 + round(min(labels_HW.shape) / 600)
    line_HW = maximum_filter(edge_HW, width)
    out_HWC = np.where(maximum_filter(edge_HW, width + 2)[..., None], rgb_HWC * 0.35, rgb_HWC)
    out_HWC[line_HW] = _LINE
    return Image.fromarray((out_HWC * 255 + 0.5).astype(np.uint8))


def _palette(count: int) -> np.ndarray:
    """Colours that are told apart: uint8 [K, 3]."""
    tones = [(0.55, 0.95), (0.85, 0.75), (0.4, 0.6)]  # saturation and value, in turn
    colours = [colorsys.hsv_to_rgb(k * _GOLDEN % 1, *tones[k % len(tones)]) for k in range(count)]
    return (np.array(colours) * 255 + 0.5).astype(np.uint8)
