"""What a server needs of an engine that answers many at once.

    Ask ─submit─> a queue by client ─> reading, a chunk at a time ─> answers, a token at a time ─> Said, Said, … to whoever asked
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from pollux.engine.request import Ask, Said
from pollux.perception.perceive import Perception
from pollux.tokens.vocabulary import Vocabulary

# Called from the engine's own thread, in order; has to return at once.
Listener = Callable[[Said], None]


@dataclass(frozen=True)
class Card:
    """What a model says of itself: its name, the weights' fingerprint, and the most tokens that it reads and answers with."""

    name: str
    version: str
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class Load:
    """What is going on: requests that wait, are being read for, are being answered; contexts at hand, their tokens, and the bytes
    of memory and of disk that they take; since the start, tokens read, found read already, and produced."""

    waiting: int = 0
    reading: int = 0
    answering: int = 0
    contexts: int = 0
    tokens: int = 0
    memory_bytes: int = 0
    disk_bytes: int = 0
    read: int = 0
    reused: int = 0
    produced: int = 0


class Ticket(Protocol):
    """A request that was taken."""

    def cancel(self) -> None:
        """Nobody wants it any more: nothing more is said of it, and no more work is done for it."""
        ...


class Service(Protocol):
    """Answers from any thread's questions. `many.desk.Desk` is one; tests have another that knows no model."""

    card: Card
    vocabulary: Vocabulary
    perception: Perception | None  # what makes pictures, sound and films into documents, where the model has senses
    ready: bool  # whether a first request need not wait for what is still being prepared

    def submit(self, ask: Ask, listener: Listener) -> Ticket:
        """Take a request. The last that is said of it is `Done` or `Failed`.

        Raises:
            BusyError: the queue is full. AwayError: it is closing. ConfigError: it can never be answered, as it is too long or
                names a kept context that is not there.
        """
        ...

    def tokens(self, ask: Ask) -> int:
        """How many tokens come before the answer, those of a kept context included: `Usage.prompt`. Raises ConfigError as
        `submit` does where a kept context is not there."""
        ...

    def keep(self, name: str, ask: Ask, path: Path, listener: Listener) -> Ticket:
        """Read what comes before a question (``ask.question`` may be empty) and keep it in a file, for `Ask.kept` to name. Raises
        as `submit` does."""
        ...

    def reopen(self, name: str, path: Path) -> int:
        """Have what was kept in a file before, under this name; gives its tokens. Raises ContextError where it cannot be used."""
        ...

    def forget(self, name: str) -> None:
        """What was kept under this name is no more to be used; its file is not touched. Requests under way go on."""
        ...

    def embed(self, texts: Sequence[str], client: str = "") -> np.ndarray:
        """A unit vector for each text, float32 [N, W]; waits for it. Raises BusyError and ConfigError as `submit` does."""
        ...

    def load(self) -> Load: ...

    def close(self, seconds: float = 0.0) -> None:
        """Take no more requests, wait so long for those under way, and let the others fail (AwayError)."""
        ...


