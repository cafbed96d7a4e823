"""The blank restored gives the sentence that follows on the context, and the context has shown the word."""

import pytest

from pollux.tasks.cloze import BLANK, Cloze

NAMES = ("Edmund", "Harriet", "Lucy", "Tobias", "Winifred")
THINGS = ("lantern", "basket", "letter")
LINES = [
    f"{NAMES[n % 5]} carried the {THINGS[n % 3]} to the old mill,\nand {NAMES[(n * 3 + 1) % 5]} laughed."
    f' "Is the {THINGS[(n + 1) % 3]} of any use, Mr. Hope?" asked {NAMES[(n + 2) % 5]} without a smile.'
    for n in range(120)
]
BOOK = "\n\n".join(LINES)


@pytest.mark.parametrize("characters", [None, (3000, 6000)])
def test_the_blank_restores_the_next_sentence(characters):
    task = Cloze([BOOK], characters=characters)
    flat = " ".join(BOOK.split())
    for i in range(100):
        example = task.example(i)
        (question,) = example.questions
        start, end = question.evidence
        assert example.context[start:end] == question.answer
        assert question.answer not in example.context[end:].replace("\n", " ").split(" ")
        before = question.text.split(BLANK)
        sentence = max((s for s in _sentences(flat) if _holds(question, s)), key=len, default=None)
        assert len(before) in (2, 3) and sentence is not None
        assert " ".join(example.context.split()) + " " + sentence in flat
        assert question.kind in ("cloze/name", "cloze/noun")
        if characters:
            assert len(example.context) <= 6000


def _sentences(flat):
    pieces = flat.replace("laughed. ", "laughed.\t").replace("smile. ", "smile.\t").split("\t")
    return set(pieces)


def _holds(question, sentence):
    return question.answer in sentence and sentence.replace(question.answer, BLANK, 1) in question.text


def test_the_same_number_gives_the_same_example():
    assert [Cloze([BOOK]).example(i) for i in range(5)] == [Cloze([BOOK]).example(i) for i in range(5)]
    assert len(Cloze([BOOK], size=7)) == 7


def test_names_and_nouns_both_come():
    task = Cloze([BOOK])
    kinds = [task.example(i).questions[0].kind for i in range(60)]
    assert 5 < kinds.count("cloze/noun") < 55
    assert {task.example(i).questions[0].answer for i in range(60)} <= {*NAMES, "Hope", "lantern", "basket", "letter"}


def test_documents_without_sentences_are_refused():
    with pytest.raises(ValueError, match="pass prose"):
        Cloze(["One. Two."]).example(0)
    with pytest.raises(ValueError, match="at least one book"):
        Cloze([])
