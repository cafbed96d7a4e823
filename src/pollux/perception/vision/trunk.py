"""The trunk of sight: from pixels to features at four scales, which codes and the finding of text share.

Strides are 4, 8, 16 and 32 pixels. Axis letters: B pictures; H, W rows and columns of pixels; C channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax

from pollux.base.weights import Tree, Weight
from pollux.kernels.products import linear
from pollux.perception.blocks import block_table, blocks, centred, folded, matrix, norm, vector

CELL = 32  # pixels to a side, of what one code stands for


@dataclass(frozen=True)
class TrunkConfig:
    """Channels and blocks at each of the four strides."""

    channels: tuple[int, int, int, int] = (48, 96, 144, 192)
    blocks: tuple[int, int, int, int] = (2, 2, 4, 2)


def trunk_table(config: TrunkConfig) -> Tree:
    """One row per weight."""
    stem = Weight((4 * 4 * 3, config.channels[0]), (None, None), scale=0.2)
    stages = {str(i): _stage(config, i) for i in range(4)}
    return {"stem": stem, "stages": stages}


def _stage(config: TrunkConfig, i: int) -> Tree:
    rows: Tree = {"blocks": block_table(config.blocks[i], config.channels[i])}
    if i:
        before = config.channels[i - 1]
        rows |= {"norm": vector(before, "ones"), "merge": matrix(4 * before, config.channels[i])}
    return rows


def features(params: Tree, pixels_BHWC: jax.Array) -> list[jax.Array]:
    """uint8 [B, H, W, 3], sides multiples of 32 -> float32 [B, H / s, W / s, C] at the strides 4, 8, 16 and 32."""
    x, found = linear(folded(centred(pixels_BHWC), 4, 4), params["stem"]), []
    for name in sorted(params["stages"]):
        stage = params["stages"][name]
        if "merge" in stage:
            x = linear(folded(norm(x, stage["norm"]), 2, 2), stage["merge"])
        x = blocks(stage["blocks"], x)
        found.append(x)
    return found
