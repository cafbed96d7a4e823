"""What of a request is read into a context, which others may share, and what is its own turn on top of that. No jax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pollux.base.errors import ConfigError
from pollux.engine.request import Ask
from pollux.media.segment import Document, Text
from pollux.tokens import template
from pollux.tokens.stream import Stream, join
from pollux.tokens.vocabulary import Vocabulary

# The longest turn, in tokens: longer material is read, at linear cost.
LONGEST_TURN = 4096


@dataclass(frozen=True)
class Plan:
    """A request as tokens.

    Attributes:
        stream: What is read, after what was kept if the request names that. segments: those that its places refer to.
        turn: int32 [T], what comes between that and the answer.
    """

    stream: Stream
    segments: tuple[Text, ...]
    turn: np.ndarray

    @property
    def tokens(self) -> int:
        return self.stream.size + self.turn.size


def plan(vocabulary: Vocabulary, ask: Ask, longest: int = LONGEST_TURN) -> Plan:
    """Documents are read, then the oldest finished turns that the last one has no room for; the rest is that.

    Args:
        longest: Tokens that the turn may have; 0 where nothing is asked, and everything is read.
    """
    question = template.question(vocabulary, ask.question) if longest and ask.question.strip() else np.zeros(0, np.int32)
    turns = [template.turn(vocabulary, asked, answered) for asked, answered in ask.turns]
    first = _first_that_fits([turn.size for turn in turns], longest - question.size)
    stream, segments = documents(vocabulary, ask.documents)
    for turn, said in zip(turns[:first], ask.turns, strict=False):
        stream = join([stream, turn._replace(segment=np.where(turn.segment < 0, -1, turn.segment + len(segments)))])
        segments = (*segments, template.turn_text(*said))
    return Plan(stream, segments, np.concatenate([*(turn.ids for turn in turns[first:]), question]).astype(np.int32))


def _first_that_fits(sizes: Sequence[int], room: int) -> int:
    """The number of the first turn from which on all have room."""
    first = len(sizes)
    while first and sizes[first - 1] <= room:
        first -= 1
        room -= sizes[first]
    return first


def check(ask: Ask, size: int) -> None:
    """Refuse what cannot be a turn, given its tokens.

    Raises:
        ConfigError: when the question is empty, or longer than a turn.
    """
    if not ask.question.strip():
        raise ConfigError("the question is empty", "say what you want to know")
    if size > LONGEST_TURN:
        message = f"a question may have {LONGEST_TURN:,} tokens, this one has {size:,}"
        raise ConfigError(message, "give long material as a file, or as a text of its own before the question")


@lru_cache(maxsize=8)
def documents(vocabulary: Vocabulary, given: tuple[Document, ...]) -> tuple[Stream, tuple[Text, ...]]:
    """Documents' tokens and segments. Those of the last few requests are kept: what is counted is then asked about."""
    return template.documents(vocabulary, list(given)), tuple(segment for document in given for segment in document.segments)
