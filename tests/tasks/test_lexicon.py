"""The lexicon keeps its splits apart, and every phrasing can be filled from it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random

import pytest

from pollux.tasks import lexicon
from pollux.tasks.lexicon import (
    ATTRIBUTES,
    KINDS,
    LIVING_ATTRIBUTES,
    SUBJECTS,
    VALUES,
    WORDS,
    attribute,
    draw,
    split_of,
)

PHRASINGS = json.loads(Path(lexicon.__file__).with_name("phrasings_train.json").read_text(encoding="utf-8"))
SLOTS = re.compile(r"\{(\w*)\}")


def render(phrasing: dict, seed: int, split: str = "train") -> tuple[str, list[str], list[str]]:
    """The value, and every statement and question of a phrasing with one draw of its slots."""
    rng = Random(f"{phrasing['id']}/{seed}")
    subject_kind, value_kind = rng.choice(phrasing["subject"]), rng.choice(phrasing["value"])
    slots = {
        "subject": draw(subject_kind, rng, split),
        "value": draw(value_kind, rng, split),
        "attribute": attribute(value_kind, rng, subject_kind),
    }
    statements, questions = ([w.format(**slots) for w in phrasing[part]] for part in ("statements", "questions"))
    return slots["value"], statements, questions


@pytest.mark.parametrize("kind", KINDS)
def test_no_string_is_drawn_in_both_splits(kind: str):
    train, heldout = ({draw(kind, Random(i), split) for i in range(3000)} for split in ("train", "heldout"))
    assert train.isdisjoint(heldout)
    assert len(train) > 30 and len(heldout) > 10


@pytest.mark.parametrize("name", WORDS)
def test_about_one_word_in_five_is_held_out(name: str):
    held = sum(split_of(word) == "heldout" for word in WORDS[name])
    assert 0.05 < held / len(WORDS[name]) < 0.4 and held >= 2


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_draws_the_same(kind: str):
    assert [draw(kind, Random(i), "train") for i in range(20)] == [draw(kind, Random(i), "train") for i in range(20)]


def test_draws_do_not_change_between_versions():
    assert draw("number", Random(1), "train") == "18271"
    assert draw("object", Random(1), "train") == "stout envelope"


def test_an_unknown_kind_or_split_says_what_is_allowed():
    with pytest.raises(ValueError, match="unknown kind 'ship': draw one of person, place"):
        draw("ship", Random(0), "train")
    with pytest.raises(ValueError, match="unknown split 'test': draw from one of train, heldout"):
        draw("person", Random(0), "test")
    with pytest.raises(ValueError, match="unknown kind of value 'room': take one of number"):
        attribute("room", Random(0))


def test_every_kind_of_value_has_attributes():
    assert set(ATTRIBUTES) == set(VALUES) and set(LIVING_ATTRIBUTES) <= set(VALUES)


def test_an_article_may_stand_before_a_profession_or_a_species():
    assert not [word for name in ("profession", "species") for word in WORDS[name] if word[0] in "aeiou"]


def test_phrasings_are_well_formed():
    assert len(PHRASINGS) >= 1000
    assert len({p["id"] for p in PHRASINGS}) == len(PHRASINGS)
    statements = [s for p in PHRASINGS for s in p["statements"]]
    assert len(set(statements)) == len(statements)
    assert sum(p.get("public", False) for p in PHRASINGS) == 3
    for p in PHRASINGS:
        assert set(p["subject"]) <= set(SUBJECTS) and set(p["value"]) <= set(VALUES), p["id"]
        assert 1 <= len(p["statements"]) <= 3 and 1 <= len(p["questions"]) <= 3, p["id"]
        related = ["attribute"] if "{attribute}" in p["statements"][0] else []
        for part, slots in (("statements", ["subject", "value"]), ("questions", ["subject"])):
            for wording in p[part]:
                assert sorted(SLOTS.findall(wording)) == sorted(slots + related), (p["id"], wording)


def test_every_phrasing_renders_with_its_answer_verbatim():
    for phrasing in PHRASINGS:
        for seed in range(5):
            value, statements, questions = render(phrasing, seed)
            assert all(value in s for s in statements), phrasing["id"]
            assert not any("{" in text or "}" in text for text in statements + questions), phrasing["id"]
            assert render(phrasing, seed) == (value, statements, questions), phrasing["id"]
