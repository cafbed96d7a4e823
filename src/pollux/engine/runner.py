"""The jitted programs of the engine: read a chunk of a long input, and take a turn (a question's tokens, or the next token) on it.

Arrays in, arrays out; bookkeeping is `engine.py`'s.

Axis letters: B questions at once, T tokens, M tokens that look, P past tokens, K key-value heads, G query heads of each, H query
heads in all, D head size, E evidence places, L retrieval layers, V vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from pollux.base.programs import Program
from pollux.base.weights import Tree
from pollux.engine.contexts.context import ReadContext
from pollux.engine.contexts.store import Store, capacity
from pollux.kernels.attention import Sight, unfold_queries
from pollux.kernels.coded import Coded, encode
from pollux.kernels.retrieval import EVIDENCE
from pollux.kernels.signs import signs
from pollux.model.attention import Seen
from pollux.model.cache import Context, Past, empty_past, store_sizes
from pollux.model.layers import pick
from pollux.model.sizes import LOCAL, ModelConfig
from pollux.model.transformer import forward, predict


class Turn(NamedTuple):
    """A conversation's own part, on top of a shared context, for B questions at once.

    past: per layer, ending with the newest token; retrieval layers hold the turn's tokens, local layers the last window.
    filled: int32 [B], how many tokens of the turn each row holds. start: int32, tokens of the context.
    """

    past: list[Past]
    filled: jax.Array
    start: jax.Array


class Step(NamedTuple):
    """What a step gives: logits float32 [B, V] after each row's last token, and for each retrieval layer and head where it looked:
    index int32 and weight float32 [B, L, H, E]."""

    logits: jax.Array
    index: jax.Array
    weight: jax.Array


class Runner:
    """A model's weights and its programs. Not safe for use from several threads at once."""

    def __init__(self, params: Tree, config: ModelConfig, weights: str) -> None:
        self.config, self.weights = config, weights
        self.params = jax.tree.map(jnp.asarray, params)
        self.retrieval = [i for i, layer in enumerate(config.layers) if layer.reach != LOCAL]
        self._read = Program(_read, config=config)
        self._turn = Program(_turn, donate=(1,), config=config)

    @property
    def chunk(self) -> int:
        """Tokens that are read at once."""
        return self.config.reading_chunk

    def empty(self) -> ReadContext:
        """A context in which nothing has been read."""
        config = self.config
        tails = {}
        for i, layer in enumerate(config.layers):
            length = layer.window if layer.reach == LOCAL else config.reading_window
            tails |= {f"{i}.{name}": x for name, x in empty_past(config, layer, 1, length, np)._asdict().items()}
        stores = {i: Store.empty(*store_sizes(config.layers[i], config)) for i in self.retrieval}
        return ReadContext(self.weights, stores, tails)

    def read(self, context: ReadContext, at: int, ids: np.ndarray, since: int = 0, until: int | None = None) -> None:
        """Read at most one chunk of tokens whose first has index ``at``; the context's stores and tails change in place.

        The last keys before ``at`` look ahead into the chunk, and are written anew. Behind the end of a stream they stay as they
        were, since whatever comes next begins with a token of the template, which closes.

        Args:
            since, until: Keys and values of indices outside these bounds are not written.
        """
        count, size = ids.size, self.chunk
        tokens = np.zeros((1, size), np.int32)
        tokens[0, :count] = ids
        past, keys = self._read(self.params, tokens, np.int32(at), np.int32(count), self.tails(context))
        for i, layer_past in enumerate(past):
            context.tails |= {f"{i}.{name}": np.asarray(x) for name, x in layer_past._asdict().items()}
        first = max(at - self.config.ahead, since, 0)  # tokens before the chunk, whose keys have now seen further, are written too
        stop = max(first, at + count if until is None else min(at + count, until))
        new = slice(first - at + self.config.ahead, stop - at + self.config.ahead)
        for i, kept in zip(self.retrieval, keys, strict=True):
            context.stores[i].write(first, *jax.tree.map(lambda x: np.asarray(x)[new], kept))

    def tails(self, context: ReadContext) -> list[Past]:
        """What each layer keeps of the last tokens read."""
        return [Past(*(context.tails[f"{i}.{name}"] for name in Past._fields)) for i in range(len(self.config.layers))]

    def device_context(self, context: ReadContext) -> list[Context | None]:
        """The context's keys and values for the device, None for local layers, and for all of them while nothing is read."""
        length = len(context)
        if not length:
            return [None] * len(self.config.layers)
        size = capacity(length)
        put = lambda coded: Coded(*(_shared(x[:, :size]) for x in coded))  # noqa: E731
        token = jnp.asarray(np.pad(context.stream.ids, (0, size - length)))
        layers = [context.stores.get(i) for i in range(len(self.config.layers))]
        of = lambda store: Context(put(store.key), _shared(store.signs[:, :size]), put(store.value), token, jnp.int32(length))  # noqa: E731
        return [None if store is None else of(store) for store in layers]

    def start_turn(self, context: ReadContext, rows: int, room: int) -> Turn:
        """A turn of up to ``room`` tokens for each of ``rows`` questions."""
        pasts = []
        for layer, tail in zip(self.config.layers, self.tails(context), strict=True):
            past = tail if layer.reach == LOCAL else empty_past(self.config, layer, 1, room, np)._replace(conv=tail.conv)
            # in numpy: the first use of an operation on the device compiles it, for each shape anew
            pasts.append(jax.tree.map(lambda x: np.repeat(x, rows, axis=0), past))
        return Turn(pasts, jnp.zeros(rows, jnp.int32), jnp.int32(len(context)))

    def step(self, turn: Turn, tokens: np.ndarray, counts: np.ndarray, context: list[Context | None]) -> tuple[Turn, Step]:
        """Take in tokens [B, T], of which the first ``counts`` of each row are real. ``turn`` is used up."""
        return self._turn(self.params, turn, tokens, counts.astype(np.int32), context)


