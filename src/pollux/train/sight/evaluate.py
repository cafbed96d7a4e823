"""How well sight sees: lines found and read, captions read as a whole, and classes told from codes alone.

Measure it on fonts, photographs and texts that no training saw. Counts are given, so that intervals can be.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from pollux.base.weights import Tree
from pollux.data.scenes.labelled import Labelled
from pollux.data.scenes.scene import Scene, Scenes, caption
from pollux.perception.codes import quantised
from pollux.perception.percepts import Seen
from pollux.perception.vision.sight import Found, Sight
from pollux.perception.vision.strips import Strip
from pollux.perception.vision.trunk import features
from pollux.tasks.sensed.edits import edits
from pollux.train.sight.batches import SIDE, strip
from pollux.train.sight.losses import named

_AT_ONCE = 16
_SAME = 0.5  # the share of two boxes' union that both cover, from which on they are one line


class Lines(NamedTuple):
    """Counts over some scenes.

    Attributes:
        lines: That are there. found: of them. said: that were said to be there. right: of them, those that are.
        characters, errors: Of the lines that were found, and insertions, deletions and substitutions in them.
    """

    lines: int
    found: int
    said: int
    right: int
    characters: int
    errors: int

    @property
    def cer(self) -> float:
        """Character error rate."""
        return self.errors / max(self.characters, 1)


def lines(sight: Sight, scenes: Scenes, seed: int, count: int, shape: tuple[int, int] = (288, 512)) -> Lines:
    """Lines of ``count`` scenes found and read."""
    total = np.zeros(6, int)
    for numbers in _some(range(count)):
        made = [scenes.make(seed, n, *shape) for n in numbers]
        read: list[list[tuple[Strip, str]]] = [[] for _ in made]
        for line, text, *_ in sight.read(sight.look([scene.pixels for scene in made])[1]):
            read[line.picture].append((line.strip, text))
        total += sum(np.array(_compared(scene, said)) for scene, said in zip(made, read, strict=True))
    return Lines(*map(int, total))


def _compared(scene: Scene, said: list[tuple[Strip, str]]) -> Lines:
    """Every true line with the one that is said to be there and covers it best."""
    left, found, characters, errors = list(said), 0, 0, 0
    for line in scene.lines:
        best = max(left, key=lambda one: shared(strip(line), one[0]), default=None)
        if best is not None and shared(strip(line), best[0]) > _SAME:
            left.remove(best)
            found, characters = found + 1, characters + len(line.text)
            errors += edits(best[1].strip(), line.text)
    return Lines(len(scene.lines), found, len(said), len(said) - len(left), characters, errors)


def reading(sight: Sight, scenes: Scenes, seed: int, count: int, shape: tuple[int, int] = (288, 512)) -> Lines:
    """Lines of ``count`` scenes read where they truly are."""
    from PIL import Image

    from pollux.perception.vision import strips

    total = np.zeros(6, int)
    for numbers in _some(range(count)):
        found, texts = [], []
        for n in numbers:
            scene = scenes.make(seed, n, *shape)
            picture = Image.fromarray(scene.pixels)
            found += [Found(len(texts) + i, strip(x), strips.cut(picture, strip(x))) for i, x in enumerate(scene.lines)]
            texts += [line.text for line in scene.lines]
        read = {line.picture: text.strip() for line, text, *_ in sight.read(found)}
        errors = sum(edits(read.get(i, ""), text) for i, text in enumerate(texts))
        total += np.array([len(texts), len(read), len(read), len(read), sum(map(len, texts)), errors])
    return Lines(*map(int, total))


def captions(sight: Sight, scenes: Scenes, seed: int, count: int, shape: tuple[int, int] = (144, 256)) -> tuple[int, int]:
    """How many of ``count`` frames' captions are read exactly, nothing missing and nothing added; and of how many."""
    right = 0
    for numbers in _some(range(count)):
        made = [caption(scenes, seed, n, *shape) for n in numbers]
        for scene, seen in zip(made, sight.see([scene.pixels for scene in made]), strict=True):
            right += said(seen) == sorted(" ".join(line.text for line in scene.lines).split())
    return right, count


def said(seen: Seen) -> list[str]:
    """The words of a picture, sorted."""
    return sorted(word.text for word in seen.words)


def classes(params: Tree, data: Labelled, offset: int = 0) -> tuple[int, int]:
    """How many pictures' classes are told from their codes alone; and of how many.

    Args:
        params: Weights of the half ``look`` with its teachers.
        offset: The number that the first of the classes had in training.
    """
    run, right = jax.jit(_told), 0
    for rows in _some(range(len(data.classes)), 50):
        told = np.asarray(run(params, data.plain(np.array(rows), SIDE)))
        right += int((told == data.classes[np.array(rows)] + offset).sum())
    return right, len(data.classes)


def _told(params: Tree, pixels_BHWC: jax.Array) -> jax.Array:
    digits = quantised(params["codes"], features(params["trunk"], pixels_BHWC)[-1])
    return jnp.argmax(named(params["teachers"]["name"], digits), -1)


def speed(sight: Sight, pictures: Sequence[np.ndarray], seconds: float = 5.0) -> float:
    """Pictures seen a second, 16 at a time, once everything is compiled."""
    some = list(pictures)[:_AT_ONCE]
    sight.see(some)
    begun, done = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        sight.see(some)
        done += len(some)
    return done / (time.monotonic() - begun)


def shared(a: Strip, b: Strip) -> float:
    """Of two boxes, the share of their union that both cover; they are taken as upright, which lines nearly are."""
    (left, top, right, bottom), (l2, t2, r2, b2) = _box(a), _box(b)
    inner = max(min(right, r2) - max(left, l2), 0) * max(min(bottom, b2) - max(top, t2), 0)
    return inner / ((right - left) * (bottom - top) + (r2 - l2) * (b2 - t2) - inner)


def _box(strip: Strip) -> tuple[float, float, float, float]:
    points = np.array([strip.at(along, down) for along in (0, 1) for down in (0, 1)])
    return *points.min(0), *points.max(0)


def _some(numbers: Iterable[int], size: int = _AT_ONCE) -> Iterable[list[int]]:
    numbers = list(numbers)
    return (numbers[i : i + size] for i in range(0, len(numbers), size))
