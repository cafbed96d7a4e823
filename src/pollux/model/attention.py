"""The only attention: local or retrieval is an argument.

A layer meets up to three runs of keys: `Past` (a tail of what was read just before, or the turn so far), its own tokens, and,
for a retrieval layer that is asked something, a whole `Context` of any length.

Axis letters: B batch, T tokens, M tokens that look, P past tokens, S context tokens, W model width, H heads, K key-value heads,
D head size, V vocabulary, N folded batch.
"""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import jax
import jax.numpy as jnp

from pollux.kernels.attention import Partial, Sight, attend, banded, dense, fold_keys, fold_queries, merge, sees, unfold_queries
from pollux.kernels.products import linear
from pollux.kernels.retrieval import Found, retrieve
from pollux.model.layers import causal_conv, look_ahead, rms_norm, rotary, settled
from pollux.model.sizes import LOCAL, LayerSpec, ModelConfig
from pollux.tokens.vocabulary import SPECIAL

# Added to what a gate is computed from: at the start of training keys look about thirteen tokens ahead.
OPEN = 2.5


class Past(NamedTuple):
    """What a layer keeps of the tokens just before: keys (not yet rotated, nor looking ahead) and values [B, P, K, D], what earlier
    keys are told of each token, ``ahead`` [B, P, K, D] (D = 0 where keys do not look ahead) and how far, ``gate`` float32 [B, P],
    their index in the stream [B, P] (-1: empty), and the last inputs of the convolution [B, taps - 1, W]."""

    key: jax.Array
    value: jax.Array
    ahead: jax.Array
    gate: jax.Array
    token: jax.Array
    index: jax.Array
    conv: jax.Array


class Context(NamedTuple):
    """Everything that was read, as a retrieval layer keeps it: keys (as in `Seen`) and values [K, S, D] of which the first
    ``length`` count, and the tokens [S]."""

    key: jax.Array
    value: jax.Array
    token: jax.Array
    length: jax.Array


class Seen(NamedTuple):
    """What an attention layer hands back besides its output.

    query: the queries [B, M, H, D], scaled (as wide as the keys). past: the past, and the new tokens behind it, P + T in all.
    key, sight: the keys of these as queries met them [B, P + T, K, D], those that look ahead [B, P + T, K, 2D]: the token, then
        what follows it; and from which token on each is seen.
    found: what retrieval found, None without a context.
    """

    query: jax.Array
    past: Past
    key: jax.Array
    sight: Sight
    found: Found | None


def empty_past(config: ModelConfig, layer: LayerSpec, batch: int, length: int) -> Past:
    shape = (batch, length, config.kv_heads)
    depth = config.head_dim if _looks_ahead(layer, config) else 0
    blank = lambda size: jnp.zeros((*shape, size), jnp.bfloat16)  # noqa: E731
    conv = jnp.zeros((batch, max(config.conv - 1, 0), config.width), jnp.float32)
    gate, token, index = jnp.zeros(shape[:2], jnp.float32), jnp.zeros(shape[:2], jnp.int32), jnp.full(shape[:2], -1)
    return Past(blank(config.head_dim), blank(config.head_dim), blank(depth), gate, token, index, conv)


def key_size(layer: LayerSpec, config: ModelConfig) -> int:
    """Numbers per head of a key as queries meet it."""
    return config.head_dim * (2 if _looks_ahead(layer, config) else 1)


def _looks_ahead(layer: LayerSpec, config: ModelConfig) -> bool:
    return bool(config.ahead) and layer.reach != LOCAL


