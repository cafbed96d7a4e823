"""Percepts as a transcript: the time, the words line by line or breath by breath, and behind them the codes."""

from __future__ import annotations

import numpy as np

from pollux.media.segment import Region, clock
from pollux.media.transcript import SIGHTS, SOUND, Run, Writer
from pollux.perception.percepts import Heard, Said, Seen, Word

# Two words are on one line where they share this much of the lower one's height.
_SAME_LINE = 0.5
_PAUSE = 0.5  # seconds without a word behind which a line ends


def write_heard(writer: Writer, heard: Heard) -> None:
    writer.mark(SOUND)
    writer.words([Run(f"{clock(heard.start)}\n", heard.start, heard.end)])
    for breath in _breaths(heard):
        writer.words(_spaced([Run(*word) for word in breath]))
    writer.codes(np.asarray(heard.codes) + SIGHTS)


def write_seen(writer: Writer, seen: Seen, time: float | None, within: Region | None = None) -> None:
    """Words line by line, then codes row by row. ``within``: the part of the page that the picture is."""
    if time is not None:
        writer.words([Run(f"{clock(time)}\n", time, time)])
    for line in _lines(seen):
        writer.words(_spaced([Run(word.text, time, time, _placed(word.region, within)) for word in line]))
    writer.codes(np.asarray(seen.codes).reshape(-1))


def _breaths(heard: Heard) -> list[list[Said]]:
    """Words by breath: a pause is all that tells where a sentence ends."""
    breaths: list[list[Said]] = []
    for word in heard.words:
        if breaths and word.start - breaths[-1][-1].end <= _PAUSE:
            breaths[-1].append(word)
        else:
            breaths.append([word])
    return breaths


def _spaced(words: list[Run]) -> list[Run]:
    """Words as a line of text: spaces between them, and a line break behind the last."""
    return [word._replace(text=word.text + (" " if i < len(words) - 1 else "\n")) for i, word in enumerate(words)]


def _lines(seen: Seen) -> list[list[Word]]:
    """Words by line from top to bottom, each line from left to right."""
    lines: list[list[Word]] = []
    for word in sorted(seen.words, key=lambda word: word.region[1]):
        (_, top, _, bottom), line = word.region, lines[-1] if lines else None
        if line is not None:
            above = line[-1].region
            shared = min(bottom, above[3]) - max(top, above[1])
            if shared > _SAME_LINE * min(bottom - top, above[3] - above[1]):
                line.append(word)
                continue
        lines.append([word])
    return [sorted(line, key=lambda word: word.region[0]) for line in lines]


def _placed(region: Region, within: Region | None) -> Region:
    if within is None:
        return region
    left, top, wide, high = within[0], within[1], within[2] - within[0], within[3] - within[1]
    return left + region[0] * wide, top + region[1] * high, left + region[2] * wide, top + region[3] * high
