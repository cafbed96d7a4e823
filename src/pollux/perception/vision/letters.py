"""Reading a line: a strip of 32 rows to characters, by a small convolutional net and CTC (Graves et al., 2006).

Each column of 4 pixels gives two steps, so that letters as thin as "ill" have room for the blanks between them.

Axis letters: B lines; W columns of pixels; T steps of 2 pixels; A the alphabet with the blank, which is 0.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from pollux.base.weights import Tree, Weight
from pollux.kernels.products import linear
from pollux.perception.blocks import block_table, blocks, folded, head, matrix, norm, read_out, vector

ALPHABET = "".join(map(chr, range(32, 127)))
STEP = 2  # pixels
SYMBOLS = len(ALPHABET) + 1
_FINE, _COARSE, _WIDE = 48, 96, 192  # channels: of 8 rows, of 4 rows, of columns
_SPLIT = 2
_REACH = 9  # columns that a block over columns sees


def letters_table() -> Tree:
    """One row per weight."""
    return {
        "stem": Weight((4 * 4 * 3, _FINE), (None, None), scale=0.15),
        "fine": block_table(2, _FINE),
        "merge": {"norm": vector(_FINE, "ones"), "matrix": matrix(2 * _FINE, _COARSE)},
        "coarse": block_table(2, _COARSE),
        "columns": {"norm": vector(_COARSE, "ones"), "matrix": matrix(4 * _COARSE, _WIDE)},
        "wide": block_table(5, _WIDE, (1, _REACH)),
        "out": head(_WIDE, _SPLIT * SYMBOLS),
    }


def chances(params: Tree, x_BHWC: jax.Array) -> jax.Array:
    """Strips, float32 [B, 32, W, 3] with W a multiple of 4, as `strips.cut` makes them -> logits float32 [B, T, A]."""
    x = blocks(params["fine"], linear(folded(x_BHWC, 4, 4), params["stem"]))
    x = linear(folded(norm(x, params["merge"]["norm"]), 2, 1), params["merge"]["matrix"])
    x = blocks(params["coarse"], x)
    x = linear(folded(norm(x, params["columns"]["norm"]), 4, 1), params["columns"]["matrix"])
    x = blocks(params["wide"], x)
    out = read_out(params["out"], x)
    return out.reshape(out.shape[0], -1, SYMBOLS)


def likeliest(params: Tree, x_BHWC: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The likeliest symbol of each step, int32 [B, T], and how likely it is, float32 [B, T]."""
    logits = chances(params, x_BHWC)
    best = logits.max(-1)
    return logits.argmax(-1).astype(jnp.int32), jnp.exp(best - jax.nn.logsumexp(logits, -1))


def encoded(text: str) -> np.ndarray:
    """Text of the alphabet as symbols, int32 [N]."""
    return np.array([ALPHABET.index(c) + 1 for c in text], np.int32)


def decoded(symbols_T: np.ndarray) -> tuple[str, np.ndarray]:
    """The text of one line's likeliest symbols, repeats and blanks left out, and the step that each character begins at."""
    begins = np.flatnonzero((symbols_T != 0) & (symbols_T != np.concatenate([[0], symbols_T[:-1]])))
    return "".join(ALPHABET[symbols_T[i] - 1] for i in begins), begins
