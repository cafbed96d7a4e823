"""A context in which a stretch of text was exchanged equals one that was read so, to the last bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pollux.base.weights import initial
from pollux.engine.contexts.context import ReadContext
from pollux.engine.engine import Engine
from pollux.engine.request import Sampling
from pollux.engine.runner import Runner
from pollux.media.segment import Document, Text
from pollux.model.sizes import family
from pollux.model.transformer import weight_table
from pollux.tokens.vocabulary import shipped

TINY = family()["tiny"]
CONFIG = replace(TINY, vocab_size=8192, layers=TINY.layers * 2, reading_window=32)
LINES = [f"Line {i} says that the colour of box {i * 7} is {'red' if i % 2 else 'green'}, as it was." for i in range(60)]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(Runner(initial(weight_table(CONFIG), 0), CONFIG, "test"), shipped())


def documents(*changes: tuple[int, str]) -> list[Document]:
    """Two files, the second with some lines' colours exchanged."""
    lines = list(LINES)
    for number, colour in changes:
        lines[number] = lines[number].replace("green", colour)
    texts = "A note.\n" * 9, "\n".join(lines)
    return [Document(path, (Text(path, text),)) for path, text in zip(("a.txt", "b.txt"), texts, strict=True)]


def assert_same(found: ReadContext, truth: ReadContext) -> None:
    for a, b in zip(found.stream, truth.stream, strict=True):
        np.testing.assert_array_equal(a, b)
    assert found.segments == truth.segments
    for i, store in truth.stores.items():
        for name, x in store.arrays.items():
            kept = found.stores[i].arrays[name]
            axis = x.shape.index(store.size)
            np.testing.assert_array_equal(*(y.take(range(len(truth)), axis) for y in (kept, x)), err_msg=f"{i}.{name}")
    for name, x in truth.tails.items():
        np.testing.assert_array_equal(found.tails[name], x, err_msg=name)


@pytest.mark.parametrize("lines", [(0,), (2,), (30,), (30, 32), (56,), (58,)])
def test_an_amended_context_is_as_if_read_so(engine, lines):
    context, changed = engine.read(documents()), documents(*((line, "black") for line in lines))
    assert len(context) > 6 * CONFIG.reach
    before = {i: store.value.code.copy() for i, store in context.stores.items()}
    assert engine.amend(context, changed)
    assert_same(context, engine.read(changed))
    assert all((store.value.code != before[i]).any() for i, store in context.stores.items())
    sampling, question = Sampling(limit=6), ["What colour is box 14?"]
    assert engine.answer(context, question, sampling) == engine.answer(engine.read(changed), question, sampling)
    assert engine.amend(context, documents())
    assert_same(context, engine.read(documents()))


@pytest.mark.parametrize(("before", "after"), [(2, 30), (30, 2), (30, 56), (30, 32), (0, 58)])
def test_what_is_moved_is_read_where_it_was_and_where_it_is(engine, before, after, monkeypatch):
    context, chunks = engine.read(documents((before, "yellow"))), []
    read = engine.runner.read
    monkeypatch.setattr(engine.runner, "read", lambda context, at, *rest: chunks.append(at) or read(context, at, *rest))
    assert engine.amend(context, documents((after, "yellow")))
    monkeypatch.undo()
    assert_same(context, engine.read(documents((after, "yellow"))))
    assert len(chunks) * engine.runner.chunk < 0.8 * len(context)


def test_a_context_is_amended_where_the_words_have_other_lengths(engine):
    """As many tokens in more characters: the places of all that follow move."""
    context, changed = engine.read(documents((30, "red"))), documents((30, "yellow"))
    assert engine.amend(context, changed)
    assert_same(context, engine.read(changed))


def test_what_is_reread_is_what_a_change_can_reach(engine, monkeypatch):
    context, chunks = engine.read(documents()), []
    read = engine.runner.read
    monkeypatch.setattr(engine.runner, "read", lambda context, at, *rest: chunks.append(at) or read(context, at, *rest))
    assert engine.amend(context, documents((30, "black")))
    assert chunks[0] > 0 and chunks[-1] + engine.runner.chunk < len(context) - engine.runner.chunk


def test_what_differs_in_other_ways_is_left_alone(engine):
    context = engine.read(documents())
    truth = engine.read(documents())
    longer = documents((30, "black and blue"))
    other = [Document("c.txt", (replace(documents()[0].segments[0], path="c.txt"),)), documents()[1]]
    both = [Document(d.path, (replace(d.segments[0], text=d.segments[0].text.replace("A", "The").replace("red", "blue")),))
            for d in documents()]  # fmt: skip
    for documents_ in (longer, other, both, documents()[:1], []):
        assert not engine.amend(context, documents_)
    assert engine.amend(context, documents())
    assert_same(context, truth)
