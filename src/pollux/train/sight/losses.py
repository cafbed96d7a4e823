"""What sight is taught, as pure functions of weights and a batch.

Axis letters: B pictures or lines; H, W rows and columns of pixels; R, C of cells; L digits of a code; T steps; N characters.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from pollux.base.weights import Tree, Weight
from pollux.perception import blocks
from pollux.perception.blocks import centred, folded, head, matrix, read_out, vector
from pollux.perception.codes import DIGITS, codes_table, quantised
from pollux.perception.vision import letters
from pollux.perception.vision.finder import finder_table, line_map
from pollux.perception.vision.letters import letters_table
from pollux.perception.vision.trunk import CELL, TrunkConfig, features, trunk_table
from pollux.train.sight.batches import SIDE, Look, Read
from pollux.train.sight.config import LOOK

THUMB = 8  # pixels to a side of what codes are to show of a cell
CLASSES = 20  # ten of photographs, ten digits
_WIDTH, _HEADS = 128, 4


def table_of(half: str, trunk: TrunkConfig = TrunkConfig()) -> Tree:
    """Weights of a half. ``teachers`` is what only training and measuring need."""
    if half != LOOK:
        return {"letters": letters_table()}
    found = {"trunk": trunk_table(trunk), "codes": codes_table(trunk.channels[-1]), "finder": finder_table(trunk)}
    return found | {"teachers": {"show": _show_table(), "name": _name_table()}}


def loss_of(half: str):
    """``loss(params, batch)`` -> a scalar, and what it is made of."""
    return look if half == LOOK else read


def look(params: Tree, batch: Look) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Finding text, and what codes tell of pictures."""
    seen = features(params["trunk"], batch.scenes)
    found = finding(line_map(params["finder"], seen), batch.maps)
    of_scenes = quantised(params["codes"], seen[-1])
    of_pictures = quantised(params["codes"], features(params["trunk"], batch.pictures)[-1])
    teachers = params["teachers"]
    shown = showing(teachers["show"], of_scenes, batch.scenes) + showing(teachers["show"], of_pictures, batch.pictures)
    logits = named(teachers["name"], of_pictures)
    soft = optax.smooth_labels(jax.nn.one_hot(batch.classes, CLASSES), 0.05)
    named_loss = optax.softmax_cross_entropy(logits, soft).mean()
    right = (logits.argmax(-1) == batch.classes).mean()
    return found["core"] + found["edges"] + shown + named_loss, found | {"shown": shown, "named": named_loss, "right": right}


def finding(map_BGJ3: jax.Array, wanted_BGJ3: jax.Array) -> dict[str, jax.Array]:
    """How well lines are found: cross entropy and overlap of their cores, and the mean relative error of their edges' distances."""
    logit, core = map_BGJ3[..., 0], wanted_BGJ3[..., 0]
    chance, count = jax.nn.sigmoid(logit), core.sum() + 1
    overlap = 1 - (2 * (chance * core).sum() + 1) / (chance.sum() + count)
    entropy = (optax.sigmoid_binary_cross_entropy(logit, core) * (1 + core)).mean()
    edges = (jnp.abs(map_BGJ3[..., 1:] - wanted_BGJ3[..., 1:]).sum(-1) * core).sum() / count
    return {"core": 5 * entropy + overlap, "edges": edges, "overlap": 1 - overlap}


def _show_table() -> Tree:
    start = Weight((DIGITS, _WIDTH), (None, None), scale=0.5)
    return {"start": start, "block": blocks.block_table(1, _WIDTH), "out": head(_WIDTH, THUMB * THUMB * 3)}


def showing(params: Tree, digits_BRCL: jax.Array, pixels_BHWC: jax.Array) -> jax.Array:
    """The mean squared error of thumbnails made from codes (and their neighbours), pixels being from -1 to 1."""
    h = blocks.blocks(params["block"], digits_BRCL @ params["start"])
    step = CELL // THUMB
    small = folded(centred(pixels_BHWC), step, step).reshape(*_thumbs(pixels_BHWC), step * step, 3).mean(-2)
    return jnp.square(read_out(params["out"], h) - folded(small, THUMB, THUMB)).mean()


def _thumbs(pixels_BHWC: jax.Array) -> tuple[int, int, int]:
    b, h, w, _ = pixels_BHWC.shape
    return b, h * THUMB // CELL, w * THUMB // CELL


def _name_table() -> Tree:
    cells = SIDE // CELL
    return {
        "start": Weight((DIGITS, _WIDTH), (None, None), scale=0.5),
        "place": Weight((cells, cells, _WIDTH), (None, None, None), scale=0.3),
        "first": {"norm": vector(_WIDTH, "ones"), "up": matrix(_WIDTH, 2 * _WIDTH), "down": matrix(2 * _WIDTH, _WIDTH, 0.5)},
        "attention": {"norm": vector(_WIDTH, "ones"), "each": matrix(_WIDTH, 3 * _WIDTH), "out": matrix(_WIDTH, _WIDTH, 0.5)},
        "second": {"norm": vector(_WIDTH, "ones"), "up": matrix(_WIDTH, 2 * _WIDTH), "down": matrix(2 * _WIDTH, _WIDTH, 0.5)},
        "out": head(_WIDTH, CLASSES),
    }


def named(params: Tree, digits_BRCL: jax.Array) -> jax.Array:
    """Logits of classes, float32 [B, K], from nothing but codes and where they stand."""
    x = digits_BRCL @ params["start"] + params["place"]
    x = x.reshape(x.shape[0], -1, _WIDTH)
    x = _feed(params["first"], x)
    x = _attend(params["attention"], x)
    x = _feed(params["second"], x)
    return read_out(params["out"], x.mean(1))


def _feed(params: Tree, x: jax.Array) -> jax.Array:
    return x + jax.nn.silu(blocks.norm(x, params["norm"]) @ params["up"]) @ params["down"]


def _attend(params: Tree, x_BNC: jax.Array) -> jax.Array:
    b, n, c = x_BNC.shape
    each = (blocks.norm(x_BNC, params["norm"]) @ params["each"]).reshape(b, n, 3, _HEADS, c // _HEADS)
    query, key, value = each[:, :, 0], each[:, :, 1], each[:, :, 2]
    return x_BNC + jax.nn.dot_product_attention(query, key, value).reshape(b, n, c) @ params["out"]


def read(params: Tree, batch: tuple[Read, ...]) -> tuple[jax.Array, dict[str, jax.Array]]:
    """CTC, nats per character, and the share of characters' steps that come out as they should (a rough guide)."""
    losses = [_ctc(params["letters"], rows) for rows in batch]
    characters = sum((rows.texts > 0).sum() for rows in batch)
    loss = sum(losses) / jnp.maximum(characters, 1)
    return loss, {"characters": characters.astype(jnp.float32)}


def _ctc(params: Tree, rows: Read) -> jax.Array:
    """The sum over lines, nats."""
    logits = letters.chances(params, rows.strips.astype(jnp.float32))
    steps = jnp.arange(logits.shape[1])[None] * letters.STEP
    padded = (steps >= rows.widths[:, None]).astype(jnp.float32)
    labels = jnp.maximum(rows.texts.astype(jnp.int32) - ord(letters.ALPHABET[0]) + 1, 0)
    empty = (rows.texts == 0).astype(jnp.float32)
    each = optax.ctc_loss(logits, padded, labels, empty)
    # a line too short for its text has no path: its loss is beyond all bounds and its gradient of no use
    return jnp.where((rows.widths > 0) & (each < 1e4), each, 0.0).sum()
