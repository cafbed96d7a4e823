"""RULER: eleven synthetic tasks at any length. What stands hidden in a text, who was given it, which words come most often?

After NVIDIA/RULER, commit c3f5e3b (arXiv 2404.06654), parameters of scripts/synthetic.yaml, wordings of
scripts/data/synthetic/constants.py:
    - niah_single_1 to 3     one needle in noise, in essays, and in essays with a uuid for a value
    - niah_multikey_1 to 3   three more needles of other keys; a text of nothing but needles; that with uuids
    - niah_multivalue, niah_multiquery   four values of one key; the values of four keys
    - vt, cwe, fwe           see `pollux.tasks.published.ruler_words`

Made from our own words and documents, so scores can be compared with each other, and not with published ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count as count_from
from random import Random

from pollux.tasks.prose import sentence_ends
from pollux.tasks.published.haystack import replaced, running_text, uuids
from pollux.tasks.published.ruler_words import (
    NOISE,
    Chain,
    CommonWords,
    Drawn,
    FrequentWords,
    Setting,
    fit,
    measure,
    numbers,
    pairs,
)
from pollux.tasks.task import Example, Question

DEPTHS = tuple(round(100 * k / 39) for k in range(40))
_PIECE = 1 << 16  # characters of a document that are looked at in one go
_NEAR = 2000  # characters before a depth that are searched for a sentence end
_WORD = 6  # characters of a word and its space, about
_DRAWS = {"words": pairs, "numbers": numbers, "uuids": uuids}


@dataclass(frozen=True)
class Needles:
    """Needles in a haystack (niah): keys and values of either kind, one or more values a key, one or more keys asked for.

    Attributes:
        haystack: "noise", "essay" (the documents) or "needles".
        key: What keys are: "words", "numbers" or "uuids".
        value: What values are, likewise.
        keys: Keys in the text, those asked for included, with ``values`` of each.
        asked: Keys that are asked for.
    """

    haystack: str
    key: str = "words"
    value: str = "numbers"
    keys: int = 1
    values: int = 1
    asked: int = 1
    output: int = 128
    least: int = 1

    def draw(self, rng: Random, units: int, setting: Setting) -> Drawn:
        others = units if self.haystack == "needles" else 0
        keys = _DRAWS[self.key](rng, self.keys + others)
        values = _DRAWS[self.value](rng, self.keys * self.values + others)
        owned = {key: values[n * self.values : (n + 1) * self.values] for n, key in enumerate(keys[: self.keys])}
        needles = [self._needle(key, value) for key in owned for value in owned[key]]
        asked = rng.sample(keys[: self.keys], self.asked)
        rng.shuffle(needles)
        place = {needle: n for n, needle in enumerate(needles)}
        wanted = sorted(
            ((key, value) for key in asked for value in owned[key]),
            key=lambda pair: (asked.index(pair[0]), place[self._needle(*pair)]),
        )
        if self.haystack == "essay" and setting.shared:
            text = _among_words(setting.shared, needles, rng, setting.count)
        elif self.haystack == "essay":
            text = _among_sentences(_essay(setting.documents, rng, units * _WORD), needles, rng)
        else:
            hay = map(self._needle, keys[self.keys :], values[self.keys * self.values :])
            text = _among_lines(list(hay) if others else [NOISE] * units, needles, rng)
        preface, question = self._prompt(asked)
        return Drawn(f"{preface}\n{text}", question, [value for _, value in wanted], [self._needle(*pair) for pair in wanted])

    def _needle(self, key: str, value: str) -> str:
        return f"One of the special magic {self.value} for {key} is: {value}."

    def _prompt(self, asked: Sequence[str]) -> tuple[str, str]:
        """What stands before the text and behind it; one value is spoken of in the singular."""
        query = ", ".join(asked[:-1]) + ", and " + asked[-1] if len(asked) > 1 else asked[0]
        one = self.asked * self.values == 1
        kind = self.value[:-1] if one else self.value
        some, are, what = ("A", "is", "is") if one else ("Some", "are", "are all")
        preface = (
            f"{some} special magic {kind} {are} hidden within the following text. Make sure to memorize it. "
            f"I will quiz you about the {kind} afterwards."
        )
        subject = f"the special magic {kind} for {query} mentioned in the provided text"
        return preface, f"What {what} {subject}? T{subject[1:]} {are}"


def _among_lines(lines: list[str], needles: list[str], rng: Random) -> str:
    places = sorted(rng.sample(range(len(lines)), len(needles)), reverse=True)
    for place, needle in zip(places, needles, strict=True):
        lines.insert(place, needle)
    return "\n".join(lines)


def _among_sentences(text: str, needles: list[str], rng: Random) -> str:
    """The needles at sentence ends, at different ones of forty depths.

    As in the original, nothing stands before a needle at depth 0, or behind one at depth 100, except a space. The original
    counts depths in sentences, which would take a scan of the whole text; here characters are counted.
    """
    parts, at = [], 0
    for depth, needle in zip(sorted(rng.sample(DEPTHS, len(needles))), needles, strict=True):
        place = max(at, _sentence_end(text, round(len(text) * depth / 100)))
        parts += (text[at:place].strip(), needle)
        at = place
    return " ".join([*parts, text[at:].strip()])


def _among_words(text: str, needles: list[str], rng: Random, count: Callable[[str], int]) -> str:
    """The needles at different ones of forty depths, each in the place of words as long."""
    places = [round(len(text) * depth / 100) for depth in sorted(rng.sample(DEPTHS, len(needles)))]
    return replaced(text, [f" {needle}" for needle in needles], places, count)[0]


def _sentence_end(text: str, place: int) -> int:
    """The last sentence end up to a place, the start and end of the text being two; where none is near, a word's end."""
    if place >= len(text):
        return len(text)
    low = max(0, place - _NEAR)
    ends = [low + end for end in sentence_ends(text[low : place + 8]) if low + end <= place]
    return ends[-1] if ends else max(text.rfind(" ", low, place), 0) if low else 0


