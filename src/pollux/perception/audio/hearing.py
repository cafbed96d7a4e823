"""Hearing: samples become codes, 25 a second, and words with their times.

    samples ─ media.mel ─> frames ─ net, ten seconds at a time ─> letters ─ words, lexicon ─> words
                                                                      └─> codes

Ten seconds, counted from where the sound begins, are always heard as the same ten seconds, with 1 s of what is before and behind
them: nothing depends on the blocks that samples come in. Memory does not grow with the length.

Axis letters: B stretches heard at once, F frames of 10 ms, M mel bands, S samples, T steps of 20 ms, L symbols, U codes of 40 ms.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from pollux.base.checkpoint import load_weights
from pollux.base.errors import CheckpointError
from pollux.base.weights import Tree, abstract, flatten
from pollux.media.mel import BANDS, FLOOR, LogMel
from pollux.media.senses import RATE
from pollux.perception.audio.lexicon import Lexicon, shipped
from pollux.perception.audio.net import FRAMES, Ear, hear, table
from pollux.perception.audio.words import Words
from pollux.perception.percepts import Heard

SECONDS = 10  # heard together
CODES_A_SECOND = 25
_STRETCH = SECONDS * 100  # frames
_TOGETHER = 8  # stretches: 90 ms of work on a core, and 2 MB of each layer's numbers
# Silence before and behind a sound: letters are told a little before or after they are heard, and would be lost at its edges.
_EDGE = np.zeros(RATE // 5, np.float32)
_AHEAD = 2  # times as many that are made into frames while others are heard


class Hearing:
    """The net with its weights, and the words that it is to spell by; None for as it hears them."""

    def __init__(self, params: Tree, ear: Ear, lexicon: Lexicon | None = None) -> None:
        self.ear, self.params, self.lexicon = ear, jax.device_put(params), lexicon
        self._hear = jax.jit(lambda params, mel_BFM: _heard(params, ear, mel_BFM))

    @classmethod
    def load(cls, path: Path) -> Hearing:
        """The net in a file.

        Raises:
            CheckpointError: The file is missing or damaged, or holds another net.
        """
        params, about = load_weights(path)
        if "ear" not in about:
            raise CheckpointError(f"{path} holds no weights for hearing", "name hearing's own file")
        ear = Ear(**about["ear"])
        wanted, found = flatten(abstract(table(ear))), flatten(params)
        if any(name not in found or found[name].shape != row.shape for name, row in wanted.items()):
            raise CheckpointError(f"{path} holds weights that do not fit the net they are said to be of", "fetch or train it again")
        # `teach` is for training alone
        return cls({name: part for name, part in params.items() if name != "teach"}, ear, shipped())

    def listen(self, blocks: Iterable[np.ndarray]) -> Iterator[Heard]:
        """What is heard in consecutive samples, float32 [S] each, -1 to 1: ten seconds at a time, the first and the last shorter.

        Times count from the first sample. A word is given with the ten seconds that it begins in, once and whole.
        """
        counted = _Counted(blocks)
        for heard in self._listen(chain([_EDGE], counted, [_EDGE])):
            if (inner := _between_edges(heard, counted.samples / RATE)) is not None:
                yield inner

    def _listen(self, blocks: Iterable[np.ndarray]) -> Iterator[Heard]:
        """Likewise, without the edges."""
        words, waiting, frames = Words(self.lexicon), _Waiting(), _Frames(FRAMES * self.ear.halo)
        with ThreadPoolExecutor(1) as ahead:
            for part in _ahead(ahead, frames.cut(blocks)):
                codes_BU, chances_BTL = (np.asarray(x) for x in self._hear(self.params, part.mel))
                for row, samples in enumerate(part.samples):
                    chances = chances_BTL[row, : -(-samples // (RATE // 50))]
                    codes = codes_BU[row, : -(-samples // (RATE // CODES_A_SECOND))].astype(np.int32)
                    yield from waiting.add(samples, codes, words.feed(chances), words.since)
        yield from waiting.finish(words.finish())


class _Counted:
    """Blocks, and how many samples there have been."""

    def __init__(self, blocks: Iterable[np.ndarray]) -> None:
        self._blocks, self.samples = blocks, 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self._blocks:
            self.samples += block.size
            yield block


def _between_edges(heard: Heard, seconds: float) -> Heard | None:
    """What was heard of the sound itself, of which there are so many seconds; None where that is nothing."""
    edge = _EDGE.size / RATE
    start, end = max(heard.start - edge, 0.0), min(heard.end - edge, seconds)
    if end <= start:
        return None
    first = round((start + edge - heard.start) * CODES_A_SECOND)
    codes = heard.codes[first : first + math.ceil(round((end - start) * CODES_A_SECOND, 6))]
    inside = lambda time: min(max(time - edge, start), seconds)  # noqa: E731
    return Heard(start, end, codes, tuple(word._replace(start=inside(word.start), end=inside(word.end)) for word in heard.words))


def _heard(params: Tree, ear: Ear, mel_BFM: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Codes int32 [B, U], and log-probabilities of symbols float16 [B, T, L]."""
    felt = hear(params, ear, mel_BFM)
    return felt.codes, felt.letters.astype(jnp.float16)


