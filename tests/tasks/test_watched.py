"""Made transcripts: what is asked stands where it is said to stand, and the stream holds words, times and codes."""

import numpy as np
import pytest

from pollux.tasks.task import NoExample
from pollux.tasks.watched import Watched
from pollux.tokens import template
from pollux.tokens.vocabulary import shipped

PLACES = "pier mill farm".split() * 80
TEXT = " ".join(f"The keeper of lamp {n} rowed to the {place} before noon, and said nothing." for n, place in enumerate(PLACES))
KINDS = {"watched/film", "watched/sound", "watched/pictures"}


def task(tokens: int = 1024, seed: int = 0) -> Watched:
    return Watched([TEXT], tokens, lambda text: shipped().encode(text).size, seed)


def examples(tokens: int = 1024, count: int = 60) -> list:
    found = []
    for i in range(count):
        try:
            found.append(task(tokens).example(i))
        except NoExample:
            continue
    return found


def test_answers_stand_at_their_places():
    made = examples()
    questions = [question for example in made for question in example.questions]
    assert {question.kind for question in questions} == KINDS and len(made) > 40
    for example in made:
        assert example.context == "".join(s.text for document in example.documents for s in document.segments)
        assert len({question.text for question in example.questions}) == len(example.questions)
        for question in example.questions:
            for words, place in question.parts or ((question.answer, question.evidence),):
                assert example.context[slice(*place)] == words and words in question.answer
            assert task().score(question, question.answer.upper()) == 1 and task().score(question, "no") == 0
    asked = " ".join(question.text for question in questions)
    assert all(words in asked for words in ("secret word", "secret keyword", "At what time", "shown at", "said", "What does"))


@pytest.mark.parametrize("tokens", [512, 2048])
def test_lessons_fit_mostly_and_answers_are_copied(tokens):
    vocabulary = shipped()
    lessons = [template.example(vocabulary, example) for example in examples(tokens)]
    sizes = np.array([lesson.size for lesson in lessons])
    assert (sizes <= tokens).mean() > 0.8 and np.median(sizes) > tokens / 2
    for lesson in lessons:
        copied = lesson.answer & (lesson.source >= 0)
        assert copied[lesson.answer].mean() > 0.6 and (lesson.ids[copied] == lesson.ids[lesson.source[copied]]).mean() > 0.8
    codes = np.concatenate([lesson.ids for lesson in lessons])
    assert 0.1 < (codes >= vocabulary.size).mean() < 0.95
    assert not (np.concatenate([lesson.ids[lesson.answer] for lesson in lessons]) >= vocabulary.size).any()


def test_examples_are_a_function_of_seed_and_number():
    a, b, other = task().example(3), task().example(3), task(seed=1).example(3)
    assert a.context == b.context != other.context and a.questions == b.questions
    np.testing.assert_array_equal(a.documents[0].segments[0].codes, b.documents[0].segments[0].codes)
