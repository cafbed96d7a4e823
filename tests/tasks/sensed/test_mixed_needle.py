"""One half of the fact is heard, the other seen; the slide that counts is one of several."""

import numpy as np
import pytest

from pollux.media import audio, video
from pollux.media.segment import clock
from pollux.media.senses import RATE
from pollux.tasks.sensed.films.mixed_needle import MixedNeedle
from pollux.tasks.sensed.films.video_needle import VideoNeedle


@pytest.fixture(scope="module")
def frames():
    rng = np.random.default_rng(0)
    return [rng.integers(60, 200, (9, 16, 3)).astype(np.uint8).repeat(20, 0).repeat(20, 1) for _ in range(6)]


def beep(sentence, rng):
    beep.said = sentence
    return np.sin(np.arange(2 * RATE, dtype=np.float32) * 0.3) * 0.5


def test_a_film_has_the_sentence_in_its_sound_and_the_slides_among_its_frames(frames):
    task = MixedNeedle(frames, 30, beep, slides=3, seed=4)
    example = task.example(0)
    (film,) = example.documents[0].segments
    shown = [frame.pixels.astype(int) for frame in video.look(film)]
    plain = [np.abs(pixels - frames[second % 6]).max() for second, pixels in enumerate(shown)]
    slide = int(example.questions[0].moment[0])
    assert len(shown) == 30 and plain[slide] > 100
    samples = np.concatenate([sound.samples for sound in audio.listen(film)])
    loud = np.abs(samples) > 0.2
    assert loud.sum() * 1.2 > 1.5 * RATE and np.ptp(np.flatnonzero(loud)) < 2.2 * RATE
    assert beep.said.startswith("The secret keyword is ")


def test_the_number_asked_for_is_the_keyword_s(frames):
    task = MixedNeedle(frames, 30, beep)
    answers = {task.example(i).questions[0].answer for i in range(5)}
    assert len(answers) == 5 and all(len(answer) == 4 and answer.isdigit() for answer in answers)
    (question,) = task.example(0).questions
    assert task.score(question, f"gate: {question.answer}") == 1 and task.score(question, "0000") == 0


def test_a_film_too_short_for_its_slides_is_refused(frames):
    with pytest.raises(ValueError, match="4 slides"):
        MixedNeedle(frames, 12, beep)


def test_when_asks_for_the_time_of_a_name(frames):
    task = VideoNeedle(frames, 90, when=True)
    (question,) = task.example(9).questions
    second = int(question.moment[0])
    assert question.answer == clock(second)
    assert question.text.startswith("At what time does ") and task.score(question, "00:99") == 0
