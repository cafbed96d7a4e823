"""Rows are full, documents do not meet, answers come first."""

from random import Random

import numpy as np
import pytest

from pollux.data.pack import _LEAST, ANSWER_WEIGHT, COPY_WEIGHT, TEXT_WEIGHT, pack
from pollux.tokens.stream import Lesson
from pollux.tokens.vocabulary import PAD

LENGTH, ROWS = 96, 12


def draw(rng, room):
    """A document of 5 to 60 tokens, some of them an answer's. Token numbers grow, so that order shows."""
    length = min(room, rng.randint(5, 60))
    first = rng.randrange(100, 100_000)
    answer = np.zeros(length, bool)
    if rng.random() < 0.6:
        at = rng.randrange(length)
        answer[at : at + 6] = True
    source = np.where(answer, np.arange(length) // 2, -1).astype(np.int32)
    passage = np.stack([np.maximum(source - 1, -1), source], axis=1)
    return Lesson(np.arange(first, first + length, dtype=np.int32), answer, source, passage)


def answers(seed):
    """The answer tokens of the rows that `pack` makes from this seed, found by asking `draw` in the same way, and whether each goes
    on copying where the one before left off."""
    rng, rows = Random(seed), []
    for _ in range(ROWS):
        at, row = 0, {}
        while LENGTH - at >= _LEAST:
            lesson = draw(rng, LENGTH - at)
            for i in np.flatnonzero(lesson.answer):
                if i:  # a document's first token is predicted by nothing
                    row[at + i] = lesson.answer[i - 1] and lesson.source[i] == lesson.source[i - 1] + 1
            at += lesson.size
        rows.append(row)
    return rows


@pytest.fixture(params=[0, 1, 2])
def seed(request):
    return request.param


def test_rows_are_full_and_indices_restart(seed):
    batch = pack(draw, Random(seed), ROWS, LENGTH)
    for tokens, index, segment in zip(batch.tokens, batch.index, batch.segment, strict=True):
        real = segment >= 0
        assert (real.sum() > LENGTH - _LEAST and not real[np.argmin(real) :].any()) or real.all()
        assert (tokens[~real] == PAD).all() and (np.diff(segment[real]) >= 0).all() and segment[0] == 0
        starts = np.flatnonzero(np.diff(segment[real], prepend=-1))
        assert (np.diff(segment[starts]) == 1).all() and (index[starts] == 0).all()
        for number in range(segment[real].max() + 1):
            own = segment == number
            assert (index[own] == np.arange(own.sum())).all() and (np.diff(tokens[own]) == 1).all()


@pytest.mark.parametrize("scored", [0.05, 0.25, 1.0])
def test_a_position_predicts_the_next_token_of_its_own_document(seed, scored):
    batch = pack(draw, Random(seed), ROWS, LENGTH, scored)
    assert batch.where.shape == (ROWS, max(1, round(LENGTH * scored)))
    for r in range(ROWS):
        real = batch.weight[r] > 0
        where = batch.where[r, real]
        assert len(set(where)) == real.sum() and (where < LENGTH - 1).all()
        assert (batch.segment[r, where] >= 0).all() and (batch.segment[r, where] == batch.segment[r, where + 1]).all()
        assert (batch.target[r, real] == batch.tokens[r, where + 1]).all()
        assert (batch.target[r, real] == batch.tokens[r, where] + 1).all()
        documents = len(set(batch.segment[r][batch.segment[r] >= 0]))
        possible = (batch.segment[r] >= 0).sum() - documents
        assert real.sum() == min(possible, batch.where.shape[1])


@pytest.mark.parametrize("scored", [0.05, 0.25, 1.0])
def test_answers_come_first_and_weigh_more(seed, scored):
    batch = pack(draw, Random(seed), ROWS, LENGTH, scored)
    for r, wanted in enumerate(answers(seed)):
        chosen = batch.where[r, batch.answer[r]] + 1
        assert set(chosen) <= set(wanted) and chosen.size == min(len(wanted), batch.where.shape[1])
        assert list(batch.weight[r, batch.answer[r]]) == [COPY_WEIGHT if wanted[at] else ANSWER_WEIGHT for at in chosen]
        decide = {at for at, goes_on in wanted.items() if not goes_on}
        assert decide <= set(chosen) or set(chosen) <= decide  # what decides comes before what goes on
        rest = batch.weight[r, ~batch.answer[r]]
        assert set(rest) <= {np.float32(TEXT_WEIGHT), np.float32(0)}


def test_sources_move_with_their_document(seed):
    batch = pack(draw, Random(seed), ROWS, LENGTH, 1.0)
    assert ((batch.source >= 0) == batch.answer).all() and batch.answer.any()
    for r in range(ROWS):
        target, source = batch.where[r, batch.answer[r]] + 1, batch.source[r, batch.answer[r]]
        assert (batch.segment[r, source] == batch.segment[r, target]).all()
        assert (batch.index[r, source] == batch.index[r, target] // 2).all()
        first, last = batch.passage[r, batch.answer[r]].T
        assert (last == source).all() and ((first == source - 1) | (first == -1)).all()
    assert (batch.passage[~batch.answer] == -1).all()


def test_places_are_drawn_anew_each_time():
    one, other = (pack(draw, Random(seed), ROWS, LENGTH) for seed in (0, 1))
    assert (one.where != other.where).any()
    again = pack(draw, Random(0), ROWS, LENGTH)
    assert all((a == b).all() for a, b in zip(one, again, strict=True))


def test_codes_are_read_and_never_predicted(seed):
    limit = 50_000  # the tokens of `draw` lie on both sides of it
    batch = pack(draw, Random(seed), ROWS, LENGTH, 1.0, words=limit)
    assert (batch.tokens >= limit).any() and (batch.target[batch.weight > 0] < limit).all()
    assert ((batch.tokens[:, 1:] < limit) & (batch.segment[:, 1:] == batch.segment[:, :-1])).sum() >= (batch.weight > 0).sum() > 0
