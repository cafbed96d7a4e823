"""Pairs come as the file has them, and one passage never stands on both sides of the split."""

import gzip
import json
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollux.tasks.reading import Reading, f1, held_out, is_extractive, load_pairs
from pollux.tasks.task import Question

TEMPLATES = (
    "Read this: {p} Question: {q}",
    "{q}\n\nAnswer from this text.\n{p}",
    '"{q}" is told in "{p}". Say it.',
)


def passage(n):
    return " ".join(f"word{n}x{k}" for k in range(30)) + f" and the town was called Place{n}."


PAIRS = [(t.format(p=passage(n), q=f"What was town {n} called?"), f"Place{n}") for n in range(60) for t in TEMPLATES]


@pytest.mark.parametrize(("name", "opener"), [("a.jsonl", open), ("a.jsonl.gz", gzip.open), ("a.jsonl.xz", lzma.open)])
def test_files_are_read_packed_or_not(tmp_path, name, opener):
    with opener(tmp_path / name, "wb") as file:
        file.write(b'{"prompt": "Who?\\n", "completion": " Ada<|endoftext|>"}\n\n{"prompt": "b", "completion": "c"}\n')
    assert load_pairs(tmp_path / name) == [("Who?\n", "Ada"), ("b", "c")]


@pytest.mark.parametrize("line", ['{"prompt": "br', '{"prompt": 1, "completion": "x"}', "[1]", '{"prompt": "p"}'])
def test_a_bad_line_is_named(tmp_path, line):
    good = json.dumps({"prompt": "p", "completion": "c"})
    (tmp_path / "a.jsonl").write_text(f"{good}\n{line}\n")
    with pytest.raises(ValueError, match="line 2"):
        load_pairs(tmp_path / "a.jsonl", cut=True)
    (tmp_path / "b.jsonl").write_text(f"{good}\n{line}")
    assert load_pairs(tmp_path / "b.jsonl", cut=True) == [("p", "c")]


def test_pairs_about_one_passage_stay_together():
    sides = held_out(PAIRS)
    assert 0 < sum(sides) < len(PAIRS) / 2
    assert all(len(set(sides[i : i + 3])) == 1 for i in range(0, len(PAIRS), 3))
    assert held_out(PAIRS[::-1]) == sides[::-1]


def test_the_sides_make_up_the_whole():
    sides = (Reading(PAIRS), Reading(PAIRS, split="heldout"))
    train, out = ([task.example(i).questions[0].text for i in range(len(task))] for task in sides)
    assert sorted(train + out) == sorted(prompt for prompt, _ in PAIRS)
    assert Reading(PAIRS).example(3) == Reading(PAIRS).example(3)
    with pytest.raises(ValueError, match="dev"):
        Reading(PAIRS, split="dev")


def test_extractive_answers_stand_in_the_prompt_as_words():
    assert is_extractive(("In November.", "November")) and not is_extractive(("In November.", "No"))
    assert not is_extractive(("x", "")) and not is_extractive(("y" * 99, "y" * 99))
    assert len(Reading([*PAIRS, ("Is it?", "Yes")], split="all")) == len(PAIRS)
    assert len(Reading([*PAIRS, ("Is it?", "Yes")], extractive=False, split="all")) == len(PAIRS) + 1


@pytest.mark.parametrize(
    ("answer", "reply", "score"),
    [
        ("the Red  Fox", "red fox!", 1.0),
        ("red fox", "a red hen", 0.5),
        ("red", "", 0.0),
        ("the", "a", 1.0),
        ("U.S.", "US", 1.0),
    ],
)
def test_f1_counts_words_in_common(answer, reply, score):
    assert f1(Question("", answer), reply) == pytest.approx(score)


@given(st.text(), st.text())
def test_f1_is_symmetric_and_lies_between_0_and_1(a, b):
    assert 0 <= f1(Question("", a), b) == f1(Question("", b), a) <= 1
    assert f1(Question("", a), a) == 1
