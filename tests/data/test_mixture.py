"""Batch n is a pure function of (seed, n): whoever asks, in whatever order."""

import numpy as np
import pytest

from pollux.base.errors import ConfigError
from pollux.data.mixture import Mixture, Source
from pollux.tasks.task import Example, Question
from pollux.tokens.vocabulary import END, MODEL


class Names:
    """Ten examples; the longest does not fit a short row."""

    def __len__(self):
        return 10

    def example(self, i):
        return Example("It rained. " * i * i, (Question(f"Name {i}?", "aunt"),), ((0, f"{i}.txt"),))

    def score(self, question, reply):
        return float(question.answer == reply)


@pytest.fixture
def make(text, vocabulary):
    sources = lambda: (Source("names", 2.0, Names()), Source("prose", 1.0, texts=[text, text[5000:]]))  # noqa: E731
    return lambda seed=0: Mixture(sources(), vocabulary, seed)


def same(one, other):
    return all((a == b).all() for a, b in zip(one, other, strict=True))


def test_a_batch_is_a_function_of_seed_and_number(make):
    forward = [make().batch(n, 3, 64) for n in range(6)]
    mixture = make()
    backward = [mixture.batch(n, 3, 64) for n in reversed(range(6))][::-1]
    assert all(same(a, b) for a, b in zip(forward, backward, strict=True))
    assert not any(same(forward[i], forward[j]) for i in range(6) for j in range(i))
    assert not same(forward[0], make(1).batch(0, 3, 64))


def test_rows_hold_both_kinds_and_fit(make, vocabulary):
    batches = [make().batch(n, 4, 128) for n in range(8)]
    tokens = np.concatenate([b.tokens for b in batches])
    asked = (tokens == MODEL).any(1)
    assert asked.any() and (tokens < vocabulary.size).all() and tokens.dtype == np.int32
    for batch in batches:
        assert ((batch.segment >= 0).sum(1) > 128 - 16).all()
        # an answer that is scored ends with END, and nothing else of the template's is ever an answer
        assert set(batch.target[batch.answer & (batch.target < 32)]) <= {END}
    answers = np.concatenate([b.target[b.answer] for b in batches])
    assert vocabulary.decode(answers[answers != END]).replace(" aunt", "") == ""


def test_sources_are_drawn_by_weight(text, vocabulary):
    texts = Source("prose", 0.0, texts=[text])
    only = Mixture((Source("names", 1.0, Names()), texts), vocabulary).batch(0, 4, 64)
    assert (only.tokens == MODEL).any(1).all()
    never = Mixture((Source("names", 0.0, Names()), Source("prose", 1.0, texts=[text])), vocabulary).batch(0, 4, 64)
    assert not (never.tokens == MODEL).any()


def test_what_cannot_be_mixed_is_refused(vocabulary, text):
    with pytest.raises(ConfigError, match="running text"):
        Mixture((Source("names", 1.0, Names()),), vocabulary)
    for wrong in ({}, {"task": Names(), "texts": [text]}):
        with pytest.raises(ConfigError, match="either a task or texts"):
            Source("both", 1.0, **wrong)


def test_a_task_that_finds_nothing_to_ask_gives_way_to_text(vocabulary, text):
    from pollux.tasks.cloze import Cloze

    silent = Source("cloze", 1, Cloze(["no sentence and no name in here " * 40]))
    mixture = Mixture((silent, Source("prose", 1e-9, texts=(text,))), vocabulary)
    assert mixture.batch(0, 1, 128).weight.sum() > 0
