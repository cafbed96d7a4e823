"""Words are asked for that are said once, and the time is right from the earliest beginning of a stretch that holds them on."""

from itertools import pairwise
from random import Random

import numpy as np
import pytest

from pollux.media import audio
from pollux.media.segment import clock
from pollux.media.senses import RATE
from pollux.tasks.sensed.sounds.said_when import SaidWhen
from pollux.tasks.task import NoExample, Question

NAMES = "anna bert clara david emma frank grace henry irene jacob".split()
# who speaks is told by how loud it is
SAID = [(np.full(2 * RATE, 0.05 * (n + 1), np.float32), f"{name} saw the old house burn down") for n, name in enumerate(NAMES)]


@pytest.mark.parametrize("i", range(4))
def test_words_begin_at_the_moment(i):
    example = SaidWhen(SAID, 20, asked=3).example(i)
    (sound,) = example.documents[0].segments
    samples = np.concatenate([part.samples for part in audio.listen(sound)])
    assert samples.size == 20 * RATE and len(example.questions) == 3 == len({q.text for q in example.questions})
    for question in example.questions:
        start, end = (round(second * RATE) for second in question.moment)
        name = NAMES[round(float(samples[start]) / 0.05) - 1]
        assert question.text.startswith(f'When does somebody say "{name} saw the')
        assert np.ptp(samples[start:end]) == 0 and samples[start - 1] == 0 == samples[end]
        assert question.answer == clock(question.moment[0]) and question.depth == pytest.approx(start / samples.size)


def test_utterances_do_not_overlap():
    _, said = SaidWhen(SAID, 20)._recording(Random(0))
    gaps = [after.start - before.end for before, after in pairwise(said)]
    assert min(gaps) >= 0.4 * RATE and max(gaps) <= 1.5 * RATE


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("61:40", 1),
        ("At 1:01:40.", 1),
        ("61:28", 1),  # a stretch of twelve seconds, at the end of which the words begin
        ("61:26", 0),
        ("61:41", 1),
        ("61:43", 0),
        ("1:40", 0),
        ("from 61:36 to 99:99", 1),
        ("3700", 0),
        ("", 0),
    ],
)
def test_times(reply, score):
    assert SaidWhen(SAID, 20).score(Question("", "61:40", moment=(3700.6, 3702.6)), reply) == score


def test_its_own_answers_are_right():
    task = SaidWhen(SAID, 20)
    for question in task.example(0).questions:
        assert task.score(question, question.answer) == 1


def test_words_that_are_said_twice_or_are_too_few_are_not_asked_for():
    twice = [(samples, "the same words again") for samples, _ in SAID]
    with pytest.raises(NoExample, match="said once"):
        SaidWhen(twice, 20).example(0)
    with pytest.raises(NoExample, match="3 words"):
        SaidWhen([(samples, "two words") for samples, _ in SAID], 20).example(0)


def test_too_little_to_say_is_refused():
    with pytest.raises(ValueError, match="a recording of 180 s is wanted"):
        SaidWhen(SAID).example(0)
