"""A conversation as it comes over the wire, arranged as the engine reads it: material, then finished turns, then the question.

Clients put a book and the question about it into one text. The model was taught with the material before the question, so what is
long is taken for material up to where its last lines ask something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pollux.engine.request import Ask
from pollux.media.segment import Document, Text
from pollux.serve.errors import ApiError

# A text of more characters than this is material; at most so many of its last ones are the question.
LONG, QUESTION = 2000, 1000
SYSTEM = "(system instruction)"


@dataclass(frozen=True)
class Message:
    """One side's say: texts and documents in order."""

    role: Literal["user", "model"]
    parts: tuple[str | Document, ...]


def arrange(messages: Sequence[Message], system: str = "") -> Ask:
    """The request that a conversation makes.

    Raises:
        ApiError: 400 where there is nothing to answer.
    """
    merged = _merged(messages)
    if not merged or merged[-1].role != "user":
        raise ApiError(400, "The last message has to be the user's: there is nothing to answer.")
    documents = [Document(SYSTEM, (Text(SYSTEM, system),))] if system.strip() else []
    said: list[str] = []
    for number, message in enumerate(merged, 1):
        material, text = _apart(message, number)
        documents += material
        said.append(text)
    if not said[-1].strip():
        raise ApiError(400, "There is no question: the last message holds no text.")
    roles = [message.role for message in merged]
    return Ask(said[-1], tuple(documents), _turns(roles[:-1], said[:-1]))


def _merged(messages: Sequence[Message]) -> list[Message]:
    """Neighbours of one role as one message: clients send an answer back as the pieces that it came in."""
    merged: list[Message] = []
    for message in messages:
        if merged and merged[-1].role == message.role:
            merged[-1] = replace(merged[-1], parts=merged[-1].parts + message.parts)
        else:
            merged.append(message)
    return merged


def _apart(message: Message, number: int) -> tuple[list[Document], str]:
    """A message's material, and what is said in it."""
    text = ("" if message.role == "model" else "\n").join(part for part in message.parts if isinstance(part, str))
    documents = [part for part in message.parts if isinstance(part, Document)]
    if message.role == "user" and len(text) > LONG:
        cut = _question_start(text)
        name = f"(message {number})"
        documents.append(Document(name, (Text(name, text[:cut]),)))
        text = text[cut:]
    return documents, text.strip()


def _question_start(text: str) -> int:
    """Where the question of a long text begins: behind the last empty line within reach, else the last line end, else the last
    sentence's beginning."""
    end = len(text.rstrip())
    low = max(0, end - QUESTION)
    for mark in ("\n\n", "\n", ". ", " "):
        at = text.rfind(mark, low, end - 1)
        if at >= 0:
            return at + len(mark)
    return low


def _turns(roles: Sequence[str], said: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Finished turns: what was asked with what was answered, empty where one side said nothing."""
    turns: list[tuple[str, str]] = []
    for role, text in zip(roles, said, strict=True):
        if role == "user":
            turns.append((text, ""))
        elif turns and not turns[-1][1]:
            turns[-1] = (turns[-1][0], text)
        else:
            turns.append(("", text))
    return tuple(turns)
