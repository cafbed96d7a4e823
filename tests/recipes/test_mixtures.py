"""What the models learn from: at every length each task has examples that fit."""

import pytest

from pollux.data.source import Corpus
from pollux.recipes.mixtures import long_mixture
from pollux.tasks.published.needle import CITIES, Needle
from pollux.tasks.task import NoExample
from pollux.tasks.variety import Variety
from pollux.tokens import template
from pollux.tokens.vocabulary import MODEL, shipped


@pytest.fixture(scope="module")
def corpus(text):
    return Corpus([text], [], [])


@pytest.mark.parametrize("length", [256, 512, 1024, 2048])
def test_every_task_has_examples_that_fit(corpus, length):
    vocabulary = shipped()
    sources = [source for source in long_mixture(corpus, vocabulary, 0)(length).sources if isinstance(source.task, Variety)]
    assert bool(sources) == (length >= 512)
    for source in sources:
        for which in range(len(source.task.tasks)):
            assert any(_fits(source, vocabulary, which + k * len(source.task.tasks)) for k in range(8)), (source.name, which)


def _fits(source, vocabulary, number: int) -> bool:
    try:
        return template.example(vocabulary, source.task.example(number)).size <= source.size
    except NoExample:
        return False


def test_rows_are_of_all_kinds(corpus):
    batch = long_mixture(corpus, shipped(), 0)(1024).batch(0, 4, 1024)
    assert (batch.tokens == MODEL).any(1).all() and (batch.source >= 0).any() and (batch.segment >= 0).mean() > 0.95


def test_needles_of_training_name_no_city_of_the_measurement(text):
    count = lambda s: len(s) // 4  # noqa: E731
    trained, asked = (
        {q.text for i in range(20) for q in Needle([text], 4000, count, needles=20, separate=True, training=t).example(i).questions}
        for t in (True, False)
    )
    assert trained and asked and not trained & asked
    assert all(any(city in question for city in CITIES) for question in trained)
    with pytest.raises(ValueError, match="Kamradt"):
        Needle([text], 4000, count, "kamradt", training=True)
