"""Intervals against their definition, and outcomes against a stub of an engine."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollux.engine.request import Answer, Evidence
from pollux.eval.report import rates, wilson
from pollux.eval.run import run
from pollux.media.segment import Place
from pollux.tasks.task import Example, Question, exact


def test_wilson_against_published_values():
    # Newcombe 1998, table I: 81 of 263 and 15 of 148
    assert wilson(81 / 263, 263) == (pytest.approx(0.2553, abs=5e-5), pytest.approx(0.3662, abs=5e-5))
    assert wilson(15 / 148, 148) == (pytest.approx(0.0624, abs=5e-5), pytest.approx(0.1605, abs=5e-5))
    assert wilson(0, 0) == (0, 1)


@given(st.integers(1, 500), st.data())
def test_wilson_holds_the_rate(n, data):
    mean = data.draw(st.integers(0, n)) / n
    low, high = wilson(mean, n)
    assert 0 <= low <= mean + 1e-12 and mean - 1e-12 <= high <= 1 and low < high


class StubEngine:
    """Answers "red" always, and cites characters 0 to 3."""

    def read(self, documents):
        return [0] * 7

    def answer(self, context, questions, sampling):
        evidence = Evidence(Place("x", 1, None, 0, 3, "red"), 1.0)
        return [Answer("red", (1,), (evidence,), "end") for _ in questions]


@dataclass(frozen=True)
class Colours:
    """Every second answer is red; where it is, every second time at the start."""

    def __len__(self) -> int:
        return 8

    def example(self, i: int) -> Example:
        place = (0, 3) if i % 4 == 0 else (10, 13)
        return Example("red and ... red", (Question("?", "Red." if i % 2 == 0 else "blue", place, f"k{i % 2}"),))

    def score(self, question: Question, reply: str) -> float:
        return exact(question, reply)


def test_outcomes_are_scored_and_citations_counted_over_the_right_ones():
    found = {row.name: row for row in rates(run(StubEngine(), Colours(), 8))}
    assert (found["exact"].mean, found["exact"].n) == (0.5, 8)
    assert (found["cited"].mean, found["cited when right"].mean, found["cited when right"].n) == (0.25, 0.5, 4)
    assert len(run(StubEngine(), Colours(), 3)) == 3
