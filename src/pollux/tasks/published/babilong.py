"""BABILong: the facts of a bAbI story scattered among the sentences of books, and the story's question at the end.

After Kuratov et al., arXiv 2406.10149, and its repository booydar/babilong: prompts are worded as in babilong/prompts.py, facts are
set between sentences as in babilong/babilong_utils.py, and replies are scored as in babilong/metrics.py. The stories come from
`published.babi` and the sentences from the documents given, so results compare in kind with published ones, not in number.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count as numbers
from random import Random

from pollux.tasks.prose import sentence_ranges
from pollux.tasks.published.babi import GIVERS, PLACES, TASKS, THINGS, Story, story
from pollux.tasks.published.haystack import replaced, running_text
from pollux.tasks.task import Example, Question

LABELS = {task: (*GIVERS, *THINGS) if task == "qa5" else PLACES for task in TASKS}
_HEAD = "{instruction}\n\n{examples}\n\n{post_prompt}\n\n<context>\n"
_TAIL = "\n</context>\n"  # the template has a blank line before the question; the second break is the caller's
_TRIES = 1000  # stories looked at before a length is declared too short for any
_WINDOW = 200_000  # characters of a document that are split into sentences at a time
_BLOCK = 100_000  # characters that are counted at a time, so that no text is ever counted twice, but for the last block
_SHORT = 40  # the original leaves out sentences of fewer than ten GPT-2 tokens, which are about as many characters

_LOCATIONS = (
    "I give you context with the facts about locations and actions of different persons hidden in some random text and a question."
    "{}You need to answer the question based only on the information from the facts.\n"
    "If a person got an item in the first location and travelled to the second location the item is also in the second location. "
    "If a person dropped an item in the first location and moved to the second location the item remains in the first location."
)
# Instruction, examples and closing instruction of each task, with the original's inconsistencies in spacing.
_PROMPTS = {
    "qa1": (
        "I will give you context with the facts about positions of different persons hidden in some random text and a question. "
        "You need to answer the question based only on the information from the facts. "
        "If a person was in different locations, use the latest location to answer the question.",
        "<example>\nCharlie went to the hallway. Judith come back to the kitchen. Charlie travelled to balcony. "
        "Where is Charlie?\nAnswer: The most recent location of Charlie is balcony.\n</example>\n\n"
        "<example>\nAlan moved to the garage. Charlie went to the beach. Alan went to the shop. Rouse travelled to balcony. "
        "Where is Alan?\nAnswer: The most recent location of Alan is shop.\n</example>",
        "Always return your answer in the following format: The most recent location of ’person’ is ’location’. "
        "Do not write anything else after that.",
    ),
    "qa2": (
        _LOCATIONS.format(""),
        "<example>\nCharlie went to the kitchen. Charlie got a bottle. Charlie moved to the balcony. "
        "Where is the bottle?\nAnswer: The bottle is in the balcony.\n</example>\n"
        "<example>\nAlan moved to the garage. Alan got a screw driver. Alan moved to the kitchen. "
        "Where is the screw driver?\nAnswer: The screw driver is in the kitchen.\n</example>",
        "Always return your answer in the following format: The ’item’ is in ’location’. Do not write anything else after that.",
    ),
    "qa3": (
        _LOCATIONS.format(" "),
        "<example>\nJohn journeyed to the bedroom. Mary grabbed the apple. Mary went back to the bathroom. "
        "Daniel journeyed to the bedroom. Daniel moved to the garden. Mary travelled to the kitchen. "
        "Where was the apple before the kitchen?\nAnswer: Before the kitchen the apple was in the bathroom.\n</example>\n"
        "<example>\nJohn went back to the bedroom. John went back to the garden. John went back to the kitchen. "
        "Sandra took the football. Sandra travelled to the garden. Sandra journeyed to the bedroom. "
        "Where was the football before the bedroom?\nAnswer: Before the bedroom the football was in the garden.\n</example>",
        "Always return your answer in the following format: Before the $location_1$ the $item$ was in the $location_2$. "
        "Do not write anything else after that.",
    ),
    "qa4": (
        "I will give you context with the facts about different people, their location and actions, hidden in some random text "
        "and a question. You need to answer the question based only on the information from the facts.",
        "<example>\nThe hallway is south of the kitchen. The bedroom is north of the kitchen. "
        "What is the kitchen south of?\nAnswer: bedroom\n</example>\n"
        "<example>\nThe garden is west of the bedroom. The bedroom is west of the kitchen. "
        "What is west of the bedroom?\nAnswer: garden\n</example>",
        "Your answer should contain only one word - location. Do not write anything else after that.",
    ),
    "qa5": (
        "I will give you context with the facts about locations and their relations hidden in some random text and a question. "
        "You need to answer the question based only on the information from the facts.",
        "<example>\nMary picked up the apple there. Mary gave the apple to Fred. Mary moved to the bedroom. "
        "Bill took the milk there. Who did Mary give the apple to?\nAnswer: Fred\n</example>\n"
        "<example>\nJeff took the football there. Jeff passed the football to Fred. Jeff got the milk there. "
        "Bill travelled to the bedroom. Who gave the football?\nAnswer: Jeff\n</example>\n"
        "<example>\nFred picked up the apple there. Fred handed the apple to Bill. Bill journeyed to the bedroom. "
        "Jeff went back to the garden. What did Fred give to Bill?\nAnswer: apple\n</example>",
        "Your answer should contain only one word. Do not write anything else after that. Do not explain your answer.",
    ),
}


@dataclass(frozen=True)
class Babilong:
    """A story's facts, in order, each at a random place among the sentences of books.

    The prompt is the context, a line break and the question.

    Attributes:
        documents: Running prose, the original's being PG19. An example starts at a random place of one and goes on through the
            documents that follow it, and through all again where they are too short.
        tokens: Length of the whole context, instruction and examples included; 0 for the facts with no other text around them.
        count: Tokens of a text.
        task: ``"qa1"`` to ``"qa5"``: one, two and three supporting facts, relations of two and of three.
        shots: Whether the prompt shows the original's solved examples.
        in_place: A fact is not set between sentences, but takes the place of words there that have as many tokens. Examples then
            share their text, the documents from a random one on, and a reader may keep what it made of it.
        others: Whether whatever else the story's facts answer is asked too, in a random order, for training.
        size: How many examples there are.
    """

    documents: Sequence[str]
    tokens: int
    count: Callable[[str], int]
    task: str = "qa1"
    shots: bool = True
    in_place: bool = False
    others: bool = False
    seed: int = 0
    size: int = 1_000_000

    def __post_init__(self):
        if self.task not in TASKS:
            raise ValueError(f"no BABILong task {self.task!r} here; choose one of {', '.join(TASKS)}")
        if self.tokens < 0:
            raise ValueError(f"tokens must not be negative, got {self.tokens}; 0 gives the facts alone")
        if self.tokens and not any(document and not document.isspace() for document in self.documents):
            raise ValueError("no text to hide facts in; pass at least one document that is not empty, or tokens=0")
        if self.in_place and not self.tokens:
            raise ValueError("facts alone, tokens=0, have no words to take the place of; leave in_place out")

    def __len__(self) -> int:
        return self.size

    def example(self, i: int) -> Example:
        """Example number ``i``.

        Raises:
            ValueError: when ``tokens`` is too short for any story of the task.
        """
        rng = Random(f"{self.seed}/{i}")
        head = self._head()
        told, room = self._draw(rng, self.tokens - self.count(head + _TAIL))
        if self.in_place:
            text, starts = self._among_words(told.facts, rng)
        else:
            sentences = _fill(self.documents, rng, self.count, room) if self.tokens else []
            text, starts = _scatter(told.facts, sentences, rng)
        asked = [(told.question, told.answer, told.support), *(told.others if self.others else ())]
        rng.shuffle(asked)
        questions = []
        for question, answer, support in asked:
            start = len(head) + starts[support[0]]
            evidence = (start, start + len(told.facts[support[0]]))
            questions.append(Question(f"Question: {question}", answer, evidence, f"babilong/{self.task}"))
        return Example(head + text + _TAIL, tuple(questions))

    def score(self, question: Question, reply: str) -> float:
        """1.0 when the answer is the one label that the reply's first sentence names, apart from those that the question names.

        The rule of babilong/metrics.py (``compare_answers``). Its cut at "Question" is left out, since it never takes effect: it
        looks for a capital in text that has been set in small letters.
        """
        said = reply.lower().split(".")[0].split("<context>")[0].split("<example>")[0]
        labels = {label.lower() for label in LABELS[self.task]}
        found = {label for label in labels if label in said and label not in question.text.lower()}
        return float(found == {question.answer.lower()})

    @cached_property
    def _text(self) -> str:
        """The text that all examples share where facts stand in the place of words."""
        start = Random(f"{self.seed}/text").randrange(len(self.documents))
        return running_text(self.documents, start, self.tokens - self.count(self._head() + _TAIL), self.count)

    def _among_words(self, facts: Sequence[str], rng: Random) -> tuple[str, list[int]]:
        """The shared text with facts, in their order, in the place of some of its words, and where each starts."""
        places = sorted(rng.randrange(len(self._text)) for _ in facts)
        text, starts = replaced(self._text, [f" {fact}" for fact in facts], places, self.count)
        return text, [start + 1 for start in starts]

    def _head(self) -> str:
        instruction, examples, closing = _PROMPTS[self.task]
        return _HEAD.format(instruction=instruction, examples=examples if self.shots else "", post_prompt=closing)

    def _draw(self, rng: Random, room: int) -> tuple[Story, int]:
        """A story that fits, and the tokens that it leaves. Long ones are passed over in short contexts, as in the original."""
        for _ in range(_TRIES):
            told = story(self.task, rng)
            left = room - self.count(" ".join(told.facts))
            if left >= 0 or not self.tokens:
                return told, left
        raise ValueError(
            f"tokens={self.tokens} leaves {room} for the facts of {self.task} and text around them, which is too few; "
            f"ask for at least {self.tokens - room + 100}, or pass shots=False, or tokens=0 for the facts alone"
        )


def _scatter(facts: Sequence[str], sentences: Sequence[str], rng: Random) -> tuple[str, list[int]]:
    """Facts between sentences, and where each starts. Any gap may take several facts, so also the first and the last."""
    gaps = sorted(rng.randrange(len(sentences) + 1) for _ in facts)
    parts: list[str] = []
    starts, at, length = [], 0, 0
    for fact, gap in zip(facts, gaps, strict=True):
        between = sentences[at:gap]
        length += sum(map(len, between)) + len(between)
        starts.append(length)
        parts += (*between, fact)
        at, length = gap, length + len(fact) + 1
    return " ".join((*parts, *sentences[at:])), starts


def _fill(documents: Sequence[str], rng: Random, count: Callable[[str], int], room: int) -> list[str]:
    """Sentences that come to ``room`` tokens; the last is cut off where it exceeds them, as in the original."""
    taken: list[str] = []
    block: list[str] = []
    size = 0
    for sentence in _sentences(documents, rng):
        block.append(sentence)
        size += len(sentence) + 1
        if size < min(_BLOCK, 8 * room):  # hardly a token has more than eight characters
            continue
        used = count(" ".join(block))
        if used > room:
            break
        taken += block
        block, size, room = [], 0, room - used
    whole = _fitting(block, count, room)
    words = block[whole].split()
    part = words[: _fitting(words, count, room - count(" ".join(block[:whole])))]
    return taken + block[:whole] + ([" ".join(part)] if part else [])


def _fitting(parts: Sequence[str], count: Callable[[str], int], room: int) -> int:
    """How many of the parts, from the first on, fit into the room."""
    return max(0, bisect_right(range(len(parts) + 1), room, key=lambda n: count(" ".join(parts[:n]))) - 1)


def _sentences(documents: Sequence[str], rng: Random) -> Iterator[str]:
    """Sentences without end, from a random place of a random document on."""
    first = rng.randrange(len(documents))
    start = rng.randrange(max(1, len(documents[first])))
    for number in numbers(first):
        yield from _split(documents[number % len(documents)], start)
        start = 0


def _split(document: str, start: int) -> Iterator[str]:
    """A document's sentences behind ``start``, but for short ones where there are others."""
    cut = start > 0  # the first one then is no whole sentence
    size = _WINDOW // 32  # most contexts need little, so windows start small
    while start < len(document):
        window = document[start : start + size]
        ranges = sentence_ranges(window)[cut:]
        start += len(window)
        if start < len(document) and len(ranges) > 1:
            start += ranges.pop()[0] - len(window)  # nor the last one of a window: the next begins with it
        sentences = [window[low:high] for low, high in ranges]
        yield from [s for s in sentences if len(s) >= _SHORT] or sentences
        cut, size = False, min(2 * size, _WINDOW)
