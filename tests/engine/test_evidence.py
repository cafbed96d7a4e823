"""Weights of attention to passages with their places."""

from __future__ import annotations

from collections import Counter

import numpy as np

from pollux.engine.contexts.context import ReadContext
from pollux.engine.evidence import EARLIER, gather, passages
from pollux.media.segment import Document, Text
from pollux.tokens import template
from pollux.tokens.vocabulary import shipped

FILLER = "The lamps were lit along the quay, and nobody spoke of it again. " * 12
FIRST = Text("a.txt", f"{FILLER}\nThe ferry costs 40917 francs.\n{FILLER}")
SECOND = Text("b.txt", f"{FILLER}\nThe other ferry costs 40917 pounds.\n{FILLER}")


def context() -> ReadContext:
    found = ReadContext("test", {}, {})
    stream = template.documents(shipped(), [Document("a.txt", (FIRST,)), Document("b.txt", (SECOND,))])
    found.extend(stream, [FIRST, SECOND])
    return found


def token_at(read: ReadContext, segment: int, word: str) -> int:
    at = read.segments[segment].text.index(word)
    inside = (read.stream.segment == segment) & (read.stream.start <= at) & (read.stream.end > at)
    return int(np.flatnonzero(inside)[0])


def test_the_passage_with_most_weight_comes_first_and_its_range_is_the_answer():
    read = context()
    total = Counter({token_at(read, 1, "40917"): 0.6, token_at(read, 1, "pounds"): 0.5, token_at(read, 0, "40917"): 0.4})
    best, other = passages(read, total, "40917")
    at = SECOND.text.index("40917")
    assert (best.place.path, best.place.start, best.place.end, best.place.line) == ("b.txt", at, at + 5, 2)
    assert "other ferry costs 40917 pounds" in best.place.snippet
    assert other.place.path == "a.txt" and best.share > other.share
    assert abs(best.share + other.share - 1) < 1e-9


def test_an_answer_that_stands_elsewhere_does_not_pull_the_citation_there():
    read = context()
    (found,) = passages(read, Counter({token_at(read, 0, "quay"): 1.0}), "40917")
    assert found.place.path == "a.txt" and found.place.line == 1
    assert "quay" in FIRST.text[found.place.start - 2 : found.place.end + 4]


def test_of_an_answer_in_parts_each_passage_shows_its_own():
    read = context()
    total = Counter({token_at(read, 1, "40917"): 0.6, token_at(read, 0, "quay"): 0.4})
    found = [evidence.place for evidence in passages(read, total, "the quay: 40917")]
    assert [(place.path, place.end - place.start) for place in found] == [("b.txt", 5), ("a.txt", 8)]


def test_no_weight_no_evidence_and_labels_are_no_passage():
    read = context()
    assert passages(read, Counter(), "x") == ()
    assert passages(read, Counter({0: 1.0}), "x") == ()


def test_gather_sums_over_tokens_layers_and_heads():
    look = (np.array([[[5, 6]], [[5, 9]]]), np.array([[[0.5, 0.25]], [[0.5, 0.0]]]))
    assert gather([look, look]) == {5: 2 * (0.5 * EARLIER + 0.5), 6: 2 * 0.25 * EARLIER}


def test_where_the_last_layer_looked_comes_before_what_led_there():
    read = context()
    way, answer = token_at(read, 0, "quay"), token_at(read, 1, "40917")
    look = (np.array([[[way]], [[way]], [[answer]]]), np.array([[[0.9]], [[0.9]], [[0.8]]]))
    assert [found.place.path for found in passages(read, gather([look]), "40917")] == ["b.txt", "a.txt"]
