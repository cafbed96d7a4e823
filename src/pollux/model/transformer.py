"""The decoder: its weight table and its forward pass. Training, reading and answering all go through `forward`.

    tokens -> embedding -> layers (attention, feed-forward) -> norm -> hidden; `logits` = hidden times the embedding

Axis letters: B batch, T tokens, M tokens whose hidden state is wanted, W width, V vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from pollux.base.mesh import constrain
from pollux.base.weights import Tree, Weight
from pollux.kernels.attention import Sight, Window
from pollux.kernels.products import linear
from pollux.model.attention import Row, Seen, attention
from pollux.model.cache import Context, Past, empty_past, key_size, looks_ahead
from pollux.model.copying import log_probabilities
from pollux.model.experts import Load, mixture
from pollux.model.layers import address, feed_forward, pick, rms_norm
from pollux.model.sizes import LOCAL, LayerSpec, ModelConfig


def weight_table(config: ModelConfig) -> Tree:
    """One row per weight of the model."""
    layers = {str(i): _layer_rows(config, layer) for i, layer in enumerate(config.layers)}
    rows = {
        "embedding": Weight((config.vocab_size + config.codes, config.width), ("vocabulary", "width"), scale=config.width**-0.5),
        "layers": layers,
        "norm": Weight((config.width,), (None,), "ones"),
    }
    if config.addresses:
        rows["address"] = Weight((2 * config.addresses, config.width), (None, "width"), scale=0.03)
    if config.copies:
        rows["copy"] = Weight((config.width, 1 + config.heads), ("width", None), scale=config.width**-0.5)
    return rows


def _layer_rows(config: ModelConfig, layer: LayerSpec) -> Tree:
    width, depth = config.width, len(config.layers)
    inner, kv_heads = config.heads * config.head_dim, config.kv_heads_of(layer)
    kv = kv_heads * config.head_dim
    into, back = width**-0.5, (2 * depth * inner) ** -0.5
    attention = {
        "norm": Weight((width,), (None,), "ones"),
        "query": Weight((width, config.heads * key_size(layer, config)), ("width", "heads"), scale=into, matrix=True),
        "key": Weight((width, kv), ("width", "kv_heads"), scale=into, matrix=True),
        "value": Weight((width, kv), ("width", "kv_heads"), scale=into, matrix=True),
        "out": Weight((inner, width), ("heads", "width"), scale=back, matrix=True),
        "temperature": Weight((config.heads,), (None,), "ones"),
    }
    if config.recency and layer.reach != LOCAL:
        attention["recency"] = Weight((width, config.heads), ("width", "heads"), "zeros")
    if config.conv:
        attention["conv"] = Weight((config.conv, width), (None, None), "first")
    if looks_ahead(layer, config):
        attention["ahead"] = Weight((width, 3 * kv_heads * config.follows), ("width", "kv_heads"), scale=into, matrix=True)
        attention["ahead_temperature"] = Weight((kv_heads * config.ahead_heads,), (None,), "ones")
    return {"attention": attention, "feed_forward": _feed_forward_rows(width, depth, layer)}


def _feed_forward_rows(width: int, depth: int, layer: LayerSpec) -> Tree:
    def gated(hidden: int, lead: tuple[int, ...] = (), axes: tuple[str, ...] = ()) -> Tree:
        into, back = width**-0.5, (2 * depth * hidden) ** -0.5
        return {
            "gate": Weight((*lead, width, hidden), (*axes, "width", "hidden"), scale=into, matrix=True),
            "up": Weight((*lead, width, hidden), (*axes, "width", "hidden"), scale=into, matrix=True),
            "down": Weight((*lead, hidden, width), (*axes, "hidden", "width"), scale=back, matrix=True),
        }

    norm = {"norm": Weight((width,), (None,), "ones")}
    if not layer.experts:
        return norm | gated(layer.hidden)
    rows = norm | gated(layer.hidden, (layer.experts,), ("experts",))
    rows["router"] = Weight((width, layer.experts), (None, None), scale=width**-0.5)
    rows["bias"] = Weight((layer.experts,), (None,), "zeros", trained=False)
    if layer.shared:
        rows["shared"] = gated(layer.hidden * layer.shared)
    return rows


class Output(NamedTuple):
    """hidden float32 [B, M, W] after the last norm; per layer what attention saw, and the routers' loads."""

    hidden: jax.Array
    seen: tuple[Seen, ...]
    loads: tuple[Load | None, ...]


