"""The needle is where its depth says, is the only difference, and is followed by no trace of the one before."""

import numpy as np
import pytest

from pollux.media import audio
from pollux.media.senses import RATE
from pollux.tasks.sensed.sounds.audio_needle import AudioNeedle

HAY = [np.full(3 * RATE, 0.1, np.float32), np.full(5 * RATE, -0.2, np.float32)]


def say(text, rng):
    """A second and a half of a level that no hay has, and the text's length and the draw in its first two samples."""
    return np.concatenate([[len(text) / 100, rng.random()], np.full(RATE * 3 // 2 - 2, 0.7)]).astype(np.float32)


def needle(seconds=60, **settings):
    return AudioNeedle(HAY, seconds, say, depths=(0.0, 0.5, 1.0), **settings)


def decoded(example):
    (sound,) = example.documents[0].segments
    return np.concatenate([part.samples for part in audio.listen(sound)])


def plain(task):
    """The recording without a needle."""
    example = task.example(0)
    task._recording.restore()
    return decoded(example)


@pytest.mark.parametrize("i", range(6))
def test_the_needle_is_at_its_depth_and_nothing_else_changes(i):
    task = needle()
    before = plain(task)
    task.example(i + 1)
    example = task.example(i)
    (question,), samples = example.questions, decoded(example)
    start, end = (round(second * RATE) for second in question.moment)
    assert abs(question.depth - (0, 0.5, 1)[i % 3]) <= 0.02 and start / samples.size == pytest.approx(question.depth, abs=0.05)
    assert end - start == RATE * 3 // 2 and (samples[start + 2 : end] > 0.69).all()
    edges = np.r_[start - RATE // 2 : start, end : end + RATE // 2]
    assert not samples[edges].any()
    rest = np.delete(np.arange(samples.size), np.r_[start - RATE // 2 : end + RATE // 2])
    np.testing.assert_array_equal(samples[rest], before[rest])


def test_what_is_said_and_asked():
    task = needle()
    (question,) = task.example(4).questions
    said = decoded(task.example(4))[round(question.moment[0] * RATE)]
    assert said == pytest.approx(len(f"The secret keyword is {question.answer}.") / 100, abs=1e-3)
    assert question.text == "What is the secret keyword?" and question.kind == "audio_needle"
    assert task.score(question, f"{question.answer.upper()}.") == 1 and task.score(question, "nothing") == 0


def test_keywords_differ_and_examples_never_change():
    task = needle()
    ours, other = ([t.example(i).questions[0] for i in range(20)] for t in (task, needle(seed=1)))
    assert len({question.answer for question in ours}) > 15 and ours != other
    samples = decoded(task.example(3))
    task.example(9)
    assert [task.example(i).questions[0] for i in range(20)] == ours
    np.testing.assert_array_equal(decoded(task.example(3)), samples)


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="a second or more"):
        needle(0)
    with pytest.raises(ValueError, match="depths from 0 to 1"):
        AudioNeedle(HAY, 60, say, depths=(1.5,))
    with pytest.raises(ValueError, match="not inside a recording"):
        needle(2).example(0)