class _Part(NamedTuple):
    """Stretches that are heard together: mel frames float32 [B, F, M], and of how many samples the first ones are."""

    mel: np.ndarray
    samples: list[int]


class _Frames:
    """Mel frames of a sound as they come, cut into stretches with ``edge`` more on either side; what is not there is silence."""

    def __init__(self, edge: int) -> None:
        self._edge, self._mel, self._left = edge, LogMel(), 0  # left: samples that are in no stretch yet
        self._held = _silence(edge)  # frames from the next stretch's halo on

    def cut(self, blocks: Iterable[np.ndarray]) -> Iterator[_Part]:
        """`_TOGETHER` stretches at a time, the last ones of them shorter, or left out, or silence."""
        needed = _TOGETHER * _STRETCH + 2 * self._edge
        for block in blocks:
            self._left += block.size
            if (made := self._mel.feed(block)).size:
                self._held = np.concatenate([self._held, made])
            while len(self._held) >= needed:
                yield self._part()
        self._held = np.concatenate([self._held, self._mel.finish(), _silence(needed)])
        while self._left:
            yield self._part()

    def _part(self) -> _Part:
        starts = range(0, _TOGETHER * _STRETCH, _STRETCH)
        mel_BFM = np.stack([self._held[start : start + _STRETCH + 2 * self._edge] for start in starts])
        self._held, samples = self._held[starts.stop :], []
        while self._left and len(samples) < _TOGETHER:
            samples.append(min(self._left, SECONDS * RATE))
            self._left -= samples[-1]
        return _Part(mel_BFM, samples)


def _silence(frames: int) -> np.ndarray:
    return np.full((frames, BANDS), np.log10(FLOOR), np.float32)


class _Waiting:
    """Keeps ten seconds back until the words that begin in them are whole."""

    def __init__(self) -> None:
        self._held: list[Heard] = []
        self._samples = 0

    def add(self, samples: int, codes: np.ndarray, words: list, since: float | None) -> Iterator[Heard]:
        start, self._samples = self._samples / RATE, self._samples + samples
        self._held.append(Heard(start, self._samples / RATE, codes))
        self._place(words)
        while self._held and (since is None or self._held[0].end <= since):
            yield self._held.pop(0)

    def finish(self, words: list) -> Iterator[Heard]:
        self._place(words)
        yield from self._held

    def _place(self, words: list) -> None:
        for word in words:
            place = next(i for i, heard in enumerate(self._held) if word.start < heard.end or i + 1 == len(self._held))
            self._held[place] = self._held[place]._replace(words=(*self._held[place].words, word))


def _ahead(pool: ThreadPoolExecutor, parts: Iterator[_Part]) -> Iterator[_Part]:
    """The same parts, the next ones made by another thread meanwhile."""
    coming: list[Future] = [pool.submit(next, parts, None) for _ in range(_AHEAD)]
    while (part := coming.pop(0).result()) is not None:
        coming.append(pool.submit(next, parts, None))
        yield part
