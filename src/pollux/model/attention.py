"""The only attention: local or retrieval is an argument.

A layer meets up to three runs of keys: `Past` (a tail of what was read just before, or the turn so far), its own tokens, and,
for a retrieval layer that is asked something, a whole `Context` of any length.

Axis letters: B batch, T tokens, P past tokens, S context tokens, W model width, H heads, K key-value heads, D head size.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from pollux.kernels.attention import Partial, Sight, banded, dense, fold_keys, fold_queries, merge, unfold_queries
from pollux.kernels.products import linear
from pollux.kernels.retrieval import Found, retrieve
from pollux.model.layers import causal_conv, rms_norm, rotary
from pollux.model.sizes import LOCAL, LayerSpec, ModelConfig


class Past(NamedTuple):
    """What a layer keeps of the tokens just before: keys (not yet rotated) and values [B, P, K, D], their index in the stream
    [B, P] (-1: empty), and the last inputs of the convolution [B, taps - 1, W]."""

    key: jax.Array
    value: jax.Array
    index: jax.Array
    conv: jax.Array


class Context(NamedTuple):
    """Everything that was read, as a retrieval layer keeps it: keys and values [K, S, D] of which the first ``length`` count."""

    key: jax.Array
    value: jax.Array
    length: jax.Array


class Seen(NamedTuple):
    """What an attention layer hands back besides its output: the new tokens' queries [B, T, H, D] (scaled), keys and values
    [B, T, K, D], the convolution's last inputs [B, T + taps - 1, W], and what retrieval found (None without a context)."""

    query: jax.Array
    key: jax.Array
    value: jax.Array
    conv: jax.Array
    found: Found | None


def empty_past(config: ModelConfig, batch: int, length: int) -> Past:
    shape = (batch, length, config.kv_heads, config.head_dim)
    conv = jnp.zeros((batch, max(config.conv - 1, 0), config.width), jnp.float32)
    return Past(jnp.zeros(shape, jnp.bfloat16), jnp.zeros(shape, jnp.bfloat16), jnp.full((batch, length), -1), conv)


def attention(
    x_BTW: jax.Array, w: dict, layer: LayerSpec, config: ModelConfig, sight: Sight, past: Past, context: Context | None = None
) -> tuple[jax.Array, Seen]:
    """Attention over past, own tokens and context: float32 [B, T, W], and what to remember.

    Keys and queries are RMS-normalised, with a learned temperature per head. Retrieval layers multiply it by log(n + 2) / 4, n
    being the number of tokens that a query sees: the softmax then stays as sharp among ten million keys as among ten
    (scalable softmax, arXiv 2501.19399).
    """
    batch, length, _ = x_BTW.shape
    window = layer.window if layer.reach == LOCAL else None
    conv_rows = jnp.concatenate([past.conv, x_BTW], axis=1)
    if config.conv:
        x_BTW = causal_conv(x_BTW, past.conv, _same_document(sight, past, config.conv), w["conv"])
    split = lambda y, heads: y.reshape(batch, length, heads, config.head_dim)  # noqa: E731
    # one product for all three: key and value of one head are too narrow to be fast alone
    qkv = linear(x_BTW, jnp.concatenate([w["query"], w["key"], w["value"]], axis=-1))
    q, k, v = jnp.split(qkv, [config.heads * config.head_dim, (config.heads + config.kv_heads) * config.head_dim], axis=-1)
    q = rms_norm(split(q, config.heads)) * (w["temperature"][:, None] * config.head_dim**-0.5)
    k, v = rms_norm(split(k, config.kv_heads)), split(v, config.kv_heads)
    if not window:
        q *= (jnp.log(_visible(sight, past, context) + 2.0) / 4.0)[:, :, None, None]
    part = _own(q, k, v, sight, past, window, config.rotary_base)
    found = None
    if context is not None and not window:
        part, found = _with_context(q, part, context, config)
    out = unfold_queries(part.out, batch, length).reshape(batch, length, -1)
    return linear(out, w["out"]), Seen(q, k.astype(past.key.dtype), v.astype(past.value.dtype), conv_rows, found)


def _own(q, k, v, sight: Sight, past: Past, window: int | None, rotary_base: float) -> Partial:
    """Attention over the past and the tokens themselves."""
    join = lambda a, b: jnp.concatenate([a, b.astype(a.dtype)], axis=1)  # noqa: E731
    key = Sight(join(past.index, sight.index), join(jnp.where(past.index < 0, -1, 0), sight.segment))
    k, v = join(past.key, k), join(past.value, v)
    if window:
        # counted from the first query, so that angles stay exact in float32 ten million tokens into a stream
        origin = sight.index[:, :1]
        q, k = rotary(q, sight.index - origin, rotary_base), rotary(k, key.index - origin, rotary_base)
    k, v = fold_keys(k), fold_keys(v)
    rows = fold_queries(q, past.key.shape[2])
    if window and past.index.shape[1] == window and sight.index.shape[1] % window == 0:
        return banded(rows, k, v, sight, key, window)
    return dense(rows, k, v, sight, key, window)


def _with_context(q, part: Partial, context: Context, config: ModelConfig) -> tuple[Partial, Found]:
    """Add what retrieval finds in the context to attention over the turn."""
    rows = fold_queries(q, config.kv_heads)
    batch, kv = q.shape[0], context.key.shape[0]
    gather = lambda y: y.reshape(batch, kv, -1, *y.shape[2:]).swapaxes(0, 1).reshape(kv, -1, *y.shape[2:])  # noqa: E731
    spread = lambda y: y.reshape(kv, batch, -1, *y.shape[2:]).swapaxes(0, 1).reshape(batch * kv, -1, *y.shape[2:])  # noqa: E731
    far, found = retrieve(gather(rows), context.key, context.value, context.length, config.chunk, config.selected)
    far = Partial(spread(far.out), spread(far.lse))
    both = merge(part, far)
    # found's weights are shares of the context's softmax; make them shares of the whole
    share = jnp.exp(far.lse - both.lse)
    return both, Found(spread(found.index), spread(found.weight) * share[..., None])


def _visible(sight: Sight, past: Past, context: Context | None) -> jax.Array:
    """How many tokens each token sees, itself among them: float32 [B, T]."""
    start = jnp.concatenate([jnp.ones_like(sight.segment[:, :1], bool), sight.segment[:, 1:] != sight.segment[:, :-1]], axis=1)
    place = jnp.arange(sight.index.shape[1])
    first = jax.lax.cummax(jnp.where(start, place, 0), axis=1)
    before = jnp.sum(past.index >= 0, axis=1, keepdims=True) * (sight.segment == 0)
    far = 0 if context is None else context.length
    return (place - first + 1 + before + far).astype(jnp.float32)


def _same_document(sight: Sight, past: Past, taps: int) -> jax.Array:
    """float32 [B, T, taps]: whether the token c steps back stands in the same document."""
    batch, length = sight.segment.shape
    before = jnp.zeros((batch, taps - 1), sight.segment.dtype)
    segment = jnp.concatenate([before, sight.segment], axis=1)
    columns = [segment[:, taps - 1 - c : taps - 1 - c + length] == sight.segment for c in range(taps)]
    return jnp.stack(columns, axis=-1).astype(jnp.float32)