def _essay(documents: Sequence[str], rng: Random, characters: int) -> str:
    """Running text of at most so many characters, cut at a word's end: a document from its start, then those behind it.

    The original has one text and always starts with its first word. Which document is the first is drawn here, so that
    short contexts do not all hold the same opening page.
    """
    parts, left = [], characters + 1
    for piece in _flat(documents, rng.randrange(len(documents))):
        parts.append(piece)
        left -= len(piece) + 1
        if left <= 0:
            break
    text = " ".join(parts)
    if len(text) <= characters:
        return text
    cut = text.rfind(" ", 0, characters + 1)
    return text[: cut if cut > 0 else characters]


def _flat(documents: Sequence[str], first: int) -> Iterator[str]:
    """The documents in turn, over and over, each run of white space made one space, in pieces."""
    for number in count_from(first):
        document = documents[number % len(documents)]
        start = 0
        while start < len(document):
            stop = start + _PIECE
            if stop < len(document):
                stop = max(document.rfind(" ", start, stop), document.rfind("\n", start, stop)) + 1 or stop
            piece = " ".join(document[start:stop].split())
            if piece:
                yield piece
            start = stop


_TASKS: dict[str, Needles | Chain | CommonWords | FrequentWords] = {
    "niah_single_1": Needles("noise"),
    "niah_single_2": Needles("essay"),
    "niah_single_3": Needles("essay", value="uuids"),
    "niah_multikey_1": Needles("essay", keys=4),
    "niah_multikey_2": Needles("needles"),
    "niah_multikey_3": Needles("needles", key="uuids", value="uuids"),
    "niah_multivalue": Needles("essay", values=4),
    "niah_multiquery": Needles("essay", keys=4, asked=4),
    "vt": Chain(),
    "cwe": CommonWords(),
    "fwe": FrequentWords(),
}
NAMES = tuple(_TASKS)


