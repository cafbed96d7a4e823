"""Image files of every kind become one form of pixels, or an error that says why not."""

import numpy as np
import pytest
from pictures import halves
from PIL import Image

from pollux.base.errors import MediaError
from pollux.segmentation import photo
from pollux.segmentation.photo import checked, read

BYTES = (halves() * 255).astype(np.uint8)


def saved(tmp_path, image, name="a.png", **how):
    image.save(tmp_path / name, **how)
    return read(tmp_path / name)


def test_modes(tmp_path):
    expected = BYTES / np.float32(255)
    image = Image.fromarray(BYTES)
    assert np.array_equal(saved(tmp_path, image), expected)
    assert np.array_equal(saved(tmp_path, image.quantize(4)), saved(tmp_path, image.quantize(4).convert("RGB")))
    grey = np.asarray(image.convert("L"))
    assert np.array_equal(saved(tmp_path, image.convert("L"))[..., 1], grey / np.float32(255))
    assert np.allclose(saved(tmp_path, Image.fromarray(grey.astype(np.uint16) * 257))[..., 2], grey / 255, atol=1e-6)
    assert np.allclose(saved(tmp_path, Image.fromarray(grey / np.float32(255)), "a.tif")[..., 0], grey / 255, atol=1e-6)
    assert np.abs(saved(tmp_path, image.convert("CMYK"), "a.tif") - expected).max() < 0.02
    assert saved(tmp_path, image.convert("1")).max() == 1


def test_what_is_transparent_lies_on_white(tmp_path):
    alpha = np.zeros((*BYTES.shape[:2], 1), np.uint8)
    alpha[:, :10] = 255
    found = saved(tmp_path, Image.fromarray(np.concatenate([BYTES, alpha], -1)))
    assert np.array_equal(found[:, :10], BYTES[:, :10] / np.float32(255)) and np.all(found[:, 10:] == 1)


def test_turned_as_its_note_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    found = saved(tmp_path, Image.fromarray(BYTES), "a.jpg", exif=exif, quality=95)
    assert found.shape == (96, 80, 3) and found[:40, :, 0].mean() > 0.7 and found[60:, :, 2].mean() > 0.7


def test_files_that_are_no_photograph(tmp_path):
    image = Image.fromarray(BYTES)
    image.save(tmp_path / "a.gif", save_all=True, append_images=[image.rotate(90), image])
    image.save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:-200])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    Image.new("RGB", (50, 50), "red").save(tmp_path / "flat.png")
    Image.new("RGB", (50, 8), "red").save(tmp_path / "thin.png")
    errors = {"a.gif": "3 frames", "cut.jpg": "cut short", "text.png": "no image", "empty.png": "no image",
              "flat.png": "same colour", "thin.png": "50x8"}  # fmt: skip
    for name, message in errors.items():
        with pytest.raises(MediaError, match=message) as caught:
            read(tmp_path / name)
        assert caught.value.path.endswith(name) and name in caught.value.message and caught.value.hint
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.png")


def test_cut_png(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (99, 99, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:5000])
    with pytest.raises(MediaError, match="damaged or cut short"):
        read(tmp_path / "a.png")


def test_too_many_pixels(tmp_path, monkeypatch):
    Image.fromarray(BYTES).save(tmp_path / "a.png")
    monkeypatch.setattr(photo, "PIXELS", 5000)
    for give in (lambda: read(tmp_path / "a.png"), lambda: checked(BYTES)):
        with pytest.raises(MediaError, match="pixels that are read"):
            give()


@pytest.mark.parametrize(
    "image, message",
    [
        (np.zeros((20, 20, 20, 3)), "shape"), (np.zeros((20, 0, 3)), "0x20"), (np.zeros((20, 20), int), "int64"),
        (np.full((20, 20), "a"), "<U1"), (np.full((20, 20), np.inf), "infinite"), (np.linspace(0, 255, 400).reshape(20, 20), "255"),
        (np.linspace(-1, 0, 400).reshape(20, 20), "-1"),
    ],
)  # fmt: skip
def test_arrays_that_are_no_image(image, message):
    with pytest.raises(MediaError, match=message):
        checked(image)
