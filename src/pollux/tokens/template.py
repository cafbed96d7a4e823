"""How a conversation becomes one stream of tokens. Training and serving both come through here.

    <document> path \\n text … <page> 2 \\n text … <user> question <model> answer <end> <user> …

What was seen and heard is text among codes: <frame> 12:34 \\n words \\n codes … <audio> 12:35 \\n words \\n codes …

A question and an answer begin with a space, so that a name in them is the same token as in running text. An answer that training
copies from what was read is written in the very tokens that stand there (behind a quotation mark ``midnight`` is other tokens than
behind a space): to repeat it is then to copy it, and no spelling has to be known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pollux.media.segment import Document, Text
from pollux.media.transcript import Transcript
from pollux.tasks.task import Example
from pollux.tokens.stream import Lesson, Stream, join
from pollux.tokens.vocabulary import DOCUMENT, END, MODEL, PAGE, USER, Vocabulary

Range = tuple[int, int]  # of characters
Part = tuple[str, Range | None]  # of an answer (`tasks.task.Question`)
# What a turn of the conversation is called where evidence names a file.
TURN = "(this conversation)"


def own(ids: list[int] | np.ndarray) -> Stream:
    """Tokens that come from no document."""
    ids = np.asarray(ids, np.int32)
    nowhere, zero = np.full(ids.size, -1, np.int32), np.zeros(ids.size, np.int32)
    return Stream(ids, nowhere, zero, zero)


def _text(vocabulary: Vocabulary, text: str, segment: int) -> Stream:
    ids, start, end = vocabulary.encode_places(text)
    return Stream(ids, np.full(ids.size, segment, np.int32), start, end)


def _perceived(vocabulary: Vocabulary, seen: Transcript, segment: int) -> Stream:
    """The words of a transcript with its codes among them, each before the word that stands at its place."""
    words = _text(vocabulary, seen.text, segment)
    places = seen.places.astype(np.int32)
    codes = Stream(vocabulary.codes(seen.codes), np.full(places.size, segment, np.int32), places, places)
    both = join([words, codes])
    order = np.argsort(np.concatenate([2 * words.start + 1, 2 * places]), kind="stable")
    return Stream(*(column[order] for column in both))


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
            perceived = isinstance(segment, Transcript)
            streams.append(_perceived(vocabulary, segment, number) if perceived else _text(vocabulary, segment.text, number))
            number += 1
    return join(streams)


def question(vocabulary: Vocabulary, text: str) -> np.ndarray:
    """The tokens that ask: ends where the answer begins. int32 [T]."""
    return np.array([USER, *vocabulary.encode(f" {text.strip()}"), MODEL], np.int32)


def turn_text(question: str, answer: str) -> Text:
    """A finished turn as the text that its places refer to."""
    return Text(TURN, f"{question.strip()}\n{answer.strip()}")


def turn(vocabulary: Vocabulary, asked: str, answered: str, *, spaced: bool = True) -> Stream:
    """A finished turn, for a context to remember: its tokens as they were, each with its place in `turn_text`.

    Args:
        spaced: Whether the answer's tokens began with a space: where they were copied, they may not have.
    """

    def words(text: str, shift: int) -> Stream:
        part = _text(vocabulary, text, 0)
        return part._replace(start=np.maximum(part.start + shift, 0), end=part.end + shift)

    asked, answered = asked.strip(), answered.strip()
    # the space before the question is not in the text; the one before the answer is the line break there
    reply = words(f" {answered}", len(asked)) if spaced else words(answered, len(asked) + 1)
    return join([own([USER]), words(f" {asked}", -1), own([MODEL]), reply, own([END])])


def reading(item: Example) -> list[Document]:
    """An example's context as the files that it would be. Places in texts count from the context's start."""
    if item.documents:
        return list(item.documents)
    stops = [start for start, _ in item.files[1:]] + [len(item.context)]
    pieces = [(path, item.context[start:stop], start) for (start, path), stop in zip(item.files, stops, strict=True)]
    return [Document(path, (Text(path, text, start=start),)) for path, text, start in pieces if text]


def example(vocabulary: Vocabulary, item: Example) -> Lesson:
    """A task's example as a conversation."""
    files = reading(item)
    context = documents(vocabulary, files)
    inside = np.flatnonzero(context.segment >= 0)
    sizes = [len(segment.text) for document in files for segment in document.segments]
    first = np.cumsum([0, *sizes[:-1]], dtype=np.int32)
    starts = context.start[inside] + first[context.segment[inside]]
    source = _Source(item.context, context.ids[inside], inside, starts)
    parts, at = [_unasked(context.ids)], context.size
    for asked in item.questions:
        ids, text = question(vocabulary, asked.text), f" {asked.text.strip()}"
        own_ids, own_starts, _ = vocabulary.encode_places(text)
        itself = _Source(text, own_ids, at + 1 + np.arange(own_ids.size), own_starts)  # 1: the token that opens a question
        copied = asked.parts or ((asked.answer, asked.evidence),)
        parts += [_unasked(ids), _reply(vocabulary, asked.answer, copied, (source, itself))]
        at += ids.size + parts[-1].size
    return Lesson(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def plain(vocabulary: Vocabulary, text: str, path: str = "") -> Lesson:
    """A text with nothing asked."""
    return _unasked(join([_label(vocabulary, DOCUMENT, path), _text(vocabulary, text, 0)]).ids)


def _unasked(ids: np.ndarray) -> Lesson:
    return Lesson(ids, np.zeros(ids.size, bool), np.full(ids.size, -1, np.int32), np.full((ids.size, 2), -1, np.int32))


def _places(text: str, answer: str, start: int, end: int) -> int:
    """Where the answer's words first stand in text[start:end], in any case, and not inside longer words; -1 where they do not."""
    text, answer = text[start:end].lower(), answer.strip().lower()
    at = text.find(answer)
    while at >= 0:
        stop = at + len(answer)
        if not text[max(at - 1, 0) : at].isalnum() and not text[stop : stop + 1].isalnum():
            return start + at
        at = text.find(answer, at + 1)
    return -1


class _Source(NamedTuple):
    """The text that answers are copied from, and its tokens.

    ids, place, start: int32 [S], each token's id, its place in the stream and the character that it starts at.
    """

    text: str
    ids: np.ndarray
    place: np.ndarray
    start: np.ndarray

    def token(self, character: int | np.ndarray) -> int | np.ndarray:
        """The number of the token that holds a character."""
        return np.searchsorted(self.start, character, side="right") - 1


def _reply(vocabulary: Vocabulary, answer: str, copied: Sequence[Part], sources: tuple[_Source, _Source]) -> Lesson:
    """An answer, its parts copied (`Question.parts`) from the sources, the context and the question itself, and its end."""
    answer, pieces, at = answer.strip(), [], 0
    for part, within in copied:
        part = part.strip()
        start = answer.index(part, at)
        source = sources[0] if within else sources[1]
        piece = _copy(vocabulary, part, within or (0, len(source.text)), source)
        if between := answer[at:start]:
            # what is copied may begin with the space before it
            between = between.removesuffix(" ") if vocabulary.decode(piece.ids[:1]).startswith(" ") else between
            pieces.append(_answered(vocabulary.encode(between if at else f" {between}")))
        pieces.append(piece)
        at = start + len(part)
    pieces.append(_answered(np.append(vocabulary.encode(answer[at:]), np.int32(END))))  # its end is copied from nowhere
    return Lesson(*(np.concatenate(column) for column in zip(*pieces, strict=True)))


def _copy(vocabulary: Vocabulary, text: str, within: Range, source: _Source) -> Lesson:
    """Part of an answer, each token of it with the one that it repeats, if the range holds it, and the range to look at."""
    ids, _, ends = vocabulary.encode_places(f" {text}")
    found = _places(source.text, text, *within)
    if found < 0:
        return _answered(ids)
    first, last = source.token(np.array([found, found + len(text) - 1]))
    verbatim = source.ids[first : last + 1]
    if vocabulary.decode(verbatim).strip() == text:
        ids, token = verbatim, np.arange(first, last + 1)
    else:  # by a token's last character, which, unlike its first, is never the space that a word may begin with
        token = source.token(found + ends - 2)
    around = source.place[source.token(np.array(within) - [0, 1])].astype(np.int32)
    return Lesson(ids, np.ones(ids.size, bool), source.place[token].astype(np.int32), np.tile(around, (ids.size, 1)))


def _answered(ids: np.ndarray) -> Lesson:
    """Part of an answer that is copied from nowhere."""
    return _unasked(ids)._replace(answer=np.ones(ids.size, bool))
