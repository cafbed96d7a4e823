"""An autoencoder with discrete latent variables: weights as a table, encoder, decoder, and log p(x, z) - log q(z | x).

Axis letters: N draws; B pictures of a batch; P pixels; D latent variables; C categories. z and its logits are [..., D] for bits and
[..., D, C], one-hot, for categories.
"""

from __future__ import annotations

import math
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np

from pollux.base.weights import Tree, Weight, initial
from pollux.train.vae.experiment import Shape

_LEAK = 0.3
# A pixel that is never, or always, set in training may be in another picture.
_RAREST = 1e-3


def weight_table(shape: Shape, pixels: int) -> Tree:
    """One row per weight; matrices begin as Glorot's."""
    widths = (pixels, *shape.hidden, shape.width)
    prior = {"logits": Weight(shape.code, (None,) * len(shape.code), init="zeros")}
    return {"encoder": _layers(widths), "decoder": _layers(widths[::-1]), "prior": prior}


def _layers(widths: tuple[int, ...]) -> Tree:
    return {
        str(i): {
            "matrix": Weight((fan_in, fan_out), (None, None), scale=math.sqrt(2 / (fan_in + fan_out))),
            "bias": Weight((fan_out,), (None,), init="zeros"),
        }
        for i, (fan_in, fan_out) in enumerate(pairwise(widths))
    }


def begin(shape: Shape, mean_P: np.ndarray, seed: int) -> Tree:
    """Starting weights. The decoder begins at the mean of the training pictures, float32 [P] in 0..1."""
    params = initial(weight_table(shape, mean_P.size), seed)
    kept = np.clip(mean_P, _RAREST, 1 - _RAREST)
    last = str(len(params["decoder"]) - 1)
    params["decoder"][last]["bias"] = jnp.asarray(np.log(kept) - np.log1p(-kept), jnp.float32)
    return params


def encode(params: Tree, shape: Shape, x_BP: jax.Array, mean_P: jax.Array) -> jax.Array:
    """Logits of q(z | x), float32 [B, D] or [B, D, C]."""
    return _through(params["encoder"], x_BP - mean_P).reshape(*x_BP.shape[:-1], *shape.code)


def log_weight(params: Tree, logits: jax.Array, x_BP: jax.Array, z: jax.Array) -> jax.Array:
    """log p(x, z) - log q(z | x) in nats, float32 [N, B], of draws z [N, B, ...]. Bits reach the decoder as -1 and 1."""
    categorical = logits.ndim == 3
    code = z.reshape(*z.shape[:2], -1) if categorical else 2 * z - 1
    pixels = _through(params["decoder"], code)
    log_p_x = (x_BP * pixels - jax.nn.softplus(pixels)).sum(-1)
    log_p = _log_categorical if categorical else _log_bernoulli
    return log_p_x + log_p(params["prior"]["logits"], z) - log_p(logits, z)


def _through(layers: Tree, x: jax.Array) -> jax.Array:
    for i in range(len(layers)):
        x = x if i == 0 else jax.nn.leaky_relu(x, _LEAK)
        x = x @ layers[str(i)]["matrix"] + layers[str(i)]["bias"]
    return x


def _log_bernoulli(logits: jax.Array, z: jax.Array) -> jax.Array:
    return (z * logits - jax.nn.softplus(logits)).sum(-1)


def _log_categorical(logits: jax.Array, z: jax.Array) -> jax.Array:
    return (z * jax.nn.log_softmax(logits)).sum((-1, -2))
