"""An image into few coherent regions, without examples, hints, or knowing how many.

    found = segment(pixels)          # uint8 [H, W, 3], say
    found.labels_HW, found.regions_HW

Every superpixel begins as a label of its own. A round fits the classifier to the labels, lets the field weigh what each label's
superpixels look like against the neighbours that are like them, and gives those that come out alike the same label; until a round
joins nothing. What was joined stays so: it moves as one from then on. As labels come to hold more, the spread that the classifier
takes for natural grows, and differences within what belongs together count for less.

After the abstract of arXiv 1603.02649 (Elektrotehniški vestnik 83(3), 2016), whose text was not at hand: several hundred
superpixels, a discriminative classifier trained on their colour and texture, a field that lends more influence to neighbours that
are more similar, iterations until a few regions remain. All else here is a reconstruction.

Axis letters: H, W rows and columns of pixels; C channels; S superpixels; K labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from scipy.sparse import csr_array
from skimage.measure import label

from pollux.base.errors import ConfigError
from pollux.segmentation.classifier import Samples, draw, log_posteriors, means
from pollux.segmentation.features import features
from pollux.segmentation.field import infer, similarity
from pollux.segmentation.photo import SIDE, checked
from pollux.segmentation.superpixels import borders, superpixels


@dataclass(frozen=True)
class Settings:
    """How an image is taken apart and joined.

    Attributes:
        superpixels: At most so many to begin with, none smaller than its share of the image; photographs give about a sixth.
        binding: How much a border between like neighbours costs (nats per circumference of a superpixel); more joins more.
        likeness: How unlike neighbours may be and still bind each other, in the image's median difference.
        pixels: At most so many are looked at in a superpixel.
        least: Labels at which it ends in any case.
        rounds: At most so many.
        side: Pixels of the longer side; larger images are reduced by a whole number, and their labels enlarged again.
        seed: Of which pixels are looked at.
    """

    superpixels: int = 2500
    binding: float = 160.0
    likeness: float = 1.0
    pixels: int = 50
    least: int = 2
    rounds: int = 30
    side: int = 800
    seed: int = 0

    def __post_init__(self) -> None:
        bounds = (("superpixels", 2, 5000), ("pixels", 2, 10_000), ("least", 1, 5000), ("rounds", 1, 1000), ("side", 64, 10_000),
                  ("seed", 0, 2**63))  # fmt: skip
        for name, low, high in bounds:
            value = getattr(self, name)
            if not isinstance(value, Integral) or not low <= value <= high:
                raise ConfigError(f"{name} must be a whole number from {low} to {high:,}, got {value!r}", f"change {name}")
        if not isinstance(self.likeness, Real) or not 0 < self.likeness < float("inf"):
            raise ConfigError(f"likeness must be a number above 0, got {self.likeness!r}", "change likeness")
        if not isinstance(self.binding, Real) or not 0 <= self.binding < float("inf"):
            raise ConfigError(f"binding must be a number from 0 on, got {self.binding!r}", "change binding")


@dataclass(frozen=True)
class Segmentation:
    """An image's labels.

    Attributes:
        labels_HW: int32, 0 to K - 1, the largest first. A label may lie in several places.
        superpixels_HW: int32, what they were joined from, of the size the work was done in.
        counts: Labels after each round, never more than before.
        energies: The field's free energy in each round, before and after each sweep, nats.
    """

    labels_HW: np.ndarray
    superpixels_HW: np.ndarray
    counts: tuple[int, ...]
    energies: tuple[tuple[float, ...], ...]

    @property
    def count(self) -> int:
        """Labels."""
        return int(self.labels_HW.max()) + 1

    @property
    def regions_HW(self) -> np.ndarray:
        """Connected parts (8 neighbours), from 0 on: int32."""
        return regions(self.labels_HW)


def regions(labels_HW: np.ndarray) -> np.ndarray:
    """Each label's connected parts (8 neighbours), numbered from 0 on: int32 [H, W]."""
    return (label(labels_HW, background=-1, connectivity=2) - 1).astype(np.int32)


