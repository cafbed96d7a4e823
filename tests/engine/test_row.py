"""One answer as it is produced: what is shown when, stop strings, ends, bytes that are no whole letter yet."""

from __future__ import annotations

import numpy as np
import pytest

from pollux.engine.engine import _batches
from pollux.engine.request import Sampling
from pollux.engine.row import Row
from pollux.tokens.vocabulary import END, shipped

NOWHERE = (np.zeros((1, 1, 1), int), np.zeros((1, 1, 1)))


def feed(ids, **sampling) -> tuple[Row, list[str]]:
    """A row that was given these tokens, and what it showed after each."""
    row, shown = Row(0, Sampling(**sampling), shipped()), []
    for token in ids:
        if row.done:
            break
        logits = np.zeros(8192)
        logits[token] = 9
        shown.append(row.take(logits, NOWHERE))
    return row, shown


def tokens(text: str) -> list[int]:
    return [*shipped().encode(f" {text}"), END]


def test_text_streams_and_ends():
    row, shown = feed(tokens("Silas Whitcombe of Porthmeur"))
    assert "".join(shown) == row.text == "Silas Whitcombe of Porthmeur"
    assert row.reason == "end" and END not in row.tokens and sum(map(bool, shown)) > 2


def test_a_penalty_lets_the_next_best_token_through():
    row, logits = Row(0, Sampling(presence=1.0), shipped()), np.zeros(8192, np.float32)
    logits[500], logits[600] = 3, 2.5
    row.take(logits, NOWHERE)
    row.take(logits, NOWHERE)
    assert row.tokens == [500, 600]


@pytest.mark.parametrize("stop", ["comb", "e of", "Porthmeur", "Silas"])
def test_nothing_from_a_stop_string_on_is_ever_shown(stop):
    whole = "Silas Whitcombe of Porthmeur"
    row, shown = feed(tokens(whole), stop=(stop,))
    assert "".join(shown) == row.text == whole[: whole.index(stop)]
    assert row.reason == "stop"


def test_what_only_begins_like_a_stop_string_is_shown_in_the_end():
    row, _ = feed(tokens("Silas Whit"), stop=("Whitcombe",))
    assert row.text == "Silas Whit" and row.reason == "end"


def test_the_limit_ends_an_answer_with_all_its_text():
    row, shown = feed(tokens("one two three four five"), limit=3)
    assert row.reason == "limit" and len(row.tokens) == 3 and "".join(shown) == row.text


def test_a_letter_of_several_tokens_is_shown_once_and_whole():
    row, shown = feed(tokens("Ωμέγα 🦉 ok"))
    assert "".join(shown) == row.text == "Ωμέγα 🦉 ok"
    assert not any("�" in piece for piece in shown)


def test_questions_share_a_batch_as_long_as_they_are_few_and_short():
    assert list(_batches([])) == []
    assert list(_batches([20] * 70)) == [(0, 32), (32, 64), (64, 70)]
    assert list(_batches([20, 4096, 20, 20, 20])) == [(0, 2), (2, 5)]
    assert list(_batches([4096] * 3)) == [(0, 2), (2, 3)]
