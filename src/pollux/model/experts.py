"""Sparse mixture of experts: a router, the experts, and balance without an auxiliary loss.

Each token goes to the experts with the highest score plus bias; the score alone weighs their answers. After every step the bias
of overloaded experts falls and that of idle ones rises (loss-free balancing, arXiv 2408.15664), so that balance costs the
gradient nothing.

Axis letters: N tokens, D width, E experts, A active experts per token.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from pollux.kernels.experts import expert_feed_forward
from pollux.model.layers import feed_forward
from pollux.model.sizes import LayerSpec


class Load(NamedTuple):
    """What a router did with a batch: the share of assignments that each expert received (float32 [E], sums to 1)."""

    share: jax.Array


def route(x_ND: jax.Array, router_DE: jax.Array, bias_E: jax.Array, active: int) -> tuple[jax.Array, jax.Array]:
    """The experts of each token and their weights, which sum to 1: int32 [N, A], float32 [N, A].

    Scores are sigmoids in float32, so that one expert's score does not push another's down (arXiv 2412.19437, section 2.1.2).
    """
    score_NE = jax.nn.sigmoid(x_ND @ router_DE)
    _, expert_NA = jax.lax.top_k(jax.lax.stop_gradient(score_NE + bias_E), active)
    weight_NA = jnp.take_along_axis(score_NE, expert_NA, axis=1)
    return expert_NA, weight_NA / (weight_NA.sum(-1, keepdims=True) + 1e-9)


def mixture(x_BTD: jax.Array, w: dict, layer: LayerSpec, real_BT: jax.Array) -> tuple[jax.Array, Load]:
    """The feed-forward of a layer with experts. ``real_BT`` is False for padding, which is sent to no expert."""
    x_ND, real_N = x_BTD.reshape(-1, x_BTD.shape[-1]), real_BT.reshape(-1)
    expert_NA, weight_NA = route(x_ND, w["router"], w["bias"], layer.active)
    expert_NA = jnp.where(real_N[:, None], expert_NA, layer.experts)
    y_ND = expert_feed_forward(x_ND, expert_NA, weight_NA, w["gate"], w["up"], w["down"])
    if layer.shared:
        y_ND += feed_forward(x_ND, w["shared"])
    count_E = jnp.bincount(expert_NA.reshape(-1), length=layer.experts).astype(jnp.float32)
    return y_ND.reshape(x_BTD.shape), Load(count_E / jnp.maximum(count_E.sum(), 1.0))


def rebalance(bias_E: jax.Array, load: Load, rate: float = 0.001) -> jax.Array:
    """The bias after a step: up by ``rate`` for experts below the mean share, down for those above."""
    return bias_E + rate * jnp.sign(1.0 / load.share.size - load.share)
