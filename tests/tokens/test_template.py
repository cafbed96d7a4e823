"""What a conversation becomes: every token's place, and exactly the answers scored."""

import numpy as np

from pollux.media.segment import Document, Text
from pollux.tasks.task import Example, Question
from pollux.tokens import template
from pollux.tokens.stream import join
from pollux.tokens.vocabulary import DOCUMENT, END, MODEL, PAGE, SPECIAL, USER, shipped

V = shipped()
ASKED = (Question("Who slept?", "the porter"), Question(" Where? ", " Lyon  "))
EXAMPLE = Example("The porter slept in Lyon.\nNobody knew.", ASKED, "day.txt")


def runs(mask):
    """[start, stop) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask, [0]])))
    return edges.reshape(-1, 2)


def test_exactly_the_answers_and_their_ends_are_scored():
    stream = template.example(V, EXAMPLE)
    scored = [stream.ids[a:b] for a, b in runs(stream.scored)]
    assert [V.decode(ids) for ids in scored] == [" the porter", " Lyon"]
    assert all(ids[-1] == END and (ids[:-1] >= SPECIAL).all() for ids in scored)
    assert all(stream.ids[a - 1] == MODEL for a, _ in runs(stream.scored))


def test_an_example_reads_as_a_conversation():
    stream = template.example(V, EXAMPLE)
    assert V.decode(stream.ids) == " day.txt\nThe porter slept in Lyon.\nNobody knew. Who slept? the porter Where? Lyon"
    assert stream.ids[stream.ids < SPECIAL].tolist() == [DOCUMENT, USER, MODEL, END, USER, MODEL, END]


def test_places_lead_back_to_the_context():
    stream = template.example(V, EXAMPLE)
    inside = stream.segment == 0
    assert "".join(EXAMPLE.context[a:b] for a, b in zip(stream.start[inside], stream.end[inside], strict=True)) == EXAMPLE.context
    assert V.decode(stream.ids[inside]) == EXAMPLE.context and set(stream.segment) == {-1, 0}


def test_serving_asks_as_training_does():
    """A question and an answer, one by one, are the tail of the example."""
    stream = template.example(V, EXAMPLE)
    turns = [part for q in ASKED for part in (template.question(V, q.text), template.answer(V, q.answer))]
    tail = np.concatenate(turns)
    assert (stream.ids[-tail.size :] == tail).all()


def test_segments_are_counted_across_documents_and_pages_are_labelled():
    book = Document("a.pdf", (Text("a.pdf", "First page.", page=1), Text("a.pdf", "Second page.", page=2)))
    note = Document("b.txt", (Text("b.txt", "A note."),))
    stream = template.documents(V, [book, note])
    assert not stream.scored.any()
    texts = ["First page.", "Second page.", "A note."]
    for number, text in enumerate(texts):
        here = stream.segment == number
        assert V.decode(stream.ids[here]) == text and stream.end[here].max() == len(text)
    assert stream.ids[stream.ids < SPECIAL].tolist() == [DOCUMENT, PAGE, PAGE, DOCUMENT]
    assert V.decode(stream.ids) == " a.pdf\n 1\nFirst page. 2\nSecond page. b.txt\nA note."


def test_nothing_is_an_empty_stream():
    assert template.documents(V, []).size == 0 and template.example(V, Example("", ())).size == 0
    assert join([template.own([1, 2]), template.own([])]).size == 2
