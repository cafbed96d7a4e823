"""Intervals against their definition, and outcomes against a stub of an engine."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollux.base.errors import ConfigError
from pollux.engine.request import Answer, Evidence
from pollux.eval.heatmap import _short, cells, draw
from pollux.eval.report import Rate, mean_of, rates, summary, table, wilson
from pollux.eval.results import Kept
from pollux.eval.run import Local, Outcome, measure
from pollux.media.segment import Place
from pollux.tasks.task import Example, Question, exact
from pollux.tokens.vocabulary import shipped


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


def test_the_mean_of_tasks_is_as_sure_as_independent_means_are_together():
    found = mean_of("both", [Rate("a", 0.5, 0.2, 0.8, 10), Rate("b", 1.0, 0.6, 1.0, 10)])
    assert (found.mean, found.n) == (0.75, 20)
    assert found.low == pytest.approx(0.75 - 0.25) and found.high == pytest.approx(0.75 + 0.15)


def test_a_summary_tells_questions_from_contexts():
    outcome = lambda score, **more: Outcome("k", "q", "a", "r", {"score": score, **more}, 100, 90, None, "end")  # noqa: E731
    (row,) = summary({("t", 100): [(outcome(1.0, cited=1.0), outcome(0.0, cited=0.0)), (outcome(1.0),)]})
    assert (row.task, row.tokens, row.n, row.contexts, row.cited) == ("t", 100, 3, 2, 0.5)
    assert row.score == pytest.approx(2 / 3) and (row.low, row.high) == wilson(row.score, 3)
    assert table("T", [row]).splitlines()[-1] == "| t | 100 | 66.7% | 20.8% to 93.9% | 3 | 2 | 50.0% |"


class StubEngine:
    """Answers "red" always, and cites characters 0 to 3."""

    vocabulary = shipped()

    perception = None

    def __init__(self):
        self.asked = 0

    def read(self, documents):
        return [0] * 7

    def amend(self, context, documents):
        return False

    def answer(self, context, questions, sampling):
        self.asked += len(questions)
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


def outcomes(count, path=None, engine=None):
    kept = Kept(path, {"task": "colours"})
    measure(Local(engine or StubEngine()), Colours(), count, kept)
    return kept.all()


def test_outcomes_are_scored_and_citations_counted_over_the_right_ones():
    found = {row.name: row for row in rates(outcomes(8))}
    assert (found["score"].mean, found["score"].n) == (0.5, 8)
    assert (found["cited"].mean, found["cited when right"].mean, found["cited when right"].n) == (0.25, 0.5, 4)
    assert len(outcomes(3)) == 3


def test_a_stopped_measurement_goes_on_where_it_was(tmp_path):
    path, engine = tmp_path / "results.jsonl", StubEngine()
    first = outcomes(3, path, engine)
    with path.open("a") as file:
        file.write('{"about": {"task": "col')  # the machine went down
    assert outcomes(8, path, engine)[:3] == first and engine.asked == 8
    assert outcomes(8, path, engine) == outcomes(8) and engine.asked == 8
    other = Kept(path, {"task": "shapes"})
    assert other.all() == [] and len(path.read_text().splitlines()) == 8
    path.write_text("poem\n")
    with pytest.raises(ConfigError, match="line 1"):
        Kept(path, {})


def test_cells_hold_every_outcome_that_has_a_depth_once():
    make = lambda asked, depth: Outcome("k", "q", "a", "r", {"score": depth == 0.55}, asked, 9, depth, "end")  # noqa: E731
    found = [make(asked, depth) for asked in (10, 5) for depth in (0, 0.55, 1.0, None)]
    table = cells(found, "score", 4)
    assert list(table) == [5, 10] and table[5] == table[10] == [[0], [], [1], [0]]


def test_a_heat_map_is_drawn_where_there_are_depths(tmp_path):
    found = [Outcome("k", "q", "a", "r", {"score": 1.0}, asked, 9, 0.3, "end") for asked in (8192, 1_000_000)]
    assert draw(found, tmp_path / "map.png", "recall") and (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    assert not draw([], tmp_path / "none.png", "recall") and not (tmp_path / "none.png").exists()
    assert [_short(n) for n in (8192, 131_072, 128_000, 1 << 20, 1_000_000, 10_000_000, 500)] == [
        "8k", "128k", "128k", "1M", "1M", "10M", "500"
    ]
