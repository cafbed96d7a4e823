"""Batches for sight, made by worker processes ahead of the step that wants them. Batch n of a run is the same whenever it is made.

Axis letters: B pictures or lines; H, W rows and columns of pixels; G, J of the finder's map; N characters.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np
from PIL import Image

from pollux.data.scenes import labelled
from pollux.data.scenes.backdrop import Backdrops
from pollux.data.scenes.fonts import Fonts
from pollux.data.scenes.labelled import Labelled
from pollux.data.scenes.lettering import Line
from pollux.data.scenes.scene import Scene, Scenes
from pollux.data.scenes.wording import Wording
from pollux.perception.vision import strips
from pollux.perception.vision.strips import Strip
from pollux.train.sight.config import LOOK, SightRun, Sources

SHAPE = 224, 320  # rows and columns of scenes to look at
SIDE = 128  # pixels to a side of pictures with a class
WIDTHS = (320, 1024)  # columns of strips to read
ROWS = (14, 6)  # how many strips of each
LONGEST = 90  # characters of a line
_READ_SHAPE = (192, 576)
_TRAIN_DIGITS = 3000  # of MNIST's file: digits are easy, and photographs are to be seen more often


class Look(NamedTuple):
    """uint8 [B, H, W, 3] with the map to be found, float32 [B, G, J, 3]; uint8 [B, H, W, 3] with classes, int32 [B]."""

    scenes: np.ndarray
    maps: np.ndarray
    pictures: np.ndarray
    classes: np.ndarray


class Read(NamedTuple):
    """Strips of one width: float16 [B, 32, W, 3], how wide each is, int32 [B], and its text as characters, uint8 [B, N], 0 where it
    ends. A row that nothing is in has no characters."""

    strips: np.ndarray
    widths: np.ndarray
    texts: np.ndarray


class Supply(NamedTuple):
    """What batches are made of."""

    scenes: Scenes
    labelled: Labelled | None


def supply(sources: Sources) -> Supply:
    """Load everything. Raises ConfigError where a folder does not hold what it should."""
    scenes = Scenes(Fonts.load(sources.fonts), Backdrops.load(sources.photos), Wording.load(sources.texts))
    if sources.classes is None or sources.digits is None:
        return Supply(scenes, None)
    digits = labelled.part(labelled.digits(sources.digits), 0, _TRAIN_DIGITS)
    return Supply(scenes, labelled.joined([labelled.photographs(sources.classes), digits]))


def strip(line: Line) -> Strip:
    return Strip(*line.place)


def look(given: Supply, run: SightRun, n: int) -> Look:
    """Batch ``n`` for looking."""
    height, width = SHAPE
    scenes = [given.scenes.make(run.seed, n * run.scenes + i, height, width) for i in range(run.scenes)]
    maps = np.stack([strips.drawn(map(strip, scene.lines), height, width) for scene in scenes])
    rng = np.random.default_rng((run.seed, n, 1))
    return Look(np.stack([scene.pixels for scene in scenes]), maps, *given.labelled.augmented(rng, run.labelled, SIDE))


def read(given: Supply, run: SightRun, n: int) -> tuple[Read, ...]:
    """Batch ``n`` for reading: as many lines of as many scenes as there is room for, by width."""
    rng = np.random.default_rng((run.seed, n, 1))
    out = tuple(_empty(width, rows) for width, rows in zip(WIDTHS, ROWS, strict=True))
    used = [0] * len(out)
    for i in range(run.scenes):
        scene = given.scenes.make(run.seed, n * run.scenes + i, *_READ_SHAPE)
        for cut, text in _cuts(rng, scene):
            room = [j for j, rows in enumerate(out) if cut.shape[1] <= WIDTHS[j] and used[j] < len(rows.widths)]
            if room:
                _put(out[room[0]], used[room[0]], cut, text)
                used[room[0]] += 1
    return out


def _empty(width: int, rows: int) -> Read:
    strips_BHWC = np.zeros((rows, strips.ROWS, width, 3), np.float16)
    return Read(strips_BHWC, np.zeros(rows, np.int32), np.zeros((rows, LONGEST), np.uint8))


def _cuts(rng: np.random.Generator, scene: Scene) -> Iterator[tuple[np.ndarray, str]]:
    """The lines of a scene cut out about as well as they will be found."""
    picture = Image.fromarray(scene.pixels)
    for line in scene.lines:
        if len(line.text) <= LONGEST and rng.random() < 0.9:
            yield strips.cut(picture, _shaken(rng, strip(line))), line.text


def _shaken(rng: np.random.Generator, strip: Strip) -> Strip:
    height, angle = strip.height, strip.angle + rng.normal(0, 0.15) * strip.height / max(strip.width, strip.height)
    x, y = strip.x + rng.normal(0, 0.06) * height, strip.y + rng.normal(0, 0.05) * height
    return Strip(x, y, strip.width + rng.normal(0, 0.12) * height, height * np.exp(rng.normal(0, 0.08)), angle)


def _put(rows: Read, i: int, cut: np.ndarray, text: str) -> None:
    rows.strips[i, :, : cut.shape[1]] = cut
    rows.widths[i] = cut.shape[1]
    rows.texts[i, : len(text)] = np.frombuffer(text.encode("ascii"), np.uint8)


_held: list = []


def _begin(run: SightRun) -> None:
    _held[:] = [supply(run.sources), run]


def _make(n: int):
    given, run = _held
    return (look if run.half == LOOK else read)(given, run, n)


class Ahead:
    """Batches in order, some of them made ahead of time by worker processes that end with it."""

    def __init__(self, run: SightRun, first: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(run.workers, context, _begin, (run,))
        self._next, self._coming = first, deque()
        for _ in range(2 * run.workers + 2):
            self._ask()

    def _ask(self) -> None:
        self._coming.append(self._pool.submit(_make, self._next))
        self._next += 1

    def __call__(self):
        """The next batch."""
        batch = self._coming.popleft().result()
        self._ask()
        return batch

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
