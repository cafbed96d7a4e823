"""The segments of a read context as arrays, and back: texts one after another, and of what was seen and heard where each word comes
from.

Axis letters: those of `media.transcript`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from pollux.media.segment import Text
from pollux.media.transcript import Runs, Transcript

Segment = Text | Transcript


def describe(segment: Segment) -> dict:
    """What is told of a segment in so many words."""
    about = {"path": segment.path, "page": segment.page, "start": segment.start}
    if isinstance(segment, Transcript):
        return about | {"frame": segment.frame, "perceived": True}
    return about | {"mapped": segment.lines is not None}


def arrays(segments: Sequence[Segment]) -> dict[str, np.ndarray]:
    """Texts, line maps, codes and runs, each kind one after another, and how long each is."""
    texts = [segment.text.encode("utf-8", "surrogatepass") for segment in segments]
    seen = [segment for segment in segments if isinstance(segment, Transcript)]
    maps = [np.array(s.lines, np.int64).reshape(-1, 2) for s in segments if isinstance(s, Text) and s.lines is not None]
    return {
        "text": np.frombuffer(b"".join(texts), np.uint8),
        "text.size": np.array([len(text) for text in texts], np.int64),
        **_joined("lines", maps, np.zeros((0, 2), np.int64)),
        **_joined("codes", [np.stack([s.codes, s.places], 1) for s in seen], np.zeros((0, 2), np.int32)),
        **_joined("runs", [s.runs.at for s in seen], np.zeros(0, np.int64)),
        "runs.where": np.concatenate([np.zeros((0, 6), np.float32), *(s.runs.where for s in seen)]),
    }


def _joined(name: str, pieces: list[np.ndarray], none: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.concatenate([none, *pieces]), f"{name}.size": np.array([len(piece) for piece in pieces], np.int64)}


def restored(described: Sequence[dict], kept: dict[str, np.ndarray]) -> tuple[Segment, ...]:
    """The segments that `describe` and `arrays` were made of."""
    data = kept["text"].tobytes()
    stops = [0, *np.cumsum(kept["text.size"]).tolist()]
    texts = [data[a:b].decode("utf-8", "surrogatepass") for a, b in pairwise(stops)]
    maps, codes, runs = (_parted(kept, name) for name in ("lines", "codes", "runs"))
    places = iter(np.split(kept["runs.where"], np.cumsum(kept["runs.size"])[:-1]))

    def one(row: dict, text: str) -> Segment:
        if row.get("perceived"):
            code, found = next(codes), Runs(next(runs), next(places))
            return Transcript(row["path"], text, code[:, 0], code[:, 1], found, row["page"], row["frame"])
        lines = tuple(map(tuple, next(maps).tolist())) if row["mapped"] else None
        return Text(row["path"], text, page=row["page"], start=row["start"], lines=lines)

    return tuple(map(one, described, texts))


def _parted(kept: dict[str, np.ndarray], name: str) -> Iterator[np.ndarray]:
    return iter(np.split(kept[name], np.cumsum(kept[f"{name}.size"])[:-1]))
