"""What the eyes' nets are made of: a depthwise convolution, a normalisation and a feed-forward, as in ConvNeXt (arXiv 2201.03545).

Depthwise convolutions are sums of shifted products: XLA's own convolution takes fifty times as long on a CPU. Everything else is a
matrix product in bf16 (`kernels.products`).

Axis letters: B pictures; H, W rows and columns; C, D channels; K a kernel's side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import jax
import jax.numpy as jnp

from pollux.base.weights import Tree, Weight
from pollux.kernels.products import linear

_EXPAND = 2


def matrix(fan_in: int, fan_out: int, gain: float = 1.0) -> Weight:
    """A matrix that keeps the size of what goes through it, times ``gain``."""
    return Weight((fan_in, fan_out), (None, None), scale=gain / math.sqrt(fan_in), matrix=True)


def vector(size: int, init: str = "zeros") -> Weight:
    return Weight((size,), (None,), init=init)


def head(fan_in: int, fan_out: int) -> Tree:
    """What a net ends with: a normalisation, and an affine map that Adam trains."""
    weight = Weight((fan_in, fan_out), (None, None), scale=1 / math.sqrt(fan_in))
    return {"norm": vector(fan_in, "ones"), "matrix": weight, "bias": vector(fan_out)}


def read_out(params: Tree, x: jax.Array) -> jax.Array:
    """The map of `head`: float32 [..., C] -> [..., D]."""
    return linear(norm(x, params["norm"]), params["matrix"]) + params["bias"]


def block_table(count: int, channels: int, kernel: tuple[int, int] = (3, 3)) -> Tree:
    """Rows of some blocks that follow each other, stacked: they are one loop, and one matrix to the optimiser."""
    wide = _EXPAND * channels
    stacked = lambda row: replace(row, shape=(count, *row.shape), axes=(None, *row.axes))  # noqa: E731
    rows = {
        "depth": Weight((*kernel, channels), (None, None, None), scale=1 / math.sqrt(kernel[0] * kernel[1])),
        "norm": vector(channels, "ones"),
        "up": matrix(channels, wide),
        "bias": vector(wide),
        "down": matrix(wide, channels, 0.3),
    }
    return {name: stacked(row) for name, row in rows.items()}


def blocks(params: Tree, x_BHWC: jax.Array) -> jax.Array:
    """One block after the other, each x + feed-forward(norm(depthwise(x))): float32 [B, H, W, C]."""
    return jax.lax.scan(lambda x, one: (_block(one, x), None), x_BHWC, params)[0]


def _block(params: Tree, x_BHWC: jax.Array) -> jax.Array:
    h = norm(depthwise(x_BHWC, params["depth"]), params["norm"])
    return x_BHWC + linear(jax.nn.silu(linear(h, params["up"]) + params["bias"]), params["down"])


@jax.custom_vjp
def depthwise(x_BHWC: jax.Array, w_KKC: jax.Array) -> jax.Array:
    """Every channel by a kernel of its own; beyond the edges there are zeros. Kernels have odd sides."""
    return sum(part * w_KKC[i, j] for i, j, part in _shifted(x_BHWC, w_KKC.shape[:2]))


def _shifted(x_BHWC: jax.Array, kernel: tuple[int, int]) -> Iterator[tuple[int, int, jax.Array]]:
    """The picture moved to where each tap of a kernel sees it."""
    (_, height, width, _), (rows, columns) = x_BHWC.shape, kernel
    x = jnp.pad(x_BHWC, ((0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2), (0, 0)))
    for i in range(rows):
        for j in range(columns):
            yield i, j, x[:, i : i + height, j : j + width]


def _depthwise_backward(saved: tuple[jax.Array, jax.Array], g: jax.Array) -> tuple[jax.Array, jax.Array]:
    # differentiated by rule, the shifted sums become as many padded pictures
    x, w = saved
    taps = [(part * g).sum((0, 1, 2)) for _, _, part in _shifted(x, w.shape[:2])]
    return depthwise(g, w[::-1, ::-1]), jnp.stack(taps).reshape(w.shape)


depthwise.defvjp(lambda x, w: (depthwise(x, w), (x, w)), _depthwise_backward)


def norm(x: jax.Array, scale: jax.Array) -> jax.Array:
    """Root mean square over channels brought to 1, float32."""
    return x * jax.lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + 1e-6) * scale


def folded(x_BHWC: jax.Array, down: int, across: int) -> jax.Array:
    """Neighbours as channels: [B, H, W, C] -> [B, H / down, W / across, down * across * C]."""
    b, h, w, c = x_BHWC.shape
    x = x_BHWC.reshape(b, h // down, down, w // across, across, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(b, h // down, w // across, down * across * c)


def doubled(x_BHWC: jax.Array) -> jax.Array:
    """Every cell as four: [B, H, W, C] -> [B, 2H, 2W, C]."""
    b, h, w, c = x_BHWC.shape
    return jnp.broadcast_to(x_BHWC[:, :, None, :, None], (b, h, 2, w, 2, c)).reshape(b, 2 * h, 2 * w, c)


def centred(pixels: jax.Array) -> jax.Array:
    """uint8 pixels as float32 from -1 to 1."""
    return pixels.astype(jnp.float32) / 127.5 - 1
