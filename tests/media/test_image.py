"""Pictures: known pixels come out as they are to be seen, at the size that is wanted, and damage is one clear error."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollux.base.errors import MediaError
from pollux.media import image
from pollux.media.decode import Senses, decode, read
from pollux.media.segment import Spot
from pollux.media.senses import Image, Video
from pollux.media.source import Bounds, Source

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)


def encoded(picture: PIL.Image.Image | np.ndarray, form: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    picture = picture if isinstance(picture, PIL.Image.Image) else PIL.Image.fromarray(picture)
    picture.save(out, form, **options)
    return out.getvalue()


def seen(data: bytes, box=None, **bounds) -> list[np.ndarray]:
    document, _ = decode(data, "a", senses=Senses(bounds=Bounds(**bounds)))
    assert all(isinstance(each, Image) for each in document.segments)
    return list(image.look(document.segments, box))


def moving(count: int, form: str = "GIF", durations=100) -> bytes:
    frames = [PIL.Image.new("RGB", (16, 12), (i * 20 % 256, 0, 255 - i * 20 % 256)) for i in range(count)]
    return encoded(frames[0], form, save_all=True, append_images=frames[1:], duration=durations, lossless=True, disposal=1)


@pytest.mark.parametrize(("form", "options"), [("PNG", {}), ("WEBP", {"lossless": True}), ("PNG", {"compress_level": 0})])
def test_lossless_pixels_come_back(form, options):
    (pixels,) = seen(encoded(NOISE, form, **options))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, NOISE)


def test_jpeg_is_close_and_scaled_while_it_is_decoded():
    smooth = np.kron(NOISE[:8, :8], np.ones((100, 100, 1), np.uint8))
    data = encoded(smooth, "JPEG", quality=95)
    (whole,), (small,) = seen(data), seen(data, (200, 100))
    assert np.abs(whole.astype(int) - smooth).mean() < 3
    assert small.shape == (100, 100, 3)
    inner = np.abs(small[6::12, 6::12].astype(int) - smooth[50::100, 50::100][: len(small[6::12]), : len(small[0, 6::12])]).mean()
    assert inner < 5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_their_note_says(orientation):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    data = encoded(NOISE, exif=exif)
    turned = {
        1: NOISE, 2: NOISE[:, ::-1], 3: NOISE[::-1, ::-1], 4: NOISE[::-1], 5: NOISE.transpose(1, 0, 2),
        6: np.rot90(NOISE, -1), 7: np.rot90(NOISE.transpose(1, 0, 2), 2), 8: np.rot90(NOISE),
    }[orientation]  # fmt: skip
    np.testing.assert_array_equal(seen(data)[0], turned)
    (described,) = decode(data, "a", senses=Senses())[0].segments
    assert (described.height, described.width) == turned.shape[:2]
    small = seen(data, (10, 100))[0].shape
    assert small[1] == 10 or small[0] <= 100


def test_what_is_transparent_lies_on_white():
    clear = np.dstack([NOISE, np.full((20, 30), 255, np.uint8)])
    clear[:10, :, 3] = 0
    for form in ("PNG", "WEBP"):
        (pixels,) = seen(encoded(clear, form, **({"lossless": True, "exact": True} if form == "WEBP" else {})))
        assert (pixels[:10] == 255).all()
        np.testing.assert_array_equal(pixels[10:], NOISE[10:])
    half = np.zeros((2, 2, 4), np.uint8)
    half[..., 3] = 128
    assert np.abs(seen(encoded(half))[0].astype(int) - 127).max() <= 1
    palette = PIL.Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    assert seen(encoded(palette, transparency=0))[0].tolist() == [[[255, 255, 255], [40, 50, 60]]]
    grey = PIL.Image.fromarray(np.array([[7, 90]], np.uint8))
    assert seen(encoded(grey, transparency=7))[0][0, :, 0].tolist() == [255, 90]


def test_other_depths_and_colours():
    deep = np.array([[0, 257, 65535, 32768]], np.uint16)
    assert seen(encoded(PIL.Image.fromarray(deep)))[0][0, :, 1].tolist() == [0, 1, 255, 128]
    bits = PIL.Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
    assert seen(encoded(bits))[0].tolist() == [[[0, 0, 0], [255, 255, 255]]]
    inks = PIL.Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    red = seen(encoded(inks, "JPEG", quality=95))[0][4, 4]
    assert red[0] > 240
    assert max(red[1:]) < 15


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 100), st.integers(1, 100))
def test_a_box_is_never_left_and_shapes_are_kept(width, height, across, down):
    got = image.fit(width, height, (across, down))
    assert 1 <= got[0] <= max(min(across, width), 1)
    assert 1 <= got[1] <= max(min(down, height), 1)
    assert abs(got[0] * height - got[1] * width) <= max(width, height)  # within half a pixel


def test_frames_of_animations():
    for form in ("GIF", "WEBP", "PNG"):
        data = moving(5, form)
        document, warnings = decode(data, "a.gif", senses=Senses())
        assert ([each.frame for each in document.segments], warnings) == ([1, 2, 3, 4, 5], [])
        colours = [pixels[5, 5].tolist() for pixels in image.look(document.segments)]
        assert colours == [[i * 20, 0, 255 - i * 20] for i in range(5)]
        backwards = [pixels[5, 5, 0] for pixels in image.look(document.segments[::-1])]
        assert backwards == [80, 60, 40, 20, 0]
    assert document.segments[2].place((0, 0, 0.5, 1)) == Spot("a.gif", frame=3, region=(0, 0, 0.5, 1))
    document, (warning,) = decode(moving(9), "a.gif", senses=Senses(bounds=Bounds(frames=4)))
    assert (len(document.segments), warning.severity) == (4, "warning")


def test_an_animation_as_a_film():
    from pollux.media import video

    data = moving(6, durations=[500, 500, 1000, 200, 300, 1000])
    (film,) = decode(data, "a.gif", senses=Senses(moving=True))[0].segments
    assert isinstance(film, Video)
    assert film.duration == pytest.approx(3.5)
    assert [(each.time, each.shown, int(each.pixels[5, 5, 0])) for each in video.play(film)] == [
        (0, 0, 0), (1, 1, 40), (2, 2, 60), (3, 2.5, 100),
    ]  # fmt: skip
    (still,) = decode(encoded(NOISE), "a", senses=Senses(moving=True))[0].segments
    assert isinstance(still, Image)


def test_bounds_are_kept_before_anything_is_decoded():
    with pytest.raises(MediaError, match="30 x 20 pixels, and 599"):
        seen(encoded(NOISE), pixels=599)
    with pytest.raises(MediaError, match="at most"):
        seen(encoded(NOISE), image_bytes=100)
    bomb = bytearray(encoded(np.zeros((8, 8), np.uint8)))
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2  # 3.6 gigapixels, says the head
    with pytest.raises(MediaError):
        seen(bytes(bomb))


FILES = [
    encoded(NOISE), encoded(NOISE, "JPEG"), encoded(NOISE, "JPEG", progressive=True), encoded(NOISE, "WEBP"), moving(3),
    moving(3, "WEBP"), encoded(PIL.Image.fromarray(NOISE).quantize(8)), moving(3, "PNG"),
]  # fmt: skip


@given(st.sampled_from(FILES), st.data())
def test_any_damage_is_a_picture_or_a_media_error(whole, data):
    made = bytearray(whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole)
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(made)))
        made[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    source = Source(data.draw(st.sampled_from(["png", "jpeg", "webp", "gif"])), data=bytes(made), bounds=Bounds(pixels=1 << 20))
    try:
        images, _ = image.describe(source, "a")
        for pixels in image.look(images, (16, 16)):
            assert pixels.dtype == np.uint8
            assert pixels.ndim == 3
        list(image.animation(source, "a"))
    except MediaError as error:
        assert error.path == "a"


def test_files_are_described_and_not_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a.png").write_bytes(encoded(NOISE))
    (tmp_path / "d/b.txt").write_text("text")
    (tmp_path / "d/c.jpg").write_bytes(encoded(NOISE, "JPEG")[:40])
    (tmp_path / "d/link.png").symlink_to("a.png")
    before = read(["d"])
    assert ([each.path for each in before.documents], before.skipped, before.problems) == (["d/b.txt"], 2, ())
    reading = read(["d"], senses=Senses())
    assert [each.path for each in reading.documents] == ["d/a.png", "d/b.txt"]
    assert [each.path for each in reading.problems] == ["d/c.jpg"]
    (described,) = reading.documents[0].segments
    assert (described.source.file, described.source.data) == ("d/a.png", None)
    (tmp_path / "d/a.png").unlink()
    with pytest.raises(MediaError, match="no file"):
        next(image.look([described]))


def test_without_the_libraries_the_error_says_what_to_install(tmp_path, monkeypatch):
    import sys

    (tmp_path / "a.png").write_bytes(encoded(NOISE))
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    (problem,) = read([tmp_path / "a.png"], senses=Senses()).problems
    assert "pip install 'pollux-lm[media]'" in problem.hint


def test_regions_within_regions():
    part = Image("a.pdf", Source("pdf"), 10, 10, page=2, region=(0.5, 0.0, 1.0, 0.5))
    assert part.place() == Spot("a.pdf", page=2, region=(0.5, 0.0, 1.0, 0.5))
    assert part.place((0.0, 0.5, 0.5, 1.0)) == Spot("a.pdf", page=2, region=(0.5, 0.25, 0.75, 0.5))
    with pytest.raises(ValueError, match="shares"):
        part.place((0.5, 0, 0.4, 1))
