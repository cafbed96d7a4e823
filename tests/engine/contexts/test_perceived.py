"""A context of what was seen and heard: saved and reopened as it was, cited by time, and not for a model that reads text alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from pollux.base.errors import ConfigError
from pollux.base.weights import initial
from pollux.engine.contexts.context import ReadContext
from pollux.engine.engine import Engine
from pollux.engine.evidence import passages
from pollux.engine.request import Sampling
from pollux.engine.runner import Runner
from pollux.media.segment import Document, Text
from pollux.media.transcript import CODES, FRAME, Run, Writer
from pollux.model.sizes import ModelConfig, family
from pollux.model.transformer import weight_table
from pollux.tokens.vocabulary import shipped

SENSED = replace(family()["tiny"], vocab_size=8192, codes=CODES)


def engine(config: ModelConfig) -> Engine:
    return Engine(Runner(initial(weight_table(config), 0), config, "test"), shipped())


def film():
    writer = Writer("film.mp4")
    for second in range(40):
        writer.mark(FRAME)
        writer.words([Run(f"00:{second:02}\n", second, second), Run(f"Word{second}\n", second, second, (0.1, 0.2, 0.3, 0.4))])
        writer.codes(np.arange(8) * 100 + second)
    return writer.done()


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    return [Document("a.txt", (Text("a.txt", "The first.\n", lines=((0, 7),)),)), Document("film.mp4", (film(),))]


def test_saved_and_reopened_it_is_the_same(documents, tmp_path):
    there = engine(SENSED)
    context = there.read(documents, save=tmp_path / "film.ctx")
    again = ReadContext.load(tmp_path / "film.ctx", "test")
    before, after = context.segments[1], again.segments[1]
    for name in ("codes", "places"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    at = before.text.index("Word17")
    assert before.text == after.text and before.place(at, at + 6) == after.place(at, at + 6)
    assert again.segments[0] == documents[0].segments[0]
    answers = [there.answer(each, ["Which word is at 00:17?"], Sampling(limit=4))[0].tokens for each in (context, again)]
    assert answers[0] == answers[1] and max(answers[0]) < SENSED.vocab_size


def test_evidence_is_a_moment(documents):
    context = engine(SENSED).read(documents)
    stream = context.stream
    at = context.segments[1].text.index("Word17")
    token = int(np.flatnonzero((stream.segment == 1) & (stream.start <= at) & (stream.end > at))[0])
    (found,) = passages(context, Counter({token: 1.0}), "Word17")
    assert (found.place.path, found.place.start, found.place.time) == ("film.mp4", 17.0, "00:17")
    assert found.place.region == pytest.approx((0.1, 0.2, 0.3, 0.4)) and "Word17" in found.place.snippet


def test_a_model_of_text_alone_refuses(documents):
    with pytest.raises(ConfigError, match="text alone"):
        engine(replace(SENSED, codes=0)).read(documents)
