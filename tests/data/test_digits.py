"""Pictures from IDX files and from PNGs in a zip file, sound and damaged."""

import gzip
import struct
import zipfile
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pollux.base.errors import ConfigError, MediaError
from pollux.data.digits import load

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (20, 28, 28), dtype=np.uint8)


def idx(pictures, magic=0x803, sides=(28, 28), count=None):
    return struct.pack(">IIII", magic, len(pictures) if count is None else count, *sides) + pictures.tobytes()


def png(picture):
    out = BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()


def zipped(path, entries):
    with zipfile.ZipFile(path, "w") as file:
        for name, data in entries.items():
            file.writestr(name, data)


def test_idx_files_are_split_by_a_fixed_rule(tmp_path):
    (tmp_path / "a-images.idx3-ubyte.gz").write_bytes(gzip.compress(idx(GREY[:15])))
    (tmp_path / "b-images-idx3-ubyte").write_bytes(idx(GREY[15:]))
    (tmp_path / "a-labels.idx1-ubyte.gz").write_bytes(b"left alone")
    found = load(tmp_path)
    assert [len(part) for part in found[:3]] == [16, 2, 2] and found.train.dtype == np.uint8
    every = np.concatenate(found[:3])
    order = lambda x: x[np.lexsort(x.T)]  # noqa: E731
    np.testing.assert_array_equal(order(every), order(GREY.reshape(20, -1)))
    assert not (every == GREY.reshape(20, -1)).all()
    again = load(tmp_path)
    np.testing.assert_array_equal(again.test, found.test)
    assert again.fingerprint == found.fingerprint
    (tmp_path / "b-images-idx3-ubyte").write_bytes(idx(GREY[15:] // 2))
    assert load(tmp_path).fingerprint != found.fingerprint


def test_pngs_are_turned_round_and_made_smaller(tmp_path):
    white = np.full((56, 56), 255, np.uint8)
    white[:2, :4] = 0  # two new pixels' worth of ink
    white[2, 0] = 0  # and a quarter of one
    entries = {f"images/{i:02}.png": png(white) for i in range(9)}
    entries |= {"__MACOSX/images/._00.png": b"", "images/.hidden.png": b"", "images/readme.txt": b"no picture"}
    zipped(tmp_path / "some.zip", entries)
    found = load(tmp_path)
    assert [len(part) for part in found[:3]] == [7, 1, 1]
    picture = found.test[0].reshape(28, 28)
    assert picture[0, :3].tolist() == [255, 255, 0] and picture[1, 0] == 63 and picture.sum() == 2 * 255 + 63


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("x-idx3-ubyte", b"\0\0\x08", "ends within its header"),
        ("x-idx3-ubyte", idx(GREY, magic=0x801), "begins with 0x00000801"),
        ("x-idx3-ubyte", idx(GREY, sides=(32, 32)), "20 pictures of 32 x 32"),
        ("x-idx3-ubyte", idx(GREY, count=2**31), "2,147,483,648 pictures"),
        ("x-idx3-ubyte", idx(GREY, count=21), "should hold 21 pictures, 16,464 bytes, and holds 15,680"),
        ("x-idx3-ubyte", idx(GREY, count=19), "and holds more"),
        ("x-idx3-ubyte.gz", gzip.compress(idx(GREY), mtime=0)[:-2000], "damaged"),
        ("x-idx3-ubyte.gz", b"not gzip at all", "damaged"),
        ("x.zip", b"PK\x03\x04 cut off", "damaged"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, data, told):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(MediaError, match=told) as error:
        load(tmp_path)
    assert error.value.path == str(tmp_path / name) and error.value.hint


def test_damaged_entries_are_named(tmp_path):
    path, sound = tmp_path / "x.zip", png(GREY[0])
    for data, told in {
        sound[:60]: "a/b.png is no sound PNG", b"GIF89a" + bytes(99): "a/b.png is no sound PNG",
        bytes((1 << 20) + 1): "a/b.png has 1,048,577 bytes", png(np.zeros((1025, 1025), np.uint8)): "1025 x 1025 pixels",
    }.items():  # fmt: skip
        zipped(path, {"a/a.png": sound, "a/b.png": data})
        with pytest.raises(MediaError, match=told):
            load(tmp_path)
    zipped(path, {"readme.txt": b""})
    with pytest.raises(MediaError, match="holds 0 pictures"):
        load(tmp_path)
    zipped(path, {"a/a.png": sound})
    path.write_bytes(path.read_bytes().replace(sound[-20:], bytes(20)))
    with pytest.raises(MediaError, match="damaged or locked"):
        load(tmp_path)


def test_folders_without_pictures_are_told(tmp_path):
    with pytest.raises(ConfigError, match="there is no folder"):
        load(tmp_path / "none")
    with pytest.raises(ConfigError, match="neither IDX files"):
        load(tmp_path)
    (tmp_path / "x-idx3-ubyte").write_bytes(idx(GREY[:8]))
    with pytest.raises(ConfigError, match="holds 8 pictures; at least 9"):
        load(tmp_path)
    zipped(tmp_path / "x.zip", {"a.png": png(GREY[0])})
    with pytest.raises(ConfigError, match="both IDX and zip"):
        load(tmp_path)
