"""Training pictures for sight: the same by the same numbers, legible, and where they say that text is there is text."""

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from pollux.base.errors import ConfigError
from pollux.data.scenes import labelled
from pollux.data.scenes.backdrop import Backdrops
from pollux.data.scenes.fonts import Fonts, look
from pollux.data.scenes.labelled import Labelled
from pollux.data.scenes.lettering import Style, corners, extent, place, write
from pollux.data.scenes.scene import Scenes, caption, film, page
from pollux.data.scenes.wording import Wording, fitted, plain

DEJAVU = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
TEXT = "It was a bright day in April, and all the clocks were late: “nearly” noon—or was it? " * 20


@pytest.fixture(scope="module")
def scenes():
    return Scenes(Fonts.load([DEJAVU]), Backdrops(), Wording(tuple(plain(TEXT).split())))


def test_a_scene_is_the_same_by_the_same_numbers(scenes):
    one, again, other = (scenes.make(3, n, 96, 160) for n in (5, 5, 6))
    assert one.pixels.tobytes() == again.pixels.tobytes() and one.lines == again.lines
    assert one.pixels.tobytes() != other.pixels.tobytes()


def test_scenes_are_pictures_with_lines_in_them(scenes):
    made = [scenes.make(0, n, 96, 160) for n in range(40)]
    lines = [line for scene in made for line in scene.lines]
    assert all(scene.pixels.shape == (96, 160, 3) and scene.pixels.dtype == np.uint8 for scene in made)
    assert len(lines) > 60 and any(not scene.lines for scene in made) and any(len(scene.lines) > 4 for scene in made)
    for line in lines:
        assert line.text and line.text.isascii() and line.text.isprintable() and line.text == line.text.strip()
        assert 0 <= line.place[0] < 160 and 0 <= line.place[1] < 96


def test_ink_is_where_a_line_says_that_it_stands():
    face = look(DEJAVU / "DejaVuSans.ttf")
    for angle in (0.0, 0.08, -0.08):
        picture = Image.new("RGB", (300, 120), "white")
        line = write(picture, Style(face, 24, angle=angle), "Happy days, hdgq", 20, 45)
        rows, columns = np.nonzero(np.asarray(picture.convert("L")) < 128)
        left, top, right, bottom = extent(line.place)
        assert left <= columns.min() <= left + 6 and right - 6 <= columns.max() <= right
        assert abs(rows.min() - top) <= 4 and abs(rows.max() - bottom) <= 4


def test_a_turned_line_falls_to_the_right():
    face = look(DEJAVU / "DejaVuSans.ttf")
    found = corners(place(Style(face, 20, angle=0.1), "a line", 10, 30))
    assert np.allclose(found[0], (10, 30)) and found[1][1] > found[0][1] and found[3][1] > found[0][1]


def test_a_page_is_legible(scenes):
    """Wherever a line is there is a contrast, whatever the paper and the ink."""
    for n in range(20):
        picture, lines = page(scenes, np.random.default_rng(n), (240, 160))
        grey = np.asarray(picture.convert("L"), np.float32)
        for line in lines:
            left, top, right, bottom = extent(line.place)
            assert np.ptp(grey[max(top, 0) : bottom, max(left, 0) : right]) > 35, (n, line)


def test_a_film_has_one_caption_as_high_as_asked(scenes):
    for n in range(10):
        _, lines = film(scenes, np.random.default_rng(n), (256, 144), least=0.08, most=0.1)
        assert 1 <= len(lines) <= 2 and all(0.06 * 144 <= line.place[3] <= 0.12 * 144 for line in lines)
    assert caption(scenes, 1, 2, 144, 256).pixels.shape == (144, 256, 3)


def test_faces_without_small_letters_are_left_out():
    assert look(DEJAVU / "DejaVuSans.ttf").characters >= set("aQ7&@~")
    assert look(DEJAVU / "DejaVuSansDisplay.ttf") is None  # a few marks, and no letters
    assert look(DEJAVU / "STIXSizOneSymReg.ttf") is None
    assert look(Path(__file__)) is None


def test_words_are_fitted_and_plain():
    assert plain("“so”—well…") == '"so"-well...' and plain("naïve\n\tme") == "na ve me"
    assert fitted(["one", "two", "three"], 8) == "one two" and fitted(["everlasting"], 4) == "ever"


def test_lines_are_no_longer_than_asked(scenes):
    rng = np.random.default_rng(0)
    drawn = [scenes.wording.line(rng, 12) for _ in range(300)]
    assert all(drawn) and sum(len(text) <= 12 for text in drawn) > 150
    assert set("".join(scenes.wording.line(rng, 40) for _ in range(4000))) >= set(map(chr, range(33, 127)))


@pytest.mark.parametrize(
    ("load", "says"),
    [
        (lambda folder: Fonts.load([folder]), "no font in"),
        (Wording.load, "holds no texts"),
        (Backdrops.load, "holds no photographs"),
        (labelled.photographs, "no folders with pictures"),
        (labelled.digits, "one file of digits"),
    ],
)
def test_empty_folders_are_refused(tmp_path, load, says):
    with pytest.raises(ConfigError, match=says):
        load(tmp_path)


def test_photographs_by_folder(tmp_path):
    for name, grey in (("cat", 50), ("dog", 200)):
        (tmp_path / name).mkdir()
        Image.new("RGB", (32, 32), (grey,) * 3).save(tmp_path / name / "1.png")
    found = labelled.photographs(tmp_path)
    assert found.names == ("cat", "dog") and list(found.classes) == [0, 1] and found.pictures[1].mean() == 200
    Image.new("RGB", (16, 16)).save(tmp_path / "dog" / "2.png")
    with pytest.raises(ConfigError, match="several sizes"):
        labelled.photographs(tmp_path)


def test_labelled_pictures_are_joined_and_augmented():
    rng = np.random.default_rng(0)
    pictures = rng.integers(256, size=(6, 32, 32, 3), dtype=np.uint8)
    sets = [Labelled(pictures, np.arange(6) % 2, ("cat", "dog")), Labelled(pictures, np.arange(6) % 3, tuple("012"))]
    both = labelled.joined(sets)
    assert both.names == ("cat", "dog", "0", "1", "2") and list(both.classes[6:]) == [2, 3, 4, 2, 3, 4]
    made, classes = both.augmented(rng, 9, 64)
    assert made.shape == (9, 64, 64, 3) and made.dtype == np.uint8 and classes.shape == (9,) and classes.max() < 5
    assert both.plain(np.array([0, 3]), 48).shape == (2, 48, 48, 3)
