"""A fact asked for through the subject that shares it: the evidence holds the value, and nothing else tells it."""

from random import Random

import pytest

from pollux.tasks.facts import Fact, load_phrasings
from pollux.tasks.two_step import TwoStep, _others, links

DAY = "It was day {} of the long rain. Nobody went out.\nThe porter slept, and the lamp burned."
BOOK = "\n\n".join(DAY.format(n) for n in range(400))


@pytest.mark.parametrize("side", ("train", "heldout"))
@pytest.mark.parametrize("options", [{}, {"borrowed": 1.0}, {"facts": (10, 10), "links": (10, 10), "characters": (6000, 6000)}])
def test_the_link_names_who_is_asked_about_and_the_evidence_whose_value_it_is(side, options):
    task = TwoStep([BOOK], side, side, **options)
    for example in map(task.example, range(40)):
        assert example.questions
        for question in example.questions:
            (whose, via), (value, place) = question.parts
            link, fact = example.context[slice(*via)], example.context[slice(*place)]
            assert place == question.evidence and value in fact and value not in link and "{" not in question.text + link
            assert whose.lower() in link.lower() and whose.lower() in fact.lower()
            right = (question.answer, value, f"The other's: {value}.")
            assert all(task.score(question, reply) == 1.0 for reply in right)
            assert not any(task.score(question, reply) for reply in ("nothing", whose, f"{value}: {whose}", f"{value} and more"))


def test_each_link_is_asked_for_once():
    for example in map(TwoStep([BOOK], facts=(50, 50), links=(25, 25), characters=(16000, 16000)).example, range(20)):
        asked = example.questions
        assert len({q.parts[0][1] for q in asked}) == len({q.evidence for q in asked}) == len(asked) >= 20


def test_a_second_subject_is_none_that_the_text_holds():
    phrasing = next(p for p in load_phrasings("train") if p.has_attribute and p.subject)
    facts = [Fact(phrasing, f"Anna {n}", "pass number", "count", str(n)) for n in range(30)]
    draws = iter(["Anna 3", "Anna", "the 2 bells", "Boris", "Boris", "Clara", *["Anna 1"] * 100])
    shared, others = _others(facts, [4, 5, 6], lambda kind: next(draws), Random(0))
    assert (shared, others) == ([4, 5], ["Boris", "Clara"])


def test_wordings_of_links_are_split_and_all_have_their_slots():
    assert not set(links("train")) & set(links("heldout"))
    for text in (*links("train"), *links("heldout")):
        assert all(slot in text for slot in ("{other}", "{subject}", "{attribute}"))


def test_bad_settings_are_told():
    with pytest.raises(ValueError, match="split is"):
        TwoStep([BOOK], split="both")
    with pytest.raises(ValueError, match="links must be"):
        TwoStep([BOOK], links=(0, 3))
