"""Tasks put to a subject, ours or a remote one: each example's questions asked, replies and citations scored.

    task -> Example -> Subject.ask -> Reply -> Outcome
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from pollux.base.errors import ConfigError
from pollux.engine.contexts.context import ReadContext
from pollux.engine.engine import Engine
from pollux.engine.request import LONGEST_ANSWER, Sampling
from pollux.media.segment import Document, Place, Spot
from pollux.perception.remember import Remembered, RememberedHearing
from pollux.tasks.task import Example, NoExample, Question, Task
from pollux.tokens.template import reading

Progress = Callable[[int, int], None]
# Examples without a context that are asked together: their questions carry everything, and can share a batch.
_BARE = 12
# Tokens of a reply: at least so many, and twice what the answer has, so that a right one is never cut short.
_LEAST = 64
# Examples in a row for which the texts hold nothing, before that is told.
_BARREN = 100


@dataclass(frozen=True)
class Outcome:
    """One question as it was answered.

    Attributes:
        scores: By name, each in [0, 1]. ``score`` is the task's own; ``cited`` is there where the task knows the place and the
            subject names one: 1 when the first passage given as evidence overlaps it, or, where the answer has parts from several
            places, one of the first so many.
        asked: Length of the context as it was asked for, in tokens; 0 where the task's texts have lengths of their own.
        tokens: Its length as the subject counts. depth: where the evidence stands in it, 0 to 1.
        end: Why the reply ended: "end" as it should; anything else, such as "limit", cut it short.
    """

    kind: str
    question: str
    answer: str
    reply: str
    scores: dict[str, float]
    asked: int
    tokens: int
    depth: float | None
    end: str


class Reply(NamedTuple):
    """What a subject replies, the passages that it gives as evidence, best first, and why it ended."""

    text: str
    places: tuple[Place | Spot, ...] = ()
    end: str = "end"


class Subject(Protocol):
    """Something that reads and answers. ``cites``: whether it says where its answers stand."""

    cites: bool

    def ask(self, examples: Sequence[Example]) -> tuple[int, list[Reply]]:
        """Every question of examples that share a context, or have none: tokens of it, and the replies in order."""
        ...


@dataclass
class Local:
    """Our own engine; greedy. The last context is kept: where the next differs in one place, only that is read again. So is what
    was seen and heard."""

    engine: Engine
    cites: bool = True
    context: ReadContext | None = None

    def __post_init__(self) -> None:
        if (found := self.engine.perception) is not None:
            self.engine.perception = replace(found, sight=Remembered(found.sight), hearing=RememberedHearing(found.hearing))

    def ask(self, examples: Sequence[Example]) -> tuple[int, list[Reply]]:
        context = self._read(reading(examples[0]))
        questions = [question for example in examples for question in example.questions]
        longest = max(self.engine.vocabulary.encode(question.answer).size for question in questions)
        limit = min(max(_LEAST, 2 * longest), LONGEST_ANSWER)
        answers = self.engine.answer(context, [q.text for q in questions], Sampling(limit=limit))
        return len(context), [Reply(a.text, tuple(e.place for e in a.evidence), a.reason) for a in answers]

    def _read(self, documents: list[Document]) -> ReadContext:
        if self.engine.perception is not None:
            documents = self.engine.perception.documents(documents)
        if self.context is None or not self.engine.amend(self.context, documents):
            self.context = None  # two long ones may not fit
            self.context = self.engine.read(documents)
        return self.context


class Keeper(Protocol):
    """Where outcomes go (`results.Kept`)."""

    outcomes: dict[int, tuple[Outcome, ...]]

    def add(self, number: int, outcomes: Sequence[Outcome]) -> None: ...


def measure(subject: Subject, task: Task, count: int, kept: Keeper, progress: Progress | None = None, *, asked=0, extra=()) -> None:
    """Ask until there are ``count`` questions' outcomes, example by example; those that are kept already are not asked again.

    Args:
        asked: The contexts' length in tokens, as the user put it.
        extra: Further scores as (name, function of question and reply).
    """
    found = sum(map(len, kept.outcomes.values()))
    if progress:
        progress(min(found, count), count)
    for group in _groups(task, kept.outcomes):
        if found >= count:
            break
        tokens, replies = subject.ask([example for _, example in group])
        following = iter(replies)
        for number, example in group:
            pairs = [(question, next(following)) for question in example.questions]
            kept.add(number, [_outcome(task, example, *pair, asked, tokens, extra, subject.cites) for pair in pairs])
            found += len(pairs)
        if progress:
            progress(min(found, count), count)


def _outcome(task: Task, example: Example, question: Question, reply: Reply, asked: int, tokens: int, extra, cites) -> Outcome:
    scores = {"score": task.score(question, reply.text)}
    scores |= {name: value for name, score in extra if (value := score(question, reply.text)) is not None}
    depth = question.depth
    if question.evidence:
        depth = question.evidence[0] / len(example.context)
    if question.evidence or question.moment:
        scores |= {"cited": float(cited(question, reply.places))} if cites else {}
    return Outcome(question.kind, question.text, question.answer, reply.text, scores, asked, tokens, depth, reply.end)


def cited(question: Question, places: Sequence[Place | Spot]) -> bool:
    """Whether one of the first places, as many as the answer is drawn from, overlaps the one that holds the answer, or the first
    is of the moment that does."""
    if question.moment is not None:
        first, last = question.moment
        spots = [place for place in places[:1] if isinstance(place, Spot) and place.start is not None]
        return any(spot.start < last and first <= spot.end for spot in spots)
    if question.evidence is None:
        return False
    start, end = question.evidence
    drawn = sum(within is not None for _, within in question.parts)
    return any(place.start < end and start < place.end for place in places[: max(1, drawn)])


def _groups(task: Task, done: Container[int]) -> Iterator[list[tuple[int, Example]]]:
    """Examples with their numbers, less those done, one by one; those without a context by the dozen."""
    bare: list[tuple[int, Example]] = []
    barren = 0
    for number in range(len(task)):
        if number in done:
            continue
        example = _example(task, number)
        barren = barren + 1 if example is None else 0
        if barren == _BARREN:
            raise ConfigError(f"the texts hold nothing to ask about in {barren} examples", "name others: --data DIR")
        if example is None:
            continue
        if example.context or example.documents:
            yield [(number, example)]
        else:
            bare.append((number, example))
        if len(bare) == _BARE:
            yield bare
            bare = []
    if bare:
        yield bare


def _example(task: Task, number: int) -> Example | None:
    """The example of that number, None where the texts hold nothing for it.

    Raises:
        ConfigError: the task cannot be made of these texts at this length.
    """
    try:
        return task.example(number)
    except NoExample:
        return None
    except ValueError as error:
        raise ConfigError(str(error), "ask for other --lengths, or name more texts: --data DIR") from error
