"""``pollux segment``, as a user calls it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pictures import disc, halves
from PIL import Image

from pollux.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Two photographs, one of them in a folder of its own, a text, and a broken image."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "deep").mkdir(parents=True)
    Image.fromarray((halves() * 255).astype(np.uint8)).save("in/halves.png")
    Image.fromarray((disc() * 255).astype(np.uint8)).save("in/deep/disc.jpg", quality=95)
    Path("in/notes.txt").write_text("no image")
    Path("in/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing more")
    return tmp_path


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_one_photograph(folder, capsys):
    assert main(["segment", "in/halves.png", "--superpixels", "300"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("in/halves.png: 2 labels in 2 regions, ") and out.count("\n") == 1 and not err
    assert written(folder / "segments") == [f"halves.{end}" for end in ("labels.npz", "labels.png", "outlines.png")]
    labels = np.asarray(Image.open("segments/halves.labels.png"))
    kept = np.load("segments/halves.labels.npz")
    assert np.array_equal(labels, kept["labels"]) and kept["regions"].shape == labels.shape == (80, 96)
    assert Image.open("segments/halves.outlines.png").size == (96, 80)


def test_a_folder_with_a_broken_file(folder, capsys):
    words = ["segment", "in", "--out", "results", "--superpixels", "300"]
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert out.count(" labels in ") == 2 and err.count("error: ") == 1 and "broken.jpg" in err and "hint: " in err
    names = [f"{stem}.{end}" for stem in ("deep/disc", "halves") for end in ("labels.npz", "labels.png", "outlines.png")]
    before = {name: (folder / "results" / name).read_bytes() for name in written(folder / "results")}
    assert sorted(before) == names
    assert main(words) == 1
    assert {name: (folder / "results" / name).read_bytes() for name in names if not name.endswith("npz")} == {
        name: data for name, data in before.items() if not name.endswith("npz")
    }


def test_results_are_no_inputs_and_replace_none(folder, capsys):
    assert main(["segment", "in/halves.png", "--out", "in", "--superpixels", "300"]) == 0
    main(["segment", "in", "--out", "in", "--superpixels", "300"])
    assert capsys.readouterr().out.count("halves") == 4, "each line names a photograph and its results"
    assert main(["segment", "in/halves.png", "in/halves.labels.png", "--out", "in"]) == 1
    assert "would be replaced" in capsys.readouterr().err


def test_names_that_are_alike(folder, capsys):
    Image.open("in/halves.png").save("in/halves.bmp")
    assert main(["segment", "in/halves.bmp", "in/halves.png", "--superpixels", "300"]) == 0
    assert {"halves.labels.png", "halves.png.labels.png"} < set(written(folder / "segments"))


def test_what_holds_no_image_is_told_and_the_rest_is_done(folder, capsys):
    assert main(["segment", "zz*.png", "in/halves.png", "--superpixels", "300"]) == 1
    out, err = capsys.readouterr()
    assert "halves" in out and "there is no image in zz*.png" in err


def test_what_cannot_be_done(folder, capsys):
    (folder / "empty").mkdir()
    for words, status, message in (
        (["none.png"], 1, "none.png"),
        (["in/notes.txt"], 1, "no image"),
        (["*.bmp"], 1, "there is no image in *.bmp"),
        (["empty"], 1, "there is no image in empty"),
        (["in/halves.png", "--superpixels", "1"], 1, "superpixels must be a whole number from 2"),
        (["in/halves.png", "--seed", "-1"], 1, "seed must be a whole number from 0"),
        (["in/halves.png", "--out", "in/notes.txt"], 1, "notes.txt"),
    ):
        assert main(["segment", *words]) == status
        out, err = capsys.readouterr()
        assert not out and err.startswith("error: ") and message in err and "\n\nhint: " in err, err
    for words in ([], ["in", "--coarse", "0"]):
        with pytest.raises(SystemExit) as stop:
            main(["segment", *words])
        assert stop.value.code == 2 and "error: " in capsys.readouterr().err


def test_without_scikit_image(folder, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("pollux.segmentation.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "skimage.measure", None)
    assert main(["segment", "in/halves.png"]) == 1
    assert "pip install 'pollux-lm[segment]'" in capsys.readouterr().err


def test_ctrl_c_leaves_whole_files(folder):
    for number in range(40):
        Image.fromarray((disc(10 + number % 9) * 255).astype(np.uint8)).save(f"in/{number}.png")
    command = [sys.executable, "-m", "pollux", "segment", "in", "--out", "out"]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=folder, text=True) as process:
        process.stdout.readline()
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and err.endswith("interrupted\n")
    for path in (folder / "out").rglob("[!.]*.png"):
        Image.open(path).load()
    for path in (folder / "out").rglob("[!.]*.npz"):
        assert np.load(path)["labels"].size