def no_past(config: ModelConfig, batch: int) -> list[Past]:
    """The start of a stream: local layers get one window of empty keys, so that the banded form applies to them."""
    return [empty_past(config, layer, batch, layer.window if layer.reach == LOCAL else 0) for layer in config.layers]


def forward(
    params: Tree,
    config: ModelConfig,
    tokens_BT: jax.Array,
    sight: Sight,
    past: list[Past] | None = None,
    context: list[Context | None] | None = None,
    where_BM: jax.Array | None = None,
    window: Window = None,
    age_BT: jax.Array | None = None,
) -> Output:
    """One pass over T tokens.

    Args:
        sight: Index and document of every token; documents packed into one row do not see each other.
        past: What each layer keeps of the tokens before, None at the start of a stream.
        context: For retrieval layers, a whole read context to retrieve from.
        where_BM: The tokens, by their place in the row, whose hidden state is wanted; None for all (M = T). The last layer works
            for these alone, and merely keeps keys and values of the others.
        window: How many tokens back retrieval layers look, all of them or each token [B, T]; None for all at hand. The last layer,
            from which what comes next is said, always looks over all at hand.
        age_BT: Of whole lessons, how long before they are asked about tokens stand (`recency.ages`).
    """
    past = past or no_past(config, tokens_BT.shape[0])
    context = context or [None] * len(config.layers)
    x = constrain(params["embedding"][tokens_BT], ("batch", "sequence", None))
    x = x.astype(jnp.float32) * config.width**0.5  # released embeddings are bf16
    if config.addresses:
        x += linear(address(sight.index, config.addresses), params["address"])
    seen, loads = [], []
    for i, layer in enumerate(config.layers):
        last = i + 1 == len(config.layers)
        row = Row(tokens_BT, sight, where_BM, None, age_BT) if last else Row(tokens_BT, sight, None, window, age_BT)
        copies = last and config.copies
        x, layer_seen, load = _block(x, params["layers"][str(i)], layer, config, row, past[i], context[i], copies)
        x = constrain(x, ("batch", "sequence", None))
        seen.append(layer_seen)
        loads.append(load)
    return Output(rms_norm(x, params["norm"]), tuple(seen), tuple(loads))


def _block(x, w: Tree, layer: LayerSpec, config: ModelConfig, row: Row, past: Past, context: Context | None, copies: bool):
    h = rms_norm(x, w["attention"]["norm"])
    a, seen = attention(h, w["attention"], layer, config, row, past, context, copies=copies)
    x = pick(x, row.where)
    source = x if layer.parallel else x + a
    h = rms_norm(source, w["feed_forward"]["norm"])
    if layer.experts:
        f, load = mixture(h, w["feed_forward"], layer, row.looking.segment >= 0)
    else:
        f, load = feed_forward(h, w["feed_forward"]), None
    return x + a + f, seen, load


def words(params: Tree, config: ModelConfig) -> jax.Array:
    """The embedding of what can be said, [V, W]: codes are only read."""
    return params["embedding"][: config.vocab_size]


def logits(params: Tree, config: ModelConfig, hidden: jax.Array) -> jax.Array:
    """The model's own words, float32 [..., V]: the tied embedding read backwards."""
    return linear(hidden, words(params, config).T)


def predict(params: Tree, config: ModelConfig, output: Output, context: list[Context | None] | None = None) -> jax.Array:
    """What comes next, own words or copied ones: float32 [B, M, V], whose softmax over V is its probability."""
    own = logits(params, config, output.hidden)
    if not config.copies:
        return own
    return log_probabilities(params, own, output.hidden, output.seen[-1], context[-1] if context else None)
