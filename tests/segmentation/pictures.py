"""Small pictures whose regions are known, made by formulas."""

import numpy as np
from scipy.ndimage import gaussian_filter

SHAPE = (80, 96)


def halves(left=(0.8, 0.2, 0.2), right=(0.2, 0.3, 0.8)) -> np.ndarray:
    """Two flat halves: float32 [H, W, 3]."""
    out = np.empty((*SHAPE, 3), np.float32)
    out[:, : SHAPE[1] // 2], out[:, SHAPE[1] // 2 :] = left, right
    return out


def textures(shape=SHAPE) -> np.ndarray:
    """Stripes 2 pixels wide, upright in one half and lying in the other, of the same two greys: float32 [H, W, 3]."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    grey = np.where(np.where(x < shape[1] // 2, x, y) // 2 % 2, 0.58, 0.42)
    return np.repeat(grey[..., None], 3, -1).astype(np.float32)


def grain(shape=(160, 192)) -> np.ndarray:
    """Noise drawn out along the rows in one half and along the columns in the other, of one mean and spread: float32 [H, W, 3]."""
    noise = np.random.default_rng(0).normal(size=shape)
    lying, upright = (blurred / blurred.std() for blurred in (gaussian_filter(noise, (0, 3)), gaussian_filter(noise, (3, 0))))
    grey = 0.5 + 0.08 * np.where(np.arange(shape[1]) < shape[1] // 2, lying, upright)
    return np.repeat(np.clip(grey, 0, 1)[..., None], 3, -1).astype(np.float32)


def disc(radius=20, noise=0.03, slope=0.1) -> np.ndarray:
    """A bright disc on a dark ground that grows lighter to the right, with noise: float32 [H, W, 3]."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    inside = np.hypot(y - SHAPE[0] / 2, x - SHAPE[1] / 2) < radius
    colour = np.where(inside[..., None], [0.8, 0.7, 0.2], [0.2, 0.3, 0.4]) + slope * x[..., None] / SHAPE[1]
    return np.clip(colour + np.random.default_rng(0).normal(0, noise, (*SHAPE, 3)), 0, 1).astype(np.float32)