@dataclass(frozen=True)
class Ruler:
    """One of RULER's synthetic tasks.

    Attributes:
        documents: What the haystack of "essay" tasks is made of; the others need none.
        tokens: Length of prompt and reply together; the original's output budget is what is left for the reply.
        count: Tokens of a text.
        name: One of `NAMES`.
        in_place: Whether needles take the place of words that have as many tokens, where they stand in documents: examples then
            share their text, and a reader may keep what it made of it. The other tasks' texts are each example's own all the same.
        size: How many examples there are.
    """

    documents: Sequence[str]
    tokens: int
    count: Callable[[str], int]
    name: str
    seed: int = 0
    in_place: bool = False
    size: int = 1_000_000

    def __post_init__(self):
        if self.name not in _TASKS:
            raise ValueError(f"no RULER task is named {self.name!r}; pass one of {', '.join(NAMES)}")
        if self.tokens < 1:
            raise ValueError(f"tokens must be at least 1, got {self.tokens}; 4096 is RULER's least")
        if self._essay and not any(document and not document.isspace() for document in self.documents):
            raise ValueError(f"{self.name} hides its needles in documents, and got none with words; pass some texts")

    def __len__(self) -> int:
        return self.size

    @property
    def _essay(self) -> bool:
        """Whether needles stand in the documents."""
        maker = _TASKS[self.name]
        return isinstance(maker, Needles) and maker.haystack == "essay"

    @cached_property
    def shared(self) -> str:
        """The text that all examples have, but for their needles, where these take the place of words; else ""."""
        if not (self.in_place and self._essay):
            return ""
        maker = _TASKS[self.name]
        taken = maker.draw(Random(f"{self.seed}/0"), maker.least, replace(self, in_place=False))
        start = Random(f"{self.seed}/shared").randrange(len(self.documents))
        return " ".join(running_text(self.documents, start, self.tokens - math.ceil(self._spent(taken)), self.count).split())

    def example(self, i: int) -> Example:
        """Example number ``i``.

        Raises:
            ValueError: when not even the shortest prompt of the task fits into ``tokens``.
        """
        draw = lambda n: _TASKS[self.name].draw(Random(f"{self.seed}/{i}"), n, self)  # noqa: E731
        least = _TASKS[self.name].least
        # Every try draws anew from the start, so that an example depends on its number and not on how its size was found.
        drawn, used = (draw(least), 0) if self.shared else fit(draw, self._spent, least, self.tokens)
        if used > self.tokens:
            raise ValueError(f"{self.name} needs at least {used:.0f} tokens, got {self.tokens}; raise tokens")
        starts = [drawn.context.find(needle) for needle in drawn.needles]
        places = [(start, start + len(needle)) for start, needle in zip(starts, drawn.needles, strict=True)]
        # where several references are asked for, several places hold the answer; but a chain has one beginning
        evidence = places[0] if len(places) == 1 or self.name == "vt" else None
        parts = tuple(zip(drawn.references, places, strict=True)) if places else ()
        answer = ", ".join(drawn.references)
        return Example(drawn.context, (Question(drawn.question, answer, evidence, f"ruler/{self.name}", parts),))

    def _spent(self, drawn: Drawn) -> float:
        return measure(f"{drawn.context}\n{drawn.question}", self.count) + _TASKS[self.name].output

    def score(self, question: Question, reply: str) -> float:
        """The share of the references that the reply holds, case aside (string_match_all, scripts/eval/synthetic/constants.py)."""
        references = question.answer.lower().split(", ")
        return sum(reference in reply.lower() for reference in references) / len(references)


def ruler(
    name: str, documents: Sequence[str], tokens: int, count: Callable[[str], int], seed: int = 0, *, in_place: bool = False
) -> Ruler:
    """The task of that name (see `NAMES`)."""
    return Ruler(documents, tokens, count, name, seed, in_place)
