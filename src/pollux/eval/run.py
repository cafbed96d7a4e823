"""Tasks put to an engine: read each example's context, ask its questions, score replies and citations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from pollux.engine.engine import Engine
from pollux.engine.request import Answer, Sampling
from pollux.tasks.task import Example, Question, Task
from pollux.tokens.template import reading

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Outcome:
    """One question as it was answered.

    Attributes:
        scores: By name, each in [0, 1]. ``cited`` is there where the task knows the place: 1 when the first passage given as
            evidence overlaps it.
        tokens: Length of the context. depth: where the evidence stands in it, 0 to 1.
    """

    kind: str
    question: str
    answer: str
    reply: str
    scores: dict[str, float]
    tokens: int
    depth: float | None

    def row(self) -> dict:
        return asdict(self)


def run(engine: Engine, task: Task, count: int, progress: Progress | None = None, *, limit: int = 64, extra=()) -> list[Outcome]:
    """The first ``count`` questions of a task, example by example.

    Args:
        extra: Further scores as (name, function of question and reply).
    """
    outcomes: list[Outcome] = []
    for outcome in _outcomes(engine, task, Sampling(limit=limit), extra):
        outcomes.append(outcome)
        if progress:
            progress(len(outcomes), count)
        if len(outcomes) == count:
            break
    return outcomes


def _outcomes(engine: Engine, task: Task, sampling: Sampling, extra) -> Iterator[Outcome]:
    for examples in _groups(task):
        context = engine.read(reading(examples[0]))
        asked = [(example, question) for example in examples for question in example.questions]
        answers = engine.answer(context, [question.text for _, question in asked], sampling)
        for (example, question), answer in zip(asked, answers, strict=True):
            scores = {"exact": task.score(question, answer.text)}
            scores |= {name: score(question, answer.text) for name, score in extra}
            if question.evidence:
                scores["cited"] = float(cited(question, answer))
            depth = question.evidence[0] / len(example.context) if question.evidence else None
            yield Outcome(question.kind, question.text, question.answer, answer.text, scores, len(context), depth)


def _groups(task: Task) -> Iterator[list[Example]]:
    """Examples one by one; those without a context, whose questions carry everything, by the dozen, as they can share a batch."""
    bare: list[Example] = []
    for i in range(len(task)):
        example = task.example(i)
        if example.context:
            yield [example]
        else:
            bare.append(example)
        if len(bare) == 12:
            yield bare
            bare = []
    if bare:
        yield bare


def cited(question: Question, answer: Answer) -> bool:
    """Whether the first passage given as evidence overlaps the one that holds the answer."""
    if not answer.evidence or not question.evidence:
        return False
    place, (start, end) = answer.evidence[0].place, question.evidence
    return place.start < end and start < place.end
