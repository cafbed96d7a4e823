"""Pictures that were seen before are not looked at again: films that are alike but for a frame, as measurements make them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

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
        keys = [blake2b(np.ascontiguousarray(p).tobytes() + repr(p.shape).encode(), digest_size=16).digest() for p in pictures]
        new = {key: picture for key, picture in zip(keys, pictures, strict=True) if key not in self._known}
        seen = dict(zip(new, self._sight.see(list(new.values())), strict=True)) if new else {}
        found = [seen[key] if key in seen else self._known[key] for key in keys]
        self._known |= seen
        while len(self._known) > self._most:
            self._known.pop(next(iter(self._known)))
        return found
