"""Strips: what is drawn as a map is found in it again, and what is cut out is what was there."""

import math

import numpy as np
import pytest
from PIL import Image

from pollux.perception.vision import strips
from pollux.perception.vision.strips import Strip

LINES = [
    Strip(100, 20, 160, 14, 0.0),
    Strip(100, 34.5, 160, 14, 0.0),  # as close as lines of print are
    Strip(60, 70, 90, 30, math.radians(5)),
    Strip(180, 74, 100, 24, math.radians(-6)),
    Strip(120, 110, 20, 11, 0.0),
]


def logits(wanted):
    """The map of a finder that is never wrong."""
    return np.concatenate([np.where(wanted[..., :1] > 0, 6.0, -6.0), wanted[..., 1:]], -1)


def test_lines_are_found_in_what_is_drawn():
    found = strips.find(logits(strips.drawn(LINES, 128, 256)))
    assert len(found) == len(LINES)
    for line in LINES:
        best = min(found, key=lambda other: math.hypot(other.x - line.x, other.y - line.y))
        assert abs(best.x - line.x) < 3 and abs(best.y - line.y) < 1 and abs(best.angle - line.angle) < 0.02
        assert abs(best.width - line.width) < 6 and abs(best.height - line.height) < 1.5


def test_lines_that_leave_the_picture_are_drawn_as_far_as_they_are_in_it():
    found = strips.find(logits(strips.drawn([Strip(0, 16, 80, 16, 0.0), Strip(250, 60, 60, 16, 0.0)], 64, 256)))
    assert [round(line.at(0, 0.5)[0] / 4) for line in found] == [0, 55]
    assert not strips.drawn([Strip(-200, 16, 80, 16, 0.0)], 64, 256).any()


def test_nothing_is_found_where_nothing_is():
    assert strips.find(logits(np.zeros((32, 32, 3), np.float32))) == []


def test_unsure_cells_are_no_line():
    wanted = strips.drawn(LINES[:1], 128, 256)
    assert strips.find(np.concatenate([np.where(wanted[..., :1] > 0, 0.3, -6.0), wanted[..., 1:]], -1)) == []


@pytest.mark.parametrize("angle", [0.0, 0.1])
@pytest.mark.parametrize("height", [12, 32, 90])
def test_a_strip_is_cut_out_upright(angle, height):
    """A bar across the middle of a line is a bar across the middle of what is cut out, however large or turned."""
    line = Strip(200, 150, 200, height, angle)
    ys, xs = np.mgrid[:300, :400] + 0.5
    u = (xs - 200) * math.cos(angle) + (ys - 150) * math.sin(angle)
    v = (ys - 150) * math.cos(angle) - (xs - 200) * math.sin(angle)
    bar = (np.abs(u) < 100) & (np.abs(v) < height / 4)
    cut = strips.cut(Image.fromarray(np.repeat((bar * 200).astype(np.uint8)[..., None], 3, 2)), line)
    box = strips.outer(line)
    assert cut.shape == (32, round(box.width / box.height * 32), 3) and abs(cut.mean()) < 1e-4
    dark = cut[..., 0] > 0
    rows, columns = dark.mean(1), dark.mean(0)
    assert rows[15:17].min() > 0.7 and rows[:6].max() < 0.1 and rows[-6:].max() < 0.1
    assert columns[: int(0.08 * height)].max(initial=0) == 0 and columns[len(columns) // 2] > 0.3


def test_a_very_long_line_is_squeezed():
    assert strips.cut(Image.new("RGB", (4000, 20)), Strip(2000, 10, 3990, 10, 0.0)).shape == (32, strips.LONGEST, 3)


def test_a_strip_at_another_size():
    assert Strip(10, 20, 30, 8, 0.0).scaled(2, 0.5) == Strip(20, 10, 60, 4, 0.0)
