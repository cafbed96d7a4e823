"""A read context: everything that reading left behind, to be asked, extended, saved and reopened.

On disk (`saved`) it says which weights it belongs to, and carries a checksum of every array.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pollux.base.errors import ContextError
from pollux.engine.contexts import saved
from pollux.engine.contexts.saved import Part
from pollux.engine.contexts.segments import Segment, describe, restored
from pollux.engine.contexts.segments import arrays as arrays_of
from pollux.engine.contexts.store import Specs, Store
from pollux.media.segment import Place, Spot
from pollux.tokens.stream import Stream, join
from pollux.tokens.template import own

_FORMAT = 9


@dataclass
class ReadContext:
    """What was read, and what each layer keeps of it.

    Attributes:
        weights: Fingerprint of the weights that read it.
        stores: Per layer number, the keys and values of retrieval layers.
        tails: Per array name, what the next token needs of the last tokens (`runner.Runner` lays it out).
        stream: Every token with its place. segments: the segments that places refer to.
    """

    weights: str
    stores: dict[int, Store]
    tails: dict[str, np.ndarray]
    stream: Stream = field(default_factory=lambda: own([]))
    segments: tuple[Segment, ...] = ()

    def __len__(self) -> int:
        return self.stream.size

    def extend(self, stream: Stream, segments: Sequence[Segment] = ()) -> None:
        """Note tokens that were read after the others; their segment numbers count from the new segments."""
        shifted = np.where(stream.segment < 0, -1, stream.segment + len(self.segments)).astype(np.int32)
        self.stream = join([self.stream, stream._replace(segment=shifted)])
        self.segments += tuple(segments)

    def reserve(self, length: int) -> None:
        """Make room for ``length`` tokens."""
        for store in self.stores.values():
            store.reserve(length, len(self.stores))

    def place(self, first: int, last: int) -> Place | Spot | None:
        """Where tokens ``first`` to ``last`` stand; cut to the segment of ``first``. None for tokens of the template's own."""
        number = int(self.stream.segment[first])
        if number < 0:
            return None
        same = np.flatnonzero(self.stream.segment[first : last + 1] == number)
        return self.segments[number].place(int(self.stream.start[first]), int(self.stream.end[first + same[-1]]))

    def begin(self, path: Path) -> tuple[Part, int]:
        """Keep what is about to be read in the file that it is to be saved to. ``extend`` must have told it already.

        Returns the file, and how many tokens an earlier process, reading the same for the same file, had read when it ended.

        Raises:
            ContextError: as `save` does, and when another process is writing the file.
        """
        sizes = [{f"store.{i}.{name}": spec for name, spec in s.specs_for(len(self)).items()} for i, s in self.stores.items()]
        small = {name: x for name, x in self._arrays().items() if not name.startswith("store.")}
        part = Part(path, self._about(), {n: s for each in sizes for n, s in each.items()} | _specs(small))
        for name, x in small.items():
            part.arrays[name][...] = x
        self.stores = _stores(part.arrays)
        if part.note is None:
            return part, 0
        done, self.tails = part.note
        return part, done

    def finish(self, part: Part) -> None:
        """Put a file that `begin` began, and reading has filled, in its place."""
        for name, x in self.tails.items():
            part.arrays[f"tail.{name}"][...] = x
        part.seal()

    def save(self, path: Path) -> None:
        """Write everything to one file, whole or not at all.

        Raises:
            ContextError: when ``path`` is a folder or a device, or cannot be written.
        """
        arrays = self._arrays()
        part = Part(path, self._about(), _specs(arrays))
        try:
            for name, x in arrays.items():
                part.arrays[name][...] = x
            part.seal()
        except BaseException:
            part.discard()
            raise

    def _about(self) -> dict:
        """What tells this context from others: the weights, and what was read."""
        segments, texts = list(map(describe, self.segments)), "".join(segment.text for segment in self.segments)
        read = [zlib.crc32(np.ascontiguousarray(x)) for x in self.stream] + [zlib.crc32(texts.encode("utf-8", "surrogatepass"))]
        return {"format": _FORMAT, "weights": self.weights, "tokens": len(self), "read": read, "segments": segments}

    def _arrays(self) -> dict[str, np.ndarray]:
        """Everything by name; the stores first, whose arrays are used where they lie in the file, and so must begin in step."""
        arrays = {f"store.{i}.{name}": x for i, store in self.stores.items() for name, x in store.arrays.items()}
        arrays |= {f"stream.{name}": x for name, x in self.stream._asdict().items()}
        arrays |= {f"tail.{name}": x for name, x in self.tails.items()}
        return arrays | arrays_of(self.segments)

    @classmethod
    def load(cls, path: Path, weights: str) -> ReadContext:
        """Reopen a saved context. Its keys and values stay in the file, and are read as they are needed.

        Raises:
            ContextError: when it is missing, damaged, or belongs to other weights than ``weights``.
        """

        def wanted(about: dict) -> None:
            if about["format"] != _FORMAT:
                raise ContextError(f"{path} was saved by another version of Pollux", "read the files again and save anew")
            if about["weights"] != weights:
                raise ContextError(
                    f"{path} was read by other weights ({about['weights']}, these are {weights})",
                    "open it with the model that read it (--model), or read the files again",
                )

        about, arrays = saved.load(path, wanted)
        stream, tails = Stream(**_under("stream.", arrays)), _under("tail.", arrays)
        return cls(weights, _stores(arrays), tails, stream, restored(about["segments"], arrays))


def _under(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): x for name, x in arrays.items() if name.startswith(prefix)}


def _stores(arrays: dict[str, np.ndarray]) -> dict[int, Store]:
    layers = sorted({int(name.split(".")[0]) for name in _under("store.", arrays)})
    return {i: Store.of(_under(f"store.{i}.", arrays)) for i in layers}


def _specs(arrays: dict[str, np.ndarray]) -> Specs:
    return {name: (x.dtype, x.shape) for name, x in arrays.items()}
