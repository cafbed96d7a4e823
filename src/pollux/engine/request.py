"""What is asked of the engine and what comes back. Plain data; no jax.

    Sampling ─┐
    questions ┴─> Engine.ask ──> Event, Event, … ──> Answer
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pollux.base.errors import ConfigError
from pollux.media.segment import Place

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
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0
    limit: int = 128
    stop: tuple[str, ...] = ()

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
