"""What is asked of the engine and what comes back. Plain data; no jax.

    Sampling ─┐
    questions ┴─> Engine.ask ──> Event, Event, … ──> Answer

    Ask ──> Service.submit ──> Progress … Piece … Done | Failed
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pollux.base.errors import ConfigError
from pollux.media.segment import Document, Place

# Room for an answer is set aside before it begins; the limit is that of Gemini 1.5 (8,192 tokens of output).
LONGEST_ANSWER = 8192


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        temperature: 0 always takes the likeliest token (greedy); higher is more varied.
        top_k: Keep the k likeliest tokens, 0 for all. top_p: keep the likeliest tokens that together reach this probability.
        seed: The same seed gives the same answer. limit: At most this many tokens are produced.
        stop: The answer ends before any of these strings.
        presence: Taken off the logit of each token that is in the answer already. frequency: for each time that it is there.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0
    limit: int = 128
    stop: tuple[str, ...] = ()
    presence: float = 0.0
    frequency: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            raise ConfigError(f"temperature must be 0 or more, got {self.temperature}", "0 is greedy, 1 is the model's own spread")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top-p must be above 0 and at most 1, got {self.top_p}", "1 keeps every token")
        if self.top_k < 0:
            raise ConfigError(f"top-k must be 0 or more, got {self.top_k}", "0 keeps every token")
        if not 1 <= self.limit <= LONGEST_ANSWER:
            raise ConfigError(f"an answer may have 1 to {LONGEST_ANSWER:,} tokens, got a limit of {self.limit:,}")
        if self.seed < 0:
            raise ConfigError(f"the seed must be 0 or more, got {self.seed}")
        if "" in self.stop:
            raise ConfigError("a stop string must not be empty", "leave it out instead")
        if not all(map(math.isfinite, (self.presence, self.frequency))):
            raise ConfigError(f"penalties must be finite, got {self.presence} and {self.frequency}", "0 is none")


@dataclass(frozen=True)
class Evidence:
    """A passage that the answer was drawn from: where it stands, and the share of retrieval attention that went to it (0 to 1)."""

    place: Place
    share: float


@dataclass(frozen=True)
class Answer:
    """A finished answer. ``reason`` is ``"end"``, ``"stop"`` (a stop string) or ``"limit"``; evidence is best first."""

    text: str
    tokens: tuple[int, ...]
    evidence: tuple[Evidence, ...]
    reason: str


@dataclass(frozen=True)
class Event:
    """A piece of an answer's text as it is produced, for question number ``row``; the last one carries the whole answer."""

    row: int
    text: str
    answer: Answer | None = None


class Constraint(Protocol):
    """What may come next in an answer that has to have some form. One for each answer; used by the engine's thread alone."""

    def allowed(self) -> np.ndarray:
        """bool [V]: the tokens that may come next; that which ends a turn (`vocabulary.END`) where the answer may end."""
        ...

    def take(self, token: int) -> None:
        """Note the token that was chosen."""
        ...


@dataclass(frozen=True)
class Ask:
    """One request to a `Service`.

    Attributes:
        question: What is asked now.
        documents: What is read before it, in order. What begins with the same tokens as something read before is not read again.
        turns: Finished turns, (asked, answered), between the documents and the question.
        kept: The name of a context that `Service.keep` read, which comes before the documents.
        constraint: Makes what the answer is constrained by; None where it is free.
        top: Report the log probability of each token produced, and of so many of the likeliest; None for none of that.
        client: Who asks. Clients have turns: one that asks much does not keep the others waiting.
        deadline: On the clock of `time.monotonic`: when the answer is of no more use. None for never.
    """

    question: str
    documents: tuple[Document, ...] = ()
    turns: tuple[tuple[str, str], ...] = ()
    kept: str | None = None
    sampling: Sampling = Sampling()
    constraint: Callable[[], Constraint] | None = None
    top: int | None = None
    client: str = ""
    deadline: float | None = None


@dataclass(frozen=True)
class Progress:
    """How many of a request's tokens are read, of how many; those found read already count as read."""

    done: int
    total: int


@dataclass(frozen=True)
class Produced:
    """A token of an answer: its number, its bytes, its natural log probability, and the likeliest (number, log probability)."""

    token: int
    bytes: bytes
    log_probability: float = 0.0
    likeliest: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Piece:
    """Text of an answer as it is produced, and the tokens since the piece before. The text may be empty, or lag behind the tokens:
    half a character is not shown, nor what may turn out to begin a stop string."""

    text: str
    tokens: tuple[Produced, ...]


@dataclass(frozen=True)
class Usage:
    """Tokens of a request: of all that came before the answer; of these, found read already; of the answer."""

    prompt: int
    kept: int
    produced: int


@dataclass(frozen=True)
class Done:
    """The last thing said of a request that went well. The answer is None where nothing was asked (`Service.keep`)."""

    answer: Answer | None
    usage: Usage


@dataclass(frozen=True)
class Failed:
    """The last thing said of a request that did not. An error that is no `PolluxError` is a bug."""

    error: Exception


Said = Progress | Piece | Done | Failed
