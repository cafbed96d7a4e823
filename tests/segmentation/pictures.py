"""Small pictures whose regions are known, made by formulas."""

import numpy as np

SHAPE = (80, 96)


def halves(left=(0.8, 0.2, 0.2), right=(0.2, 0.3, 0.8)) -> np.ndarray:
    """Two flat halves: float32 [H, W, 3]."""
    out = np.empty((*SHAPE, 3), np.float32)
    out[:, : SHAPE[1] // 2], out[:, SHAPE[1] // 2 :] = left, right
    return out


def textures() -> np.ndarray:
    """Stripes of 4 pixels across one half and along the other, of the same two greys: float32 [H, W, 3]."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    grey = np.where(np.where(x < SHAPE[1] // 2, x, y) // 2 % 2, 0.65, 0.35)
    return np.repeat(grey[..., None], 3, -1).astype(np.float32)


def disc(radius=20, noise=0.03) -> np.ndarray:
    """A bright disc on a dark ground that grows lighter to the right, with noise: float32 [H, W, 3]."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    inside = np.hypot(y - SHAPE[0] / 2, x - SHAPE[1] / 2) < radius
    colour = np.where(inside[..., None], [0.8, 0.7, 0.2], [0.2, 0.3, 0.4]) + 0.1 * x[..., None] / SHAPE[1]
    return np.clip(colour + np.random.default_rng(0).normal(0, noise, (*SHAPE, 3)), 0, 1).astype(np.float32)
