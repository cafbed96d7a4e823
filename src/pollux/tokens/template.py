"""How a conversation becomes one stream of tokens. Training and serving both come through here.

    <document> path \\n text … <page> 2 \\n text … <user> question <model> answer <end> <user> …

A question and an answer begin with a space, so that a name in them is the same token as in running text.
"""

from __future__ import annotations

import numpy as np

from pollux.media.segment import Document
from pollux.tasks.task import Example
from pollux.tokens.stream import Stream, join
from pollux.tokens.vocabulary import DOCUMENT, END, MODEL, PAGE, USER, Vocabulary


def own(ids: list[int] | np.ndarray, *, scored: bool = False) -> Stream:
    """Tokens that come from no document."""
    ids = np.asarray(ids, np.int32)
    nowhere, zero = np.full(ids.size, -1, np.int32), np.zeros(ids.size, np.int32)
    return Stream(ids, np.full(ids.size, scored), nowhere, zero, zero)


def _text(vocabulary: Vocabulary, text: str, segment: int) -> Stream:
    ids, start, end = vocabulary.encode_places(text)
    return Stream(ids, np.zeros(ids.size, bool), np.full(ids.size, segment, np.int32), start, end)


def _label(vocabulary: Vocabulary, token: int, text: str) -> Stream:
    return own([token, *vocabulary.encode(f" {text}\n")])


def documents(vocabulary: Vocabulary, reading: list[Document]) -> Stream:
    """Documents one after another; ``segment`` counts segments across all of them, in order."""
    streams, number = [own([])], 0
    for document in reading:
        streams.append(_label(vocabulary, DOCUMENT, document.path))
        for segment in document.segments:
            if segment.page is not None:
                streams.append(_label(vocabulary, PAGE, str(segment.page)))
            streams.append(_text(vocabulary, segment.text, number))
            number += 1
    return join(streams)


def question(vocabulary: Vocabulary, text: str) -> np.ndarray:
    """The tokens that ask: ends where the answer begins. int32 [T]."""
    return np.array([USER, *vocabulary.encode(f" {text.strip()}"), MODEL], np.int32)


def answer(vocabulary: Vocabulary, text: str) -> np.ndarray:
    """The tokens of an answer, its end included. int32 [T]."""
    return np.array([*vocabulary.encode(f" {text.strip()}"), END], np.int32)


def example(vocabulary: Vocabulary, item: Example) -> Stream:
    """A task's example as a conversation, every answer scored."""
    streams = [own([])]
    if item.context:
        streams += [_label(vocabulary, DOCUMENT, item.path), _text(vocabulary, item.context, 0)]
    for asked in item.questions:
        streams.append(own(question(vocabulary, asked.text)))
        streams.append(own(answer(vocabulary, asked.answer), scored=True))
    return join(streams)


def plain(vocabulary: Vocabulary, text: str, path: str = "") -> Stream:
    """A text with nothing asked."""
    return join([_label(vocabulary, DOCUMENT, path), _text(vocabulary, text, 0)])
