"""Films are really encoded and decoded; but for the frame with the needle, and those encoded with it, they are alike."""

from dataclasses import replace

import numpy as np
import pytest

from pollux.base.errors import ConfigError
from pollux.media import video
from pollux.media.decode import Senses, read
from pollux.tasks.sensed.films.film import Film
from pollux.tasks.sensed.films.footage import SIZE, footage
from pollux.tasks.sensed.films.video_needle import VideoNeedle


@pytest.fixture(scope="module")
def frames():
    rng = np.random.default_rng(0)
    return [rng.integers(60, 200, (9, 16, 3)).astype(np.uint8).repeat(10, 0).repeat(10, 1) for _ in range(12)]


def decoded(film, **part) -> list:
    return [frame.pixels.astype(int) for frame in video.look(replace(film, **part))]


def test_a_film_shows_its_frames_over_and_over(frames, tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(Film(frames, 37).write())
    (document,) = read([path], senses=Senses()).documents
    (segment,) = document.segments
    assert segment.duration == pytest.approx(37) and (segment.width, segment.height) == (160, 90)
    seen = decoded(segment)
    assert len(seen) == 37
    for second, pixels in enumerate(seen):
        assert np.abs(pixels - frames[second % 12]).mean() < 6
        assert np.abs(pixels - frames[(second + 1) % 12]).mean() > 20


@pytest.mark.parametrize("i", range(6))
def test_the_needle_stands_at_its_depth_and_nothing_else_changes(frames, i):
    task = VideoNeedle(frames, 60, depths=(0.0, 0.5, 1.0))
    (question,) = task.example(i).questions
    (film,) = task.example(i).documents[0].segments
    plain, found = decoded(_plain(task)), decoded(film)
    second = question.moment[0]
    assert abs(second / 59 - (0, 0.5, 1)[i % 3]) <= 0.03 and question.depth == pytest.approx(second / 59, abs=0.02)
    differ = [s for s in range(60) if (plain[s] != found[s]).any()]
    assert second in differ and set(differ) <= set(range(second // 10 * 10, second // 10 * 10 + 10))
    assert np.abs(plain[second] - found[second]).max() > 60
    assert task.score(question, question.answer.upper()) == 1 and task.score(question, "nothing") == 0


def _plain(task):
    (film,) = task.example(0).documents[0].segments
    return replace(film, source=replace(film.source, data=task._film.write()))


def test_words_differ_and_examples_never_change(frames):
    task = VideoNeedle(frames, 30)
    words = [task.example(i).questions[0].answer for i in range(20)]
    assert len(set(words)) > 15 and words == [task.example(i).questions[0].answer for i in range(20)]


def test_bad_settings_are_refused(frames):
    with pytest.raises(ValueError, match="a second or more"):
        VideoNeedle(frames, 0)
    with pytest.raises(ValueError, match="even sides"):
        Film([frames[0], frames[0][:5]], 10)


def test_footage_is_frames_of_one_size(tmp_path, frames):
    from PIL import Image

    (tmp_path / "film.mp4").write_bytes(Film(frames, 20).write())
    Image.fromarray(frames[0]).save(tmp_path / "photo.png")
    found = footage([tmp_path])
    assert {frame.shape for frame in found} == {(SIZE[1], SIZE[0], 3)} and len(found) > 20
    with pytest.raises(ConfigError, match="no films"):
        footage([tmp_path / "nothing"])