def _shared(x: np.ndarray) -> jax.Array:
    """An array on the device: the same memory where the device can reach it, and the array begins in step (`store.mapped`)."""
    return jax.device_put(x, may_alias=True)


def _read(params, tokens, at, count, past, *, config: ModelConfig):
    """One chunk of one stream: the new tails, and what each retrieval layer's store is to hold (`Store.write`) of ahead + T tokens;
    the first are the last before the chunk, whose keys look ahead into it."""
    place = jnp.arange(tokens.shape[1])[None, :]
    sight = Sight(at + place, jnp.where(place < count, 0, -1))
    # no hidden state is wanted yet; one token's is the least that can be asked for
    some = jnp.zeros((1, 1), jnp.int32)
    seen = forward(params, config, tokens, sight, past, where_BM=some, window=config.look_back).seen
    tails = [slide(s.past, count[None], tokens.shape[1]) for s in seen]
    first = -(tokens.shape[1] + config.ahead)
    retrieval = [s for s, layer in zip(seen, config.layers, strict=True) if layer.reach != LOCAL]
    return tails, [_kept(s.key[0, first:], s.past.value[0, first:], config.cache_bits) for s in retrieval]


def _kept(key_TKD: jax.Array, value_TKD: jax.Array, bits: int) -> tuple[Coded, Coded, jax.Array]:
    """Keys and values in few bits, and the keys' signs [T, K * words]."""
    return encode(key_TKD, bits), encode(value_TKD, bits), signs(key_TKD).reshape(key_TKD.shape[0], -1)


def slide(past: Past, counts_B: jax.Array, new: int) -> Past:
    """A past as long as before the ``new`` tokens at its end, of which ``counts`` are real: its end is the last real token."""

    if new == 1:  # by far the most frequent, and ten times slower as the gather that a slice by row becomes
        moved = lambda x: jnp.where(counts_B.reshape(-1, *[1] * (x.ndim - 1)) > 0, x[:, 1:], x[:, :-1])  # noqa: E731
        return jax.tree.map(moved, past)

    def row(x, count):
        return jax.lax.dynamic_slice_in_dim(x, count, x.shape[0] - new, axis=0)

    return jax.tree.map(lambda x: jax.vmap(row)(x, counts_B), past)


def _turn(params, turn: Turn, tokens, counts, context, *, config: ModelConfig) -> tuple[Turn, Step]:
    """Tokens of a turn against its past and the context."""
    batch, length = tokens.shape
    place = jnp.arange(length)[None, :]
    index = turn.start + turn.filled[:, None] + place
    sight = Sight(index, jnp.where(place < counts[:, None], 0, -1))
    last = counts[:, None] - 1
    output = forward(params, config, tokens, sight, turn.past, context, last)
    past = [slide(seen.past, counts, length) for seen in output.seen]
    found = [_at_last(seen, last) for seen in output.seen if seen.found is not None]
    none = jnp.zeros((batch, 0, config.heads, 1))
    where, weight = (jnp.stack(column, axis=1) for column in zip(*found, strict=True)) if found else (none.astype(int), none)
    return Turn(past, turn.filled + counts, turn.start), Step(predict(params, config, output, context)[:, 0], where, weight)


def _at_last(seen: Seen, last_B1: jax.Array) -> tuple[jax.Array, jax.Array]:
    """What each head found at each row's last real token: [B, H, E] twice, from [B * K, M * G, E]."""
    batch, count = seen.query.shape[:2]
    spread = lambda x: unfold_queries(x, batch, count)  # noqa: E731
    last = lambda x: pick(spread(x), last_B1 if count > 1 else None)[:, 0]  # noqa: E731
    index, weight = last(seen.found.index), last(seen.found.weight)
    weight, best = jax.lax.top_k(weight, min(EVIDENCE, weight.shape[-1]))
    return jnp.take_along_axis(index, best, axis=-1), weight
