"""What a task is: examples to train on and to be asked, and a score for a reply.

A task is three things: ``len(task)``, ``task.example(i)`` and ``task.score(question, reply)``. The same task makes training
data, evaluation items and rewards, so that these can never drift apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from pollux.media.segment import Document


@dataclass(frozen=True)
class Question:
    """One thing to ask about an example's context.

    Attributes:
        text: What the user asks.
        answer: The exact reply that is wanted.
        evidence: Character range [start, end) in ``Example.context`` that holds the answer, None where there is none.
        parts: The answer's parts in order, each with the range in ``Example.context`` that holds it, None where the question does,
            if no one place holds the whole; what stands between them in the answer is the answerer's own.
        moment: From which second until which of a film or a sound the answer is there; None for texts.
        depth: Where in the whole it stands, 0 to 1, where no evidence tells.
        kind: A label by which results are grouped, such as ``"recall/heldout/after/h017"``.
    """

    text: str
    answer: str
    evidence: tuple[int, int] | None = None
    kind: str = ""
    parts: tuple[tuple[str, tuple[int, int] | None], ...] = ()
    moment: tuple[float, float] | None = None
    depth: float | None = None


@dataclass(frozen=True)
class Example:
    """A context and the questions about it.

    Attributes:
        files: The files that the context is made of, one after another: the character at which each starts (the first at 0), and
            its path, empty where it has no name.
        documents: Instead, what was seen and heard, the context being the text of all their segments, one after another; or files
            that are still to be seen and heard, without a context.
    """

    context: str
    questions: tuple[Question, ...]
    files: tuple[tuple[int, str], ...] = ((0, ""),)
    documents: tuple[Document, ...] = ()


class NoExample(ValueError):
    """The documents hold nothing that this task could ask about."""


class Examples(Protocol):
    """Examples by number, the same one each time a number is asked for. To train on them takes no more."""

    def __len__(self) -> int: ...

    def example(self, i: int) -> Example: ...


class Task(Examples, Protocol):
    """Examples, and a score in [0, 1] for a reply."""

    def score(self, question: Question, reply: str) -> float: ...


def normalise(reply: str) -> str:
    """Fold case, white space and closing punctuation, so that only a difference that a reader would mind counts."""
    return re.sub(r"\s+", " ", reply).strip().strip(".\"'").casefold()


def exact(question: Question, reply: str) -> float:
    """1.0 when the reply is the answer (see `normalise`), else 0.0."""
    return float(normalise(reply) == normalise(question.answer))
