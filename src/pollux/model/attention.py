"""The only attention: local or retrieval is an argument.

A layer meets up to three runs of keys: `Past` (a tail of what was read just before, or the turn so far), its own tokens, and,
for a retrieval layer that is asked something, a whole `Context` of any length.

Axis letters: B batch, T tokens, M tokens that look, P past tokens, S all keys at hand, W model width, H heads, K key-value heads,
D head size (of a query: as wide as the keys); folded as in `kernels.attention`: N batch, R rows.
"""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from pollux.kernels.attention import (
    Partial,
    Sight,
    Window,
    attend,
    banded,
    dense,
    fold_keys,
    fold_queries,
    merge,
    sees,
    unfold_queries,
)
from pollux.kernels.products import linear
from pollux.kernels.retrieval import EVIDENCE, Found, Keys, retrieve
from pollux.model.ahead import look_ahead, settled, stretches
from pollux.model.cache import Context, Past, join, joined_sight, looks_ahead
from pollux.model.layers import causal_conv, pick, rms_norm, rotary
from pollux.model.recency import with_age, with_slope
from pollux.model.sizes import LOCAL, LayerSpec, ModelConfig
from pollux.tokens.vocabulary import USER


class Row(NamedTuple):
    """The new tokens that a pass is about.

    token: int32 [B, T]. sight: the index and the document of each.
    where: int32 [B, M], places in the row of those that look; None when all do (M = T).
    window: How many tokens back retrieval layers look, all of them or each token; None for all that are at hand.
    age: Of whole lessons, `recency.ages` [B, T].
    """

    token: jax.Array
    sight: Sight
    where: jax.Array | None = None
    window: Window = None
    age: jax.Array | None = None

    @property
    def looking(self) -> Sight:
        """Where those stand that look [B, M]."""
        return Sight(*(pick(x, self.where) for x in self.sight))


class Seen(NamedTuple):
    """What an attention layer hands back besides its output.

    query: [B, M, H, D], scaled; looking: where these stand [B, M].
    past: the past, and the new tokens behind it, P + T in all. key: the keys of these as queries met them [B, P + T, K, D].
    sight: the index from which on each key is seen, and its document [B, P + T].
    lse: log-sum-exp of each head's scores over all that it saw [B, M, H].
    found: what retrieval found, None without a context.
    """

    query: jax.Array
    looking: Sight
    past: Past
    key: jax.Array
    sight: Sight
    lse: jax.Array
    found: Found | None = None


def attention(
    x_BTW: jax.Array,
    w: dict,
    layer: LayerSpec,
    config: ModelConfig,
    row: Row,
    past: Past,
    context: Context | None = None,
    *,
    copies: bool = False,
) -> tuple[jax.Array, Seen]:
    """Attention over past, own tokens and context: float32 [B, M, W], and what to remember.

    Keys, what follows them (apart from these) and queries are RMS-normalised, with a learned temperature per head. Retrieval
    layers multiply it by log(n + 2) / 4, n being the number of tokens at hand: the softmax then stays as sharp among ten
    million keys as among ten (scalable softmax, arXiv 2501.19399).

    Args:
        copies: Whether all places that retrieval looks at are wanted, and not just the best, for copying from (`model.copying`).
    """
    conv_rows = jnp.concatenate([past.conv, x_BTW], axis=1)
    if config.conv:
        x_BTW = causal_conv(x_BTW, past.conv, _same_document(row.sight, config.conv), w["conv"])
    far = layer.reach != LOCAL
    asking = "recency" in w and (row.age is not None or context is not None)
    columns = _columns(x_BTW, w, row.where, ("query", "recency") if asking else ("query",))
    own = Past(*_kept(columns, layer, config), row.token, row.sight.index, conv_rows)
    q = columns["query"].reshape(*columns["query"].shape[:2], config.heads, -1)
    q = rms_norm(q) * (w["temperature"][:, None] * q.shape[-1] ** -0.5)
    if far:
        q *= (jnp.log(pick(_at_hand(row, past, context), row.where) + 2.0) / 4.0)[:, :, None, None]
    past, sight = join(past, own), joined_sight(past, row.sight)
    key = past.key
    if looks_ahead(layer, config):
        past, key, sight = _with_what_follows(past, sight, row.token.shape[1], w["ahead_temperature"], config)
    if asking and row.age is not None:
        q, key = with_slope(q, columns["recency"], pick(row.age, row.where)), with_age(key, row.age)
    part, found = _near(q, row, past.value, key, sight, layer, config), None
    if context is not None and far:
        part, found = _with_context(q, columns.get("recency"), part, context, layer, config, places=None if copies else EVIDENCE)
    out, lse = (unfold_queries(x, *q.shape[:2]) for x in (part.out, part.lse[..., None]))
    seen = Seen(q, row.looking, past, key, sight, lse[..., 0], found)
    return linear(out.reshape(*q.shape[:2], -1), w["out"]), seen


