"""Facts are found where the evidence says, every question has one answer, and held-out words stay held out."""

import pytest

from pollux.tasks.facts import load_phrasings
from pollux.tasks.lexicon import split_of
from pollux.tasks.recall import Recall

DAY = "It was day {} of the long rain. Nobody went out.\nThe porter slept, and the lamp burned."
BOOK = "\n\n".join(DAY.format(n) for n in range(400))
DENSE = {"share": (1.0, 1.0), "questions": (50, 50)}
SIDES = ("train", "heldout")


def examples(count=40, **options):
    task = Recall([BOOK], **options)
    return [task.example(i) for i in range(count)]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("options", [{}, {"share": (0.2, 0.6)}, DENSE, {"characters": (100, 200)}])
def test_the_evidence_holds_the_answer(side, options):
    for example in examples(phrasings=side, split=side, **options):
        assert example.questions
        for question in example.questions:
            start, end = question.evidence
            assert question.answer in example.context[start:end]
            assert question.kind.startswith(f"recall/{side}/") and "{" not in question.text + example.context


@pytest.mark.parametrize("side", SIDES)
def test_no_question_is_asked_twice_nor_has_two_answers(side):
    for example in examples(phrasings=side, split=side, characters=(3000, 3000), **DENSE):
        texts = [q.text for q in example.questions]
        answers = [q.answer for q in example.questions]
        assert len(set(texts)) == len(texts) and len(set(answers)) == len(answers)
        assert len({q.evidence for q in example.questions}) == len(texts)


def test_the_same_number_gives_the_same_example_and_another_seed_another():
    assert examples(5) == examples(5)
    assert examples(5) != examples(5, seed=1)


def test_contexts_have_the_length_asked_for():
    for example in examples(characters=(2000, 2000)):
        assert 1500 <= len(example.context) <= 2000
    for example in examples(characters=(2000, 2000), share=(1.0, 1.0)):
        assert 1500 <= len(example.context) <= 2100
        assert "the lamp burned" not in example.context


def test_no_phrasing_stands_in_both_files():
    train, heldout = map(load_phrasings, SIDES)
    assert {p.id for p in train}.isdisjoint(p.id for p in heldout)
    assert len({p.id for p in train}) == len(train) and len({p.id for p in heldout}) == len(heldout)
    statements = {text for p in train for text in p.statements}
    assert statements.isdisjoint(text for p in heldout for text in p.statements)


def test_every_phrasing_makes_examples():
    for side in SIDES:
        for phrasing in load_phrasings(side):
            task = Recall([BOOK], phrasings=side, split=side, only=(phrasing.id,))
            assert all(q.kind.endswith(phrasing.id) for i in range(3) for q in task.example(i).questions)


def test_borrowed_names_and_values_are_words_of_the_documents():
    words = {word for word in BOOK.lower().replace(".", "").replace(",", "").split() if word.isalpha()}
    found = [q for e in examples(100, borrowed=1.0, **DENSE) for q in e.questions]
    borrowed = [q for q in found if set(q.answer.lower().split()) <= words]
    assert 0.1 < len(borrowed) / len(found) < 0.5
    assert all(split_of(word) == "train" for q in borrowed for word in q.answer.split())
    own = [set(q.answer.lower().split()) <= words for e in examples(100, **DENSE) for q in e.questions]
    assert sum(own) < 0.02 * len(own)


@pytest.mark.parametrize("options", [{}, {"borrowed": 1.0}, {"borrowed": 1.0, "pool": (1, 3), "improvised": 1.0}])
def test_a_value_stands_once_in_its_evidence_or_as_often_as_the_wording_says(options):
    twice = {p.id for p in load_phrasings("train") for statement in p.statements if statement.count("{value}") > 1}
    for example in examples(60, **options):
        for question in example.questions:
            statement = example.context[slice(*question.evidence)].lower()
            assert statement.count(question.answer.lower()) == 1 or question.kind.split("/")[-1] in twice


def test_splits_share_no_answer():
    def answers(split):
        return {q.answer for e in examples(100, split=split, **DENSE) for q in e.questions}

    assert answers("train").isdisjoint(answers("heldout"))


def test_a_right_reply_scores_one():
    task = Recall([BOOK])
    question = task.example(0).questions[0]
    assert task.score(question, f" {question.answer}.") == 1 and task.score(question, "no idea") == 0


@pytest.mark.parametrize(
    "options",
    [
        {"phrasings": "test"},
        {"split": "dev"},
        {"characters": (9, 1)},
        {"share": (0, 2)},
        {"only": ("x",)},
        {"facts": (0, 1)},
    ],
)
def test_wrong_options_are_refused(options):
    with pytest.raises(ValueError, match=r"got|no phrasing"):
        Recall([BOOK], **options)
    with pytest.raises(ValueError, match="documents"):
        Recall([])