def attention(
    x_BTW: jax.Array,
    w: dict,
    layer: LayerSpec,
    config: ModelConfig,
    sight: Sight,
    tokens_BT: jax.Array,
    past: Past,
    context: Context | None = None,
    where_BM: jax.Array | None = None,
    copied_VW: jax.Array | None = None,
) -> tuple[jax.Array, Seen]:
    """Attention over past, own tokens and context: float32 [B, M, W], and what to remember.

    Keys, what follows them (apart from these) and queries are RMS-normalised, with a learned temperature per head. Retrieval
    layers multiply it by log(n + 2) / 4, n being the number of tokens read so far: the softmax then stays as sharp among ten
    million keys as among ten (scalable softmax, arXiv 2501.19399).

    Args:
        tokens_BT: No key looks ahead beyond one that is the template's own.
        where_BM: The tokens that look, by their place in the row; None for all of them (M = T).
        copied_VW: Embeddings of tokens. Where given, each head also hands on those of the tokens that it looks at, as they are,
            times a gate of its own: what is found can be repeated to the letter, however rare its words, where values of D
            numbers would blur them (as pointer networks do, arXiv 1704.04368, but before the softmax over words and not after).
    """
    conv_rows = jnp.concatenate([past.conv, x_BTW], axis=1)
    if config.conv:
        x_BTW = causal_conv(x_BTW, past.conv, _same_document(sight, past, config.conv), w["conv"])
    asks = ["query"] + (["copy"] if copied_VW is not None else [])
    keeps = ["key", "value"] + (["ahead", "gate"] if _looks_ahead(layer, config) else [])
    # one product where it can be: key and value of one head are too narrow to be fast alone
    groups = [(x_BTW, asks + keeps)] if where_BM is None else [(at(x_BTW, where_BM), asks), (x_BTW, keeps)]
    columns = {name: column for x, names in groups for name, column in _project(x, w, names).items()}
    own = Past(*_kept(columns, tokens_BT, config), tokens_BT, sight.index, conv_rows)
    q = columns["query"].reshape(*columns["query"].shape[:2], config.heads, -1)
    q = rms_norm(q) * (w["temperature"][:, None] * q.shape[-1] ** -0.5)
    far = layer.reach != LOCAL
    if far:
        q *= (jnp.log(at(_read_so_far(sight, past, context), where_BM) + 2.0) / 4.0)[:, :, None, None]
    looking = Sight(*(at(x, where_BM) for x in sight))
    key_sight = Sight(*(jnp.concatenate(pair, axis=1) for pair in zip(_past_sight(past), sight, strict=True)))
    softmax = _everyone if where_BM is None else _some
    part, seen = _near(q, _join(past, own), looking, key_sight, layer, config, copied_VW, softmax)
    if context is not None and far:
        part, found = _with_context(q, part, context, config, copied_VW)
        seen = seen._replace(found=found)
    heads_BMHD = unfold_queries(part.out, *q.shape[:2])
    out = linear(heads_BMHD[..., : config.head_dim].reshape(*q.shape[:2], -1), w["out"])
    if copied_VW is not None:
        out += jnp.einsum("bmh,bmhw->bmw", jax.nn.softplus(columns["copy"]), heads_BMHD[..., config.head_dim :])
    return out, seen


def at(x_BT: jax.Array, where_BM: jax.Array | None) -> jax.Array:
    """What stands [B, T, ...] at some places of each row: [B, M, ...]; all of it for None."""
    if where_BM is None:
        return x_BT
    return jnp.take_along_axis(x_BT, where_BM.reshape(*where_BM.shape, *[1] * (x_BT.ndim - 2)), axis=1)


def _project(x: jax.Array, w: dict, names: list[str]) -> dict[str, jax.Array]:
    """x times each of the named weights, by name."""
    wide = linear(x, jnp.concatenate([w[name] for name in names], axis=-1))
    stops = list(accumulate(w[name].shape[-1] for name in names))
    return dict(zip(names, jnp.split(wide, stops[:-1], axis=-1), strict=True))


def _heads(x: jax.Array, config: ModelConfig) -> jax.Array:
    return x.reshape(*x.shape[:2], -1, config.head_dim)


def _kept(columns: dict, tokens_BT: jax.Array, config: ModelConfig) -> tuple[jax.Array, ...]:
    """Of new tokens: keys, values, what they tell the keys before them, and how much they let through to these of what follows:
    nothing, where they close."""
    key, value = rms_norm(_heads(columns["key"], config)), _heads(columns["value"], config)
    if "ahead" not in columns:
        return key, value, value[..., :0], jnp.zeros(tokens_BT.shape)
    gate = jax.nn.sigmoid(columns["gate"][..., 0] + OPEN)
    return key, value, _heads(columns["ahead"], config), jnp.where(tokens_BT < SPECIAL, 0.0, gate)


