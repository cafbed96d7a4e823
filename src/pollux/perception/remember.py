"""What was seen or heard before is not seen or heard again: films that are alike but for a frame, and recordings that are alike but
for some seconds, as measurements make them.

Axis letters: B stretches heard at once, F frames of 10 ms, M mel bands, T steps of 20 ms, L symbols, U codes of 40 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import jax
import numpy as np

from pollux.base.weights import Tree
from pollux.perception.audio.hearing import Hearing
from pollux.perception.perceive import Sight
from pollux.perception.percepts import Seen


class Remembered:
    """Sight that keeps what it made of the last ``most`` pictures; a frame of 64 cells takes about 1 kB."""

    def __init__(self, sight: Sight, most: int = 100_000) -> None:
        self._sight, self._most = sight, most
        self._known: dict[bytes, Seen] = {}
        self.resize = sight.resize

    def see(self, pictures: Sequence[np.ndarray]) -> list[Seen]:
        """As the sight itself gives it."""
        keys = [_key(picture) for picture in pictures]
        new = {key: picture for key, picture in zip(keys, pictures, strict=True) if key not in self._known}
        seen = dict(zip(new, self._sight.see(list(new.values())), strict=True)) if new else {}
        found = [seen[key] if key in seen else self._known[key] for key in keys]
        self._known |= seen
        _forget(self._known, self._most)
        return found


class RememberedHearing(Hearing):
    """Hearing that keeps what its net made of the last ``most`` batches of stretches; one takes 0.3 MB.

    Whole batches, since what a net makes of one stretch may differ in the last bit with the others that it is given. A sound that
    repeats itself after some stretches is soon known for all that: after eight rounds at the latest, a batch begins where one did.
    """

    def __init__(self, hearing: Hearing, most: int = 1_000) -> None:
        self.ear, self.params, self.lexicon = hearing.ear, hearing.params, hearing.lexicon
        self._net, self._most = hearing._hear, most
        self._known: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}

    def _hear(self, params: Tree, mel_BFM: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Codes int32 [B, U] and log-probabilities float16 [B, T, L], as the net itself gives them."""
        key = _key(mel_BFM)
        if (found := self._known.get(key)) is None:
            found = self._known[key] = jax.device_get(self._net(params, mel_BFM))
            _forget(self._known, self._most)
        return found


def _key(numbers: np.ndarray) -> bytes:
    """Differs where numbers do, or their shape."""
    return blake2b(np.ascontiguousarray(numbers).tobytes() + repr(numbers.shape).encode(), digest_size=16).digest()


def _forget(known: dict, most: int) -> None:
    """The oldest go, so that there are no more than so many."""
    while len(known) > most:
        known.pop(next(iter(known)))
