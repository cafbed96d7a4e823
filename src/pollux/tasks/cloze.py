"""Cloze: some sentences of a book, and a word left out of the next one, which the sentences before have shown.

After the idea of the Children's Book Test, with open answers in place of ten choices. Names need the context; for nouns
a guess from the sentence alone is right more often.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from pollux.tasks.prose import draw_size, paragraph_starts, sentence_ranges
from pollux.tasks.task import Example, NoExample, Question, exact

BLANK = "_____"
_TRIES = 200  # places looked at before a set of documents is declared to hold no cloze at all
_WORDINGS = (
    'Which word is missing? "{sentence}"',
    "Fill in the blank of the next sentence with one word: {sentence}",
    'The text goes on: "{sentence}" Which word belongs in the blank?',
    "This sentence comes next, with a word left out: {sentence}\nWhat is the word?",
    "Give the missing word.\n\n{sentence}",
    "What should stand in place of " + BLANK + " here?\n\n{sentence}",
    'A word has been blotted out of the sentence that follows: "{sentence}" Restore it.',
    "Complete the sentence that comes next; answer with the missing word only.\n{sentence}",
)
# A capital counts as a name's only in mid-sentence: behind a lower-case letter or a comma and a space.
_NAME = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]{2,}\b(?!\.)")
# What follows tells a noun from an adjective ("the little house"): a stop, or a word that no noun phrase goes on with.
_NOUN = re.compile(
    r"\b(?:the|a|an|his|her|their|this|that|its|my|our)\s+([a-z]{4,})"
    r"(?=[,.;:!?]|\s+(?:of|was|is|in|and|to|had|has|which|with|for|on|at|as|who|were|from|by|but|that|he|she|they|it)\b)"
)
_NOT_NOUNS = frozenset(
    """about above after again alone along another away back been before behind below best better both could down
    early even ever every first from half have here into just last late least less like many more most much near never
    next none once only other others over same second should some still such than that their them then there these
    they this those through till together under until upon very well were what when where which while whole will with
    within without would""".split()
)
_NOT_NAMES = frozenset("Mrs Miss Sir The And But For You His Her She They This That What When Well Yes Not".split())


@dataclass(frozen=True)
class Cloze:
    """A word left out of the sentence that follows on the context.

    Attributes:
        documents: Running prose; in code and verse there are too few sentences.
        sentences: How many sentences stand before the one with the blank and must hold the word.
        characters: When given, the context goes back further, to about this length in all, drawn log-uniformly.
        nouns: Share of the examples in which a noun is asked for where there is one, the others being names.
        size: How many examples there are.
    """

    documents: Sequence[str]
    sentences: int = 20
    characters: tuple[int, int] | None = None
    nouns: float = 0.4
    seed: int = 0
    size: int = 1_000_000

    def __post_init__(self):
        if not len(self.documents):
            raise ValueError("no documents to take sentences from; pass at least one book")
        if self.sentences < 1:
            raise ValueError(f"sentences must be at least 1, got {self.sentences}; 20 is usual")

    def __len__(self) -> int:
        return self.size

    def example(self, i: int) -> Example:
        """Example number ``i``.

        Raises:
            NoExample: when the documents hold no sentence that could be asked about.
        """
        rng = Random(f"{self.seed}/{i}")
        for _ in range(_TRIES):
            document = self.documents[rng.randrange(len(self.documents))]
            found = self._look(document, rng)
            if found:
                return found
        raise NoExample(
            f"found no sentence with a word to leave out in {_TRIES} places of {len(self.documents)} documents; "
            f"pass prose of more than {self.sentences} sentences a document"
        )

    def _look(self, document: str, rng: Random) -> Example | None:
        """A cloze near a random paragraph, None when there is none."""
        starts = paragraph_starts(document)
        start = starts[rng.randrange(len(starts))]
        window = document[start : start + 200 * (self.sentences + 4)]
        ranges = sentence_ranges(window)[:-1]  # the window's end cuts the last sentence
        kinds = ("noun", "name") if rng.random() < self.nouns else ("name", "noun")
        for number in range(self.sentences, len(ranges)):
            begin, (low, high) = ranges[number - self.sentences][0], ranges[number]
            found = _blank(window[low:high], window[begin:low], kinds, rng)
            if found:
                kind, sentence, word = found
                end = start + ranges[number - 1][1]
                context = document[self._reach(document, start + begin, end, rng) : end]
                return self._build(context, sentence, word, kind, rng)
        return None

    def _reach(self, document: str, begin: int, end: int, rng: Random) -> int:
        """Where the context starts: at the sentences, or at a paragraph further back when a length is asked for."""
        if self.characters is None:
            return begin
        starts = paragraph_starts(document)
        first = bisect_left(starts, end - draw_size(rng, self.characters))
        return min(begin, starts[first]) if first < len(starts) else begin

    def _build(self, context: str, sentence: str, word: str, kind: str, rng: Random) -> Example:
        seen = [m.span() for m in re.finditer(rf"\b{word}\b", context)][-1]
        # Speech has quotation marks of its own, and two pairs of the same kind cannot be told apart.
        wordings = [w for w in _WORDINGS if '"' not in w or '"' not in sentence]
        text = rng.choice(wordings).replace("{sentence}", sentence)
        return Example(context, (Question(text, word, seen, f"cloze/{kind}"),))

    def score(self, question: Question, reply: str) -> float:
        return exact(question, reply)


def _blank(sentence: str, before: str, kinds: Sequence[str], rng: Random) -> tuple[str, str, str] | None:
    """Kind, sentence with a blank, and the word; None when no word of the sentence will do."""
    if not 40 <= len(sentence) <= 400:
        return None
    sentence = " ".join(sentence.split())
    for kind in kinds:
        spans = _names(sentence, before) if kind == "name" else _nouns(sentence)
        spans = [s for s in spans if _fits(sentence[slice(*s)], sentence, before)]
        if spans:
            low, high = rng.choice(spans)
            return kind, sentence[:low] + BLANK + sentence[high:], sentence[low:high]
    return None


def _names(sentence: str, before: str) -> list[tuple[int, int]]:
    """Capitalised words that the text never writes small: "Rose" is no name where somebody rose."""
    spans = [m.span() for m in _NAME.finditer(sentence) if m[0] not in _NOT_NAMES]
    return [s for s in spans if not re.search(rf"\b{sentence[slice(*s)].lower()}\b", before)]


def _nouns(sentence: str) -> list[tuple[int, int]]:
    return [m.span(1) for m in _NOUN.finditer(sentence) if m[1] not in _NOT_NOUNS and not m[1].endswith("ly")]


def _fits(word: str, sentence: str, before: str) -> bool:
    """Whether the word stands once in the sentence (else it gives itself away) and somewhere before it."""
    pattern = re.compile(rf"\b{word}\b")
    return len(pattern.findall(sentence)) == 1 and bool(pattern.search(before))