def _past_sight(past: Past) -> Sight:
    """A past is all of the document that the first new token stands in."""
    return Sight(past.index, jnp.where(past.index < 0, -1, 0))


def _join(past: Past, own: Past) -> Past:
    """The past, and new tokens behind it. ``own.conv`` holds the past's already."""
    joined = (jnp.concatenate([a, b.astype(a.dtype)], axis=1) for a, b in zip(past[:-1], own[:-1], strict=True))
    return Past(*joined, own.conv)


def _near(q_BMHD, past: Past, looking: Sight, sight: Sight, layer: LayerSpec, config: ModelConfig, copied_VW, softmax):
    """Attention over the past and the tokens themselves, of which some, or all, look: Partial and Seen."""
    key, value, window = past.key, past.value, None
    if layer.reach == LOCAL:
        window, origin = layer.window, looking.index[:, :1]
        # counted from the first query, so that angles stay exact in float32 ten million tokens into a stream
        q = rotary(q_BMHD, looking.index - origin, config.rotary_base)
        near = rotary(key, past.index - origin, config.rotary_base)
    else:
        if config.ahead:
            key = jnp.concatenate([key, look_ahead(past.ahead, past.gate, config.ahead).astype(key.dtype)], axis=-1)
            sight = sight._replace(index=settled(past.index, past.gate, config.ahead))
        q, near, value = q_BMHD, key, _with_tokens(value, past.token[:, :, None], copied_VW)
    part = softmax(fold_queries(q, config.kv_heads), fold_keys(near), fold_keys(value), looking, sight, window)
    return part, Seen(q_BMHD, past, key, sight, None)


def _everyone(q_NMD, k_NSD, v_NSD, looking: Sight, sight: Sight, window: int | None) -> Partial:
    """All new tokens look, the last of the keys: in the banded form where it applies."""
    count, size = looking.index.shape[1], sight.index.shape[1]
    if window and size - count == window and count % window == 0:
        return banded(q_NMD, k_NSD, v_NSD, looking, sight, window)
    return dense(q_NMD, k_NSD, v_NSD, looking, sight, window)


def _some(q_NMD, k_NSD, v_NSD, looking: Sight, sight: Sight, window: int | None) -> Partial:
    """A few tokens look, from anywhere in the row."""
    seen = sees(looking, sight, window)
    return attend(q_NMD, k_NSD, v_NSD, jnp.repeat(seen, q_NMD.shape[0] // seen.shape[0], axis=0))


def _with_tokens(value: jax.Array, token: jax.Array, copied_VW: jax.Array | None) -> jax.Array:
    """Values [..., D], and behind each its token's embedding [..., D + W] where tokens are copied."""
    if copied_VW is None:
        return value
    copied = copied_VW[token].astype(value.dtype) * copied_VW.shape[1] ** 0.5
    return jnp.concatenate([value, jnp.broadcast_to(copied, (*value.shape[:-1], copied.shape[-1]))], axis=-1)


def _with_context(q, part: Partial, context: Context, config: ModelConfig, copied_VW) -> tuple[Partial, Found]:
    """Add what retrieval finds in the context to attention over the turn."""
    rows = fold_queries(q, config.kv_heads)
    batch, kv = q.shape[0], context.key.shape[0]
    gather = lambda y: y.reshape(batch, kv, -1, *y.shape[2:]).swapaxes(0, 1).reshape(kv, -1, *y.shape[2:])  # noqa: E731
    spread = lambda y: y.reshape(kv, batch, -1, *y.shape[2:]).swapaxes(0, 1).reshape(batch * kv, -1, *y.shape[2:])  # noqa: E731
    value = lambda head, at: _with_tokens(context.value[head, at], context.token[at], copied_VW)  # noqa: E731
    far, found = retrieve(gather(rows), context.key, value, context.length, config.chunk, config.selected)
    far = Partial(spread(far.out), spread(far.lse))
    both = merge(part, far)
    # found's weights are shares of the context's softmax; make them shares of the whole
    share = jnp.exp(far.lse - both.lse)
    return both, Found(spread(found.index), spread(found.weight) * share[..., None])


def _read_so_far(sight: Sight, past: Past, context: Context | None) -> jax.Array:
    """How many tokens each token has before it, and itself: float32 [B, T]."""
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
