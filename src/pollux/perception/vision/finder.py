"""Where text is: from the trunk's features, by a path upwards, a map of where lines are and how far their edges are from there.

Lines are found as in EAST and DB (arXiv 1704.03155, 1911.08947): a cell lies in a line's core or does not, and one that does knows
how far above it the line's top is, and how far below it the line's bottom. What becomes of the map: `strips.find`.

Axis letters: B pictures; H, W rows and columns of pixels; G, J rows (2 pixels high) and columns (4 pixels wide) of the map.
"""

from __future__ import annotations

import jax

from pollux.base.weights import Tree
from pollux.kernels.products import linear
from pollux.perception.blocks import block_table, blocks, doubled, head, matrix, read_out
from pollux.perception.vision.trunk import TrunkConfig

_CHANNELS = 64
_SPLIT = 2  # rows of the map for each row of the finest features: lines of small print are close to each other


def finder_table(config: TrunkConfig) -> Tree:
    across = {str(i): matrix(channels, _CHANNELS, 0.7) for i, channels in enumerate(config.channels)}
    blocks = {str(i): block_table(1, _CHANNELS) for i in range(len(config.channels) - 1)}
    return {"across": across, "blocks": blocks, "out": head(_CHANNELS, 3 * _SPLIT)}


def line_map(params: Tree, features: list[jax.Array]) -> jax.Array:
    """Features at strides 4 to 32 -> float32 [B, G, J, 3]: the logit of being in a line's core, and the logarithms of how many
    pixels away its top and its bottom are."""
    x = linear(features[-1], params["across"][str(len(features) - 1)])
    for i in reversed(range(len(features) - 1)):
        x = blocks(params["blocks"][str(i)], doubled(x) + linear(features[i], params["across"][str(i)]))
    out = read_out(params["out"], x)
    b, h, w, _ = out.shape
    return out.reshape(b, h, w, _SPLIT, 3).transpose(0, 1, 3, 2, 4).reshape(b, h * _SPLIT, w, 3)
