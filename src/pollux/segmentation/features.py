"""What is known of a pixel: its colour, and how much its surroundings vary, by wavelength and direction.

Axis letters: H, W rows and columns of pixels; C channels; D features.
"""

from __future__ import annotations

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2lab

WAVELENGTHS = (4.0, 8.0)  # pixels; longer ones reach over the edges of a superpixel
DIRECTIONS = 4
_MARGIN = 16  # pixels mirrored around the image, so that its border is no edge
_BLUR = 1.0  # pixels
_OCTAVE = 0.65  # a filter's width in frequency: its deviation over its centre (Field 1987), about one octave and a half


def features(rgb_HWC: np.ndarray) -> np.ndarray:
    """Colour, CIELAB over a pixel's neighbourhood, and texture, the logarithm of its energies: float32 [H, W, 3 + D].

    Args:
        rgb_HWC: sRGB, 0 to 1.
    """
    lab_HWC = rgb2lab(rgb_HWC).astype(np.float32)
    smooth = [gaussian_filter(lab_HWC[..., c], _BLUR, mode="reflect") for c in range(3)]
    return np.concatenate([np.stack(smooth, -1), np.log1p(texture(lab_HWC[..., 0]))], -1)


def texture(light_HW: np.ndarray) -> np.ndarray:
    """Energy of log-Gabor filters, a wavelength after the other, each in all directions: float32 [H, W, D], units of lightness."""
    (rows, columns), margin = light_HW.shape, min(_MARGIN, *(n - 1 for n in light_HW.shape))
    padded = np.pad(light_HW, margin, mode="reflect").astype(np.float32)
    shape = tuple(fft.next_fast_len(n) for n in padded.shape)
    spectrum, out = fft.fft2(padded, shape), []
    for wavelength, gain in _bank(shape):
        energy = np.abs(fft.ifft2(spectrum * gain))[margin : margin + rows, margin : margin + columns]
        out.append(gaussian_filter(energy, wavelength / 4, mode="reflect"))
    return np.stack(out, -1).astype(np.float32)


def _bank(shape: tuple[int, int]):
    """Each filter's wavelength and gain by frequency, float32; of half the plane, so that its output's size is an envelope."""
    v, u = np.meshgrid(*(fft.fftfreq(n).astype(np.float32) for n in shape), indexing="ij")
    radius, angle = np.hypot(u, v), np.arctan2(v, u)
    radius[0, 0] = 1
    for wavelength in WAVELENGTHS:
        ring = np.exp(-(np.log(radius * wavelength) ** 2) / (2 * np.log(_OCTAVE) ** 2))
        ring[0, 0] = 0
        for k in range(DIRECTIONS):
            turn = np.angle(np.exp(1j * (angle - np.pi * k / DIRECTIONS)))
            yield wavelength, (ring * np.exp(-(turn**2) / (2 * (np.pi / DIRECTIONS / 1.5) ** 2))).astype(np.float32)