def _columns(x_BTW: jax.Array, w: dict, where_BM: jax.Array | None, looks: tuple[str, ...]) -> dict[str, jax.Array]:
    """x times each of the layer's matrices, by name: those that ``looks`` names [B, M, .], for the tokens that look, the others
    [B, T, .]."""
    keeps = tuple(name for name in ("key", "value", "ahead") if name in w)
    if where_BM is None:  # one product for all: key and value of one head are too narrow to be fast alone
        return _project(x_BTW, w, (*looks, *keeps))
    return _project(pick(x_BTW, where_BM), w, looks) | _project(x_BTW, w, keeps)


def _project(x: jax.Array, w: dict, names: tuple[str, ...]) -> dict[str, jax.Array]:
    wide = linear(x, jnp.concatenate([w[name] for name in names], axis=-1))
    stops = list(accumulate(w[name].shape[-1] for name in names))
    return dict(zip(names, jnp.split(wide, stops[:-1], axis=-1), strict=True))


def _kept(columns: dict, layer: LayerSpec, config: ModelConfig) -> tuple[jax.Array, ...]:
    """Of new tokens: key, value, ahead and follows, as in `Past`; nothing is known of the last yet."""
    split = lambda x, size: x.reshape(*x.shape[:2], config.kv_heads_of(layer), size)  # noqa: E731
    key, value = (split(columns[name], config.head_dim) for name in ("key", "value"))
    ahead = split(columns["ahead"], 3 * config.follows) if "ahead" in columns else value[..., :0]
    return rms_norm(key), value, ahead, jnp.zeros_like(ahead[..., : ahead.shape[-1] // 3])


def _with_what_follows(
    past: Past, sight: Sight, new: int, temperature: jax.Array, config: ModelConfig
) -> tuple[Past, jax.Array, Sight]:
    """The past, of whose tokens the last ``new`` are new, with what follows them; keys [B, S, K, D + A] that hold it, and from
    where on they are seen. Those which do not see as far as the new tokens stay as they are."""
    stretch = stretches(past.token, sight)
    old = max(past.token.shape[1] - new - config.ahead, 0)
    changed = Sight(sight.index[:, old:], stretch[:, old:])
    follows = look_ahead(past.ahead[:, old:], changed, temperature, config.ahead, config.rotary_base)
    past = past._replace(follows=jnp.concatenate([past.follows[:, :old], follows.astype(past.key.dtype)], axis=1))
    key = jnp.concatenate([past.key, past.follows], axis=-1)
    return past, key, sight._replace(index=settled(sight.index, stretch, config.ahead))


def _near(q, row: Row, value, key, sight: Sight, layer: LayerSpec, config: ModelConfig) -> Partial:
    """Attention over the past and the tokens themselves, of which all look, or some."""
    looking, window = row.looking, layer.window if layer.reach == LOCAL else row.window
    if layer.reach == LOCAL:
        # counted in the row, where a document's tokens stand side by side: exact in float32 ten million tokens into a stream
        new, past = row.token.shape[1], key.shape[1] - row.token.shape[1]
        places = np.arange(new)[None] if row.where is None else row.where
        q = rotary(q, places, config.rotary_base)
        key = rotary(key, np.arange(-past, new)[None], config.rotary_base)
    softmax = _everyone if row.where is None else _some
    return softmax(fold_queries(q, config.kv_heads_of(layer)), fold_keys(key), fold_keys(value), looking, sight, window)


def _everyone(q_NRD, k_NSD, v_NSD, looking: Sight, sight: Sight, window: Window) -> Partial:
    """All new tokens look, the last of the keys: in the banded form where it applies."""
    count = looking.index.shape[1]
    past = sight.index.shape[1] - count
    if isinstance(window, int) and 0 < window <= past and count % past == 0:
        return banded(q_NRD, k_NSD, v_NSD, looking, sight, window)
    return dense(q_NRD, k_NSD, v_NSD, looking, sight, window)


def _some(q_NRD, k_NSD, v_NSD, looking: Sight, sight: Sight, window: Window) -> Partial:
    """A few tokens look, from anywhere in the row."""
    seen = sees(looking, sight, window)
    return attend(q_NRD, k_NSD, v_NSD, jnp.repeat(seen, q_NRD.shape[0] // seen.shape[0], axis=0))


def _with_context(
    q, slope, part: Partial, context: Context, layer: LayerSpec, config: ModelConfig, places: int | None
) -> tuple[Partial, Found]:
    """Add what retrieval finds in the context to attention over the turn. All of the context's keys are settled: a turn begins
    with a token that closes."""
    rows = fold_queries(q, config.kv_heads_of(layer))
    batch, kv = q.shape[0], context.key.code.shape[0]
    gather = lambda y: y.reshape(batch, kv, -1, *y.shape[2:]).swapaxes(0, 1).reshape(kv, -1, *y.shape[2:])  # noqa: E731
    spread = lambda y: y.reshape(kv, batch, -1, *y.shape[2:]).swapaxes(0, 1).reshape(batch * kv, -1, *y.shape[2:])  # noqa: E731
    keys = Keys(context.key, context.signs.reshape(kv, -1, context.signs.shape[-1]))
    slopes = None if slope is None else gather(fold_queries(slope[..., None], config.kv_heads_of(layer)))[..., 0]
    far, found = retrieve(gather(rows), keys, context.values, context.length, config.chunk, config.selected, places, slopes)
    far = Partial(spread(far.out), spread(far.lse))
    both = merge(part, far)
    # found's weights are shares of the context's softmax; make them shares of the whole
    share = jnp.exp(far.lse - both.lse)
    return both, Found(spread(found.index), spread(found.weight) * share[..., None])


def _at_hand(row: Row, past: Past, context: Context | None) -> jax.Array:
    """How many tokens of its document each token has at hand, itself among them: float32 [B, T]."""
    place = jnp.arange(row.token.shape[1])
    before = jnp.sum(past.index >= 0, axis=1, keepdims=True) * (row.sight.segment == 0)
    far = 0 if context is None else context.length
    count = place - first_of(row.sight) + 1 + before + far
    return (count if row.window is None else jnp.minimum(count, row.window)).astype(jnp.float32)


def windows(token_BT: jax.Array, sight: Sight, window: int) -> jax.Array:
    """How many tokens back each of the tokens of whole lessons looks, int32 [B, T]: those of a text as far as when it is read
    (`ModelConfig.look_back`), those of questions and answers behind it over everything."""
    place = jnp.arange(token_BT.shape[1])
    asked = jax.lax.cummax(jnp.where(token_BT == USER, place, -1), axis=1)
    return jnp.where(asked >= first_of(sight), token_BT.shape[1], window)


def first_of(sight: Sight) -> jax.Array:
    """Where the document of each token begins in its row, int32 [B, T]."""
    start = jnp.concatenate([jnp.ones_like(sight.segment[:, :1], bool), sight.segment[:, 1:] != sight.segment[:, :-1]], axis=1)
    return jax.lax.cummax(jnp.where(start, jnp.arange(sight.index.shape[1]), 0), axis=1)


def _same_document(sight: Sight, taps: int) -> jax.Array:
    """float32 [B, T, taps]: whether the token c steps back stands in the same document."""
    batch, length = sight.segment.shape
    before = jnp.zeros((batch, taps - 1), sight.segment.dtype)
    segment = jnp.concatenate([before, sight.segment], axis=1)
    columns = [segment[:, taps - 1 - c : taps - 1 - c + length] == sight.segment for c in range(taps)]
    return jnp.stack(columns, axis=-1).astype(jnp.float32)
