"""Reading: prompt/completion pairs from a file, those that can be answered by copying from the prompt where wished.

Pairs about one passage stand on one side of the split, however their templates word them. A key cut out of a single
prompt cannot do that: in T0's 21,168 extractive items, keyed by longest line or by longest sentence, 1 in 12 or 1 in 18
couples that share a passage came apart in a one-in-ten split, for questions, templates and passages often share a line.
So items are joined into groups by the runs of words they share, and groups are split: of 53,831 such couples 36 did.
"""

from __future__ import annotations

import gzip
import json
import lzma
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from zlib import crc32

import numpy as np

from pollux.tasks.task import Example, Question, exact

Pair = tuple[str, str]

END = "<|endoftext|>"
_LONGEST = 60  # characters of an extractive answer
# (words in a run, prompts that share it): a run in more prompts is a template's wording and joins nothing. Templates
# repeat runs of 25 words seldom, but a popular passage comes 275 times; short passages come a few times only.
_JOINS = ((12, 12), (25, 300))
# Odd multipliers of a polynomial checksum modulo 2**64; only its upper bits are looked at, the lower ones mix badly.
_POWERS = np.cumprod(np.full(32, 0x9E3779B97F4A7C15, np.uint64))
_HELD_OUT = 10  # one group in ten
_GREAT = 20  # a group of more than a twentieth of all pairs is always trained on: held out, it would be the evaluation


def load_pairs(path: str | Path, *, cut: bool = False) -> list[Pair]:
    """Prompts and completions of a JSON-lines file (.jsonl, .jsonl.gz or .jsonl.xz), without the completion's end mark.

    Args:
        cut: Whether a last line that breaks off, as in a download that was stopped, is left out in silence.

    Raises:
        ValueError: for a line that is no JSON object with the strings "prompt" and "completion".
    """
    opener = {".gz": gzip.open, ".xz": lzma.open}.get(Path(path).suffix, open)
    with opener(path, "rb") as file:
        lines = file.read().split(b"\n")
    if cut and lines[-1]:  # a whole file ends with a line break, and so with an empty last piece
        lines.pop()
    return [_parse(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]


def _parse(line: bytes, where: str) -> Pair:
    try:
        row = json.loads(line)
    except ValueError as error:
        hint = "mend the line, or pass cut=True if the file breaks off there"
        raise ValueError(f"{where} is not JSON ({error}); {hint}") from None
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in ("prompt", "completion")):
        got = sorted(row) if isinstance(row, dict) else type(row).__name__
        wanted = 'an object with the strings "prompt" and "completion"'
        raise ValueError(f"{where} must be {wanted}, got {got}; mend the line")
    return row["prompt"], row["completion"].strip().removesuffix(END).strip()


def is_extractive(pair: Pair) -> bool:
    """Whether the completion is short and stands word for word in the prompt."""
    prompt, completion = pair
    if not 1 <= len(completion) <= _LONGEST or completion not in prompt:
        return False
    return bool(re.search(rf"(?<!\w){re.escape(completion)}(?!\w)", prompt))  # "No" does not stand in "November"


def held_out(pairs: Sequence[Pair]) -> list[bool]:
    """For each pair, whether its passage is held out: alike for all that share a run of words (see `_JOINS`)."""
    groups = _groups([prompt for prompt, _ in pairs])
    sizes = Counter(groups)
    names: dict[int, str] = {}
    for group, (prompt, _) in zip(groups, pairs, strict=True):
        names[group] = min(names.get(group, prompt), prompt)  # does not depend on the pairs' order
    out = {g: crc32(name.encode()) % _HELD_OUT == 0 and sizes[g] * _GREAT <= len(pairs) for g, name in names.items()}
    # In a small set every group is great; there each group is as good as any other.
    if not any(out.values()):
        out = {g: crc32(name.encode()) % _HELD_OUT == 0 for g, name in names.items()}
    return [out[group] for group in groups]


def _groups(prompts: Sequence[str]) -> list[int]:
    """A number for each prompt, equal for those that are joined by shared runs of words, directly or through others."""
    parent = list(range(len(prompts)))

    def root(x: int) -> int:
        while parent[x] != x:
            parent[x] = x = parent[parent[x]]
        return x

    words = [np.array([crc32(w.encode()) for w in re.findall(r"\w+", p.lower())], np.uint64) for p in prompts]
    for length, most in _JOINS:
        holders: dict[int, list[int]] = defaultdict(list)
        for number, text in enumerate(words):
            for run in _runs(text, length):
                holders[run].append(number)
        for numbers in holders.values():
            if 2 <= len(numbers) <= most:
                for other in numbers[1:]:
                    parent[root(other)] = root(numbers[0])
    return [root(x) for x in range(len(prompts))]


def _runs(words: np.ndarray, length: int) -> set[int]:
    """Checksums of runs of so many words: one in four, to save memory, chosen by content and so alike in every prompt.

    A text too short for a single run is a run as a whole, and is always kept.

    Args:
        words: uint64 [words], a checksum of each word.
    """
    if len(words) < length:
        return {int((words * _POWERS[: len(words)]).sum())}
    count = len(words) - length + 1
    sums = sum(words[i : i + count] * _POWERS[i] for i in range(length))
    return set(sums[sums >> np.uint64(62) == 0].tolist())


@dataclass(frozen=True)
class Reading:
    """Pairs as a task: the prompt is asked as it stands, with no context of its own.

    Attributes:
        pairs: (prompt, completion) of each, as `load_pairs` gives them.
        extractive: Whether only pairs whose completion stands in the prompt are taken (see `is_extractive`).
        split: "train" or "heldout", by passage; "all" for both.
        seed: Order of the examples.
    """

    pairs: Sequence[Pair]
    extractive: bool = True
    split: str = "train"
    seed: int = 0
    _kept: tuple[Pair, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if self.split not in ("train", "heldout", "all"):
            raise ValueError(f'split is "train", "heldout" or "all", got {self.split!r}; pass one of the three')
        kept = [pair for pair in self.pairs if pair[1] and (not self.extractive or is_extractive(pair))]
        if self.split != "all":
            sides = held_out(kept)
            kept = [pair for pair, out in zip(kept, sides, strict=True) if out == (self.split == "heldout")]
        Random(f"{self.seed}").shuffle(kept)
        object.__setattr__(self, "_kept", tuple(kept))

    def __len__(self) -> int:
        return len(self._kept)

    def example(self, i: int) -> Example:
        prompt, completion = self._kept[i]
        return Example("", (Question(prompt, completion, kind="reading"),))

    def score(self, question: Question, reply: str) -> float:
        return exact(question, reply)


def f1(question: Question, reply: str) -> float:
    """Overlap of reply and answer as bags of words, in [0, 1], case, punctuation and articles aside (as for SQuAD)."""
    got, wanted = _bag(reply), _bag(question.answer)
    if not got or not wanted:
        return float(got == wanted)
    return 2 * (got & wanted).total() / (got.total() + wanted.total())


def _bag(text: str) -> Counter[str]:
    bare = re.sub(r"[^\w\s]|_", "", text.lower())
    return Counter(re.sub(r"\b(?:a|an|the)\b", " ", bare).split())