def segment(image: np.ndarray, settings: Settings = Settings()) -> Segmentation:
    """Join an image's superpixels into few regions.

    Args:
        image: what `photo.checked` takes: [H, W] or [H, W, C], uint8, uint16 or floats from 0 to 1.

    Raises:
        MediaError: an image that `photo.checked` refuses.
    """
    rgb_HWC = checked(image)
    short, long = sorted(rgb_HWC.shape[:2])
    factor = min(-(-long // settings.side), short // SIDE)  # a narrow image keeps its width
    small_HWC = _reduced(rgb_HWC, factor)
    superpixels_HW = superpixels(small_HWC, settings.superpixels)
    samples = draw(features(small_HWC), superpixels_HW, settings.pixels, settings.seed)
    area_S = np.bincount(superpixels_HW.ravel())
    weights_SS = similarity(*means(samples), borders(superpixels_HW, area_S.size), settings.likeness)
    labels_S, counts, energies = join(samples, area_S / area_S.mean(), weights_SS, settings)
    labels_HW = _by_size(labels_S[superpixels_HW])
    whole_HW = labels_HW.repeat(factor, 0).repeat(factor, 1)[: rgb_HWC.shape[0], : rgb_HWC.shape[1]]
    return Segmentation(whole_HW, superpixels_HW, counts, energies)


def join(
    samples: Samples, evidence_S: np.ndarray, weights_SS: np.ndarray, settings: Settings
) -> tuple[np.ndarray, tuple[int, ...], tuple[tuple[float, ...], ...]]:
    """The rounds: labels [S], how many there were after each round, and the energies of each."""
    labels_S, counts, energies = np.arange(len(weights_SS)), [], []
    for _ in range(settings.rounds):
        before = int(labels_S.max()) + 1
        if before <= settings.least:
            break
        log_p_KK, weights_KK = log_posteriors(samples, labels_S, evidence_S), _between(weights_SS, labels_S)
        q_KK, falling = infer(log_p_KK, weights_KK, settings.binding, np.arange(before))
        labels_S = np.unique(q_KK.argmax(1), return_inverse=True)[1][labels_S]
        counts.append(int(labels_S.max()) + 1)
        energies.append(tuple(falling))
        if counts[-1] == before:
            break
    return labels_S, tuple(counts), tuple(energies)


def _between(weights_SS: np.ndarray, labels_S: np.ndarray) -> np.ndarray:
    """Weights between labels, the sums of those between their superpixels: [K, K], 0 on the diagonal."""
    member_SK = np.eye(int(labels_S.max()) + 1)[labels_S]
    out_KK = member_SK.T @ (csr_array(weights_SS) @ member_SK)
    np.fill_diagonal(out_KK, 0)
    return out_KK


def _reduced(rgb_HWC: np.ndarray, factor: int) -> np.ndarray:
    """Means over squares of ``factor`` pixels, those at the right and below filled up with copies of the border."""
    if factor == 1:
        return rgb_HWC
    rows, columns = (-(-n // factor) for n in rgb_HWC.shape[:2])
    margins = [(0, rows * factor - rgb_HWC.shape[0]), (0, columns * factor - rgb_HWC.shape[1]), (0, 0)]
    return np.pad(rgb_HWC, margins, mode="edge").reshape(rows, factor, columns, factor, 3).mean((1, 3))


def _by_size(labels_HW: np.ndarray) -> np.ndarray:
    """Labels numbered by size, the largest first; of equal ones the one that comes first in the image: int32."""
    _, first, which, size = np.unique(labels_HW, return_index=True, return_inverse=True, return_counts=True)
    rank = np.argsort(np.lexsort((first, -size)))
    return rank[which].reshape(labels_HW.shape).astype(np.int32)
