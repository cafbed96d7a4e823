"""A transcript in the stream: its words where they would stand without codes, its codes between them, each with its place."""

import numpy as np
import pytest

from pollux.media.segment import Document, Text
from pollux.media.transcript import CODES, FRAME, PICTURE, SIGHTS, SOUND, Run, Writer
from pollux.tokens import template
from pollux.tokens.vocabulary import AUDIO, IMAGE, SPECIAL, shipped
from pollux.tokens.vocabulary import FRAME as FRAME_ID


@pytest.fixture
def transcript():
    writer = Writer("film.mp4")
    for second in range(3):
        writer.mark(FRAME)
        writer.words([Run(f"00:0{second}\n", second, second), Run(f"word{second} ", second, second, (0.1, 0.2, 0.3, 0.4))])
        writer.words([Run("again\n", second, second, (0.5, 0.2, 0.6, 0.45))])
        writer.codes(np.array([second, 1023]))
    writer.mark(SOUND)
    writer.words([Run("00:03\n", 3, 4), Run("spoken\n", 3.2, 3.6)])
    writer.codes(np.array([SIGHTS, CODES - 1]))
    return writer.done()


def test_words_and_codes_come_in_order(transcript):
    vocabulary = shipped()
    before, after = Text("a.txt", "One text."), Text("b.txt", "Another.")
    documents = [Document("a.txt", (before,)), Document("film.mp4", (transcript,)), Document("b.txt", (after,))]
    stream = template.documents(vocabulary, documents)
    inside = stream.segment == 1
    ids = stream.ids[inside]
    words = (ids >= SPECIAL) & (ids < vocabulary.size)
    assert vocabulary.decode(ids[words]) == transcript.text
    marks = ids[ids < SPECIAL].tolist()
    assert marks == [FRAME_ID] * 3 + [AUDIO]
    codes = ids[ids >= vocabulary.size] - vocabulary.size
    assert codes.tolist() == [0, 1023, 1, 1023, 2, 1023, SIGHTS, CODES - 1]
    pieces = np.split(ids, np.flatnonzero(ids < SPECIAL))[1:]
    said = [vocabulary.decode(piece[(piece >= SPECIAL) & (piece < vocabulary.size)]) for piece in pieces]
    assert said == ["00:00\nword0 again\n", "00:01\nword1 again\n", "00:02\nword2 again\n", "00:03\nspoken\n"]
    assert all((np.diff((piece[1:] >= vocabulary.size).astype(int)) >= 0).all() for piece in pieces)  # words, then codes
    for token in np.flatnonzero(inside):
        assert transcript.place(int(stream.start[token]), int(stream.end[token])).path == "film.mp4"


def test_places_are_moments_and_parts_of_pictures(transcript):
    at = transcript.text.index("word1")
    spot = transcript.place(at, at + 5)
    assert (spot.start, spot.end, spot.time) == (1, 1, "00:01") and spot.region == pytest.approx((0.1, 0.2, 0.3, 0.4))
    assert transcript.place(at, at + 11).region == pytest.approx((0.1, 0.2, 0.6, 0.45))
    over = transcript.place(at, transcript.text.index("word2") + 5)
    assert (over.start, over.end, over.region) == (1, 2, None)
    spoken = transcript.text.index("spoken")
    assert (transcript.place(spoken, spoken + 6).start, transcript.place(spoken, spoken + 6).end) == pytest.approx((3.2, 3.6))


def test_codes_are_ids_behind_the_text(transcript):
    vocabulary = shipped()
    ids = vocabulary.codes(np.array([PICTURE, 0, CODES - 1]))
    assert ids.tolist() == [IMAGE, vocabulary.size, vocabulary.size + CODES - 1]
    assert vocabulary.decode(ids) == ""
