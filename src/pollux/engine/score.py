"""Likelihood of texts under a model.

Axis letters: B rows, T tokens, R tokens of a block, W width, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from pollux.base.programs import Program
from pollux.base.weights import Tree
from pollux.engine.runner import Runner, slide
from pollux.kernels.attention import Sight
from pollux.model.cache import empty_past
from pollux.model.copying import log_target
from pollux.model.sizes import ModelConfig
from pollux.model.transformer import Output, forward, logits
from pollux.tokens.template import plain
from pollux.tokens.vocabulary import PAD, Vocabulary

# Tokens whose logits are made at once.
_BLOCK = 256


def bits_per_byte(params: Tree, config: ModelConfig, vocabulary: Vocabulary, texts: Iterable[str], length: int = 2048) -> dict:
    """Next-token loss over texts cut into rows of ``length`` tokens, each row predicted from nothing but itself.

    Returns bits_per_byte, nats_per_token, tokens and bytes. Every byte counts, every row's first token too (it is predicted from
    the label that begins a document), so that vocabularies of any size compare.
    """
    score = jax.jit(partial(_nats, config=config))
    nats = tokens = size = 0
    for text in texts:
        size += len(text.encode("utf-8", "surrogateescape"))
        for row, first in _rows(vocabulary, text, length):
            nats += float(score(params, row[None], np.int32(first)))
            tokens += int((row[first:] != PAD).sum())
    return {"bits_per_byte": nats / math.log(2) / size, "nats_per_token": nats / tokens, "tokens": tokens, "bytes": size}


def _rows(vocabulary: Vocabulary, text: str, length: int) -> Iterator[tuple[np.ndarray, int]]:
    """Rows [T] that all begin with an empty label, and where the text's own tokens begin in each."""
    label = plain(vocabulary, "").ids
    ids = vocabulary.encode(text)
    room = length - label.size
    for start in range(0, ids.size, room):
        row = np.full(length, PAD, np.int32)
        part = np.concatenate([label, ids[start : start + room]])
        row[: part.size] = part
        yield row, label.size


def _nats(params: Tree, row_BT: jax.Array, first: jax.Array, *, config: ModelConfig) -> jax.Array:
    """Summed negative log-likelihood of the tokens from ``first`` on, padding left out."""
    place = jnp.arange(row_BT.shape[1])[None, :]
    sight = Sight(place, jnp.where(row_BT == PAD, -1, 0))
    target = jnp.roll(row_BT, -1, axis=1)
    nll = _target_nll(params, config, forward(params, config, row_BT, sight, window=config.look_back), target)[:, :-1]
    return jnp.where((place[:, 1:] >= first) & (target[:, :-1] != PAD), nll, 0.0).sum()


def _target_nll(params: Tree, config: ModelConfig, output: Output, target_BT: jax.Array) -> jax.Array:
    """Negative log-likelihood of each target, float32 [B, T], with logits made for `_BLOCK` tokens at a time."""
    starts = range(0, target_BT.shape[1], _BLOCK)
    return jnp.concatenate([_block_nll(params, config, output, target_BT, at) for at in starts], axis=1)


def _block_nll(params: Tree, config: ModelConfig, output: Output, target_BT: jax.Array, at: int) -> jax.Array:
    hidden_BRW, target_BR = (x[:, at : at + _BLOCK] for x in (output.hidden, target_BT))
    own_BRV = logits(params, config, hidden_BRW)
    if not config.copies:
        return -jnp.take_along_axis(jax.nn.log_softmax(own_BRV), target_BR[..., None], axis=-1)[..., 0]
    seen = output.seen[-1]
    query, lse, looking = jax.tree.map(lambda x: x[:, at : at + _BLOCK], (seen.query, seen.lse, seen.looking))
    return -log_target(params, own_BRV, hidden_BRW, seen._replace(query=query, lse=lse, looking=looking), target_BR)


def losses(runner: Runner, ids: np.ndarray, progress: Callable[[int, int], None] | None = None) -> np.ndarray:
    """Next-token loss in nats at each token of one stream but the first, float32 [T - 1]: predicted from what reading the stream so
    far has left behind, as an answer's tokens would be, but with a last layer that looks over one to two chunks and not over
    everything."""
    score = Program(_chunk, config=runner.config)
    tails, found = runner.tails(runner.empty()), []
    tails[-1] = empty_past(runner.config, runner.config.layers[-1], 1, runner.chunk, np)
    for at in range(0, ids.size - 1, runner.chunk):
        tokens, targets = np.zeros((2, 1, runner.chunk), np.int32)
        part = ids[at : at + runner.chunk + 1]
        count = part.size - 1
        tokens[0, :count], targets[0, :count] = part[:-1], part[1:]
        nll, tails = score(runner.params, tokens, targets, np.int32(at), np.int32(count), tails)
        found.append(np.asarray(nll)[:count])
        if progress:
            progress(at + count, ids.size - 1)
    return np.concatenate(found)


def _chunk(params, tokens, targets, at, count, past, *, config: ModelConfig):
    """The losses of a chunk's tokens [T], and the new tails."""
    length = tokens.shape[1]
    place = jnp.arange(length)[None, :]
    output = forward(params, config, tokens, Sight(at + place, jnp.where(place < count, 0, -1)), past, window=config.look_back)
    nll = _target_nll(params, config, output, targets)
    return nll[0], [slide(s.past, count[None], length) for s in output.seen]
