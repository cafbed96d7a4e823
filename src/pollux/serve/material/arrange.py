"""A conversation as it comes over the wire, arranged as the engine reads it: material, then finished turns, then the question.

Clients put a book and the question about it into one text. The model was taught with the material before the question, so what is
long is taken for material, in a message's last text up to where its last lines ask something. Where a message is files alone, the
words of the last one ask: a question may be written in a file, or spoken.
"""

from __future__ import annotations

import re
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
    documents = _system(system)
    said: list[str] = []
    for number, message in enumerate(merged, 1):
        material, text = _apart(message, number)
        documents += material
        said.append(text)
    question = said[-1] if said[-1].strip() else _asked_in(merged[-1])
    if not question:
        raise ApiError(400, "There is no question: the last message holds no text.")
    roles = [message.role for message in merged]
    return Ask(question, tuple(documents), _turns(roles[:-1], said[:-1]))


def begin(messages: Sequence[Message], system: str = "") -> tuple[tuple[Document, ...], tuple[Message, ...]]:
    """The material of a conversation's beginning, to be read before it is known how it goes on, and what is said in it beside that.

    These messages and further ones, arranged, ask what the whole asks, without this material: as long as the further ones begin
    with a text, where a long text is the last that was said.
    """
    merged = _merged(messages)
    documents = _system(system)
    said: list[Message] = []
    for number, message in enumerate(merged, 1):
        if number == len(merged):  # more may be said in it
            material, texts = _long(message, number, last=False)
        else:
            material, text = _apart(message, number)
            texts = [text]
        said.append(Message(message.role, tuple(texts)))
        documents += material
    return tuple(documents), tuple(said)


def _system(text: str) -> list[Document]:
    return [Document(SYSTEM, (Text(SYSTEM, text),))] if text.strip() else []


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
    documents, texts = _long(message, number, last=True)
    text = ("" if message.role == "model" else "\n").join(texts)
    if message.role == "user" and len(text) > LONG:
        cut = _question_start(text)
        documents.append(_material(text[:cut], number))
        text = text[cut:]
    return documents, text.strip()


def _long(message: Message, number: int, *, last: bool) -> tuple[list[Document], list[str]]:
    """A message's documents, a user's long texts among them, and its other texts; where it is whole, its ``last`` text is one of
    these however long."""
    said = [at for at, part in enumerate(message.parts) if isinstance(part, str) and part.strip()]
    documents: list[Document] = []
    texts: list[str] = []
    for at, part in enumerate(message.parts):
        if isinstance(part, Document):
            documents.append(part)
        elif message.role == "user" and len(part) > LONG and not (last and at == said[-1]):
            documents.append(_material(part, number))
        else:
            texts.append(part)
    return documents, texts


def _material(text: str, number: int) -> Document:
    name = f"(message {number})"
    return Document(name, (Text(name, text),))


def _asked_in(message: Message) -> str:
    """What a message of files alone asks: the words of the last that has any, as if they had been typed; of many the last lines."""
    segments = [segment for part in message.parts if isinstance(part, Document) for segment in part.segments]
    text = next((segment.text for segment in reversed(segments) if segment.text.strip()), "")
    return (text if len(text) <= LONG else text[_question_start(text) :]).strip()


def _question_start(text: str) -> int:
    """Where the question of a long text begins, near its end: with the last paragraph, line or sentence (of the longest of
    these there are) from which on there is a question mark, else with the last; where there are none, with some word."""
    end = len(text.rstrip())
    low = max(0, end - QUESTION)
    for mark in (r"\n\s*\n", r"\n", r"[.!?]\s"):
        starts = [match.end() for match in re.compile(mark).finditer(text, low, end) if match.end() < end]
        if starts:
            return max((start for start in starts if "?" in text[start:]), default=starts[-1])
    word = text.find(" ", low, end - 1)
    return word + 1 if word >= 0 else low


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
