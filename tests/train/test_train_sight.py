"""Training sight: batches, losses, a run that stops and goes on, and that a net learns to read one line."""

import signal
import threading
from dataclasses import replace
from pathlib import Path

import jax
import matplotlib
import numpy as np
import pytest
from PIL import Image

from pollux.base.checkpoint import save_weights
from pollux.base.errors import CheckpointError, ConfigError
from pollux.base.weights import initial
from pollux.data.scenes import labelled
from pollux.perception.vision.sight import Sight
from pollux.perception.vision.strips import Strip
from pollux.perception.vision.trunk import TrunkConfig
from pollux.tasks.sensed.edits import edits
from pollux.train.metrics import read_metrics
from pollux.train.sight import batches, evaluate, losses, run
from pollux.train.sight.config import SightRun, Sources

DEJAVU = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    rng = np.random.default_rng(0)
    for name in ("photos", "texts", "classes/cat", "classes/dog", "fonts"):
        (folder / name).mkdir(parents=True)
    (folder / "texts" / "a.txt").write_text("The quick brown fox jumps over a lazy dog. " * 30)
    for path in ("photos/a.png", "classes/cat/a.png", "classes/dog/b.png"):
        Image.fromarray(rng.integers(256, size=(32, 32, 3), dtype=np.uint8)).save(folder / path)
    (folder / "fonts" / "a.ttf").write_bytes((DEJAVU / "DejaVuSans.ttf").read_bytes())
    return Sources((folder / "fonts",), folder / "photos", folder / "texts")


def test_strips_are_packed_by_width(sources):
    rows = batches.read(batches.supply(sources), SightRun("read", sources, 1, scenes=2), 0)
    for part, width, count in zip(rows, batches.WIDTHS, batches.ROWS, strict=True):
        assert part.strips.shape == (count, 32, width, 3) and part.widths.max() <= width
        for i in range(count):
            assert bool(part.widths[i]) == bool(part.texts[i].any()) and not part.strips[i, :, part.widths[i] :].any()


def test_a_batch_is_the_same_by_the_same_number(sources):
    given, plan = batches.supply(sources), SightRun("read", sources, 1, scenes=1)
    one, again = batches.read(given, plan, 3), batches.read(given, plan, 3)
    assert all((a == b).all() for x, y in zip(one, again, strict=True) for a, b in zip(x, y, strict=True))


def test_scenes_to_look_at_have_their_maps(sources):
    given = batches.supply(sources)._replace(labelled=labelled.photographs(sources.photos.parent / "classes"))
    plan = SightRun("look", replace(sources, classes=Path("classes"), digits=Path("digits")), 1, scenes=3, labelled=2)
    batch, (height, width) = batches.look(given, plan, 0), batches.SHAPE
    assert batch.scenes.shape == (3, height, width, 3) and batch.maps.shape == (3, height // 2, width // 4, 3)
    assert batch.pictures.shape == (2, batches.SIDE, batches.SIDE, 3) and batch.classes.dtype == np.int32
    lines = [given.scenes.make(0, i, height, width).lines for i in range(3)]
    assert [bool(map_GJ3.any()) for map_GJ3 in batch.maps] == [bool(some) for some in lines]


def test_a_finder_that_is_right_has_next_to_no_loss():
    from pollux.perception.vision import strips

    wanted = strips.drawn([Strip(60, 30, 80, 20, 0.0)], 64, 128)[None]
    right = np.concatenate([np.where(wanted[..., :1] > 0, np.float32(12), np.float32(-12)), wanted[..., 1:]], -1)
    good, bad = losses.finding(right, wanted), losses.finding(-right, wanted)
    assert good["core"] + good["edges"] < 0.05 < 1 < bad["core"]


def test_looking_has_a_gradient_everywhere():
    """Even through codes, which are rounded."""
    rng = np.random.default_rng(0)
    pixels = lambda *shape: rng.integers(256, size=(*shape, 3), dtype=np.uint8)  # noqa: E731
    maps = np.zeros((1, 16, 16, 3), np.float32)
    maps[:, 4:6, 3:9] = (1, 1.5, 1.5)
    batch = batches.Look(pixels(1, 32, 64), maps, pixels(2, 128, 128), np.array([1, 3], np.int32))
    params = initial(losses.table_of("look", TrunkConfig((8, 12, 16, 16), (1, 1, 1, 1))), 0)
    grads, numbers = jax.jit(jax.grad(losses.look, has_aux=True))(params, batch)
    assert all(float(abs(g).max()) > 0 and bool(np.isfinite(g).all()) for g in jax.tree.leaves(grads))
    assert set(numbers) == {"core", "edges", "overlap", "shown", "named", "right"}


def test_it_begins_from_a_model_that_sees(sources, tmp_path):
    given = initial(losses.table_of("read"), 7)
    save_weights(tmp_path / "model.safetensors", {"senses": {"sight": given}}, {})
    plan = SightRun("read", sources, 1, scenes=1, begin=tmp_path / "model.safetensors")
    state = run.start(plan, batches.read(batches.supply(sources), plan, 0))
    for ours, theirs in zip(jax.tree.leaves(state.params), jax.tree.leaves(given), strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=1e-2)  # matrices are kept in bfloat16
    save_weights(tmp_path / "blind.safetensors", given, {})
    with pytest.raises(CheckpointError, match="holds no senses"):
        run.start(replace(plan, begin=tmp_path / "blind.safetensors"), batches.read(batches.supply(sources), plan, 0))


def test_empty_rows_and_impossible_ones_teach_nothing():
    """A row without text, and one too short for its text, have no loss and no gradient."""
    texts = np.zeros((3, 8), np.uint8)
    texts[1, :5], texts[2, :2] = 65, 66
    rows = batches.Read(np.random.default_rng(0).normal(size=(3, 32, 32, 3)).astype(np.float16), np.array([0, 8, 32]), texts)
    params = initial(losses.table_of("read"), 0)
    value, numbers = losses.read(params, (rows,))
    alone, _ = losses.read(params, (batches.Read(*(x[2:] for x in rows)),))
    assert np.isfinite(value) and numbers["characters"] == 7 and np.allclose(value * 7, alone * 2, rtol=1e-3)


@pytest.fixture
def small(monkeypatch, sources):
    """A run of steps that take no time: few lines, short."""
    monkeypatch.setattr(batches, "WIDTHS", (64,))
    monkeypatch.setattr(batches, "ROWS", (2,))
    monkeypatch.setattr(run, "Ahead", _Here)
    monkeypatch.setattr(run, "_EVERY", 2)
    return SightRun("read", sources, 4, scenes=1)


class _Here:
    """Batches made in this process."""

    def __init__(self, plan, first):
        self._given, self._plan, self._next = batches.supply(plan.sources), plan, first

    def __call__(self):
        self._next += 1
        return batches.read(self._given, self._plan, self._next - 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_a_run_that_stops_goes_on_bit_for_bit(small, tmp_path, monkeypatch):
    whole = run.train(small, tmp_path / "whole")
    made = run.make_step

    def stopping(plan):
        step = made(plan)

        def once(state, batch):
            signal.raise_signal(signal.SIGINT)
            return step(state, batch)

        return once

    monkeypatch.setattr(run, "make_step", stopping)
    assert threading.current_thread() is threading.main_thread()
    with pytest.raises(KeyboardInterrupt):
        run.train(small, tmp_path / "parts")
    monkeypatch.setattr(run, "make_step", made)
    parts = run.train(small, tmp_path / "parts")
    assert whole.read_bytes() == parts.read_bytes()
    assert [row["step"] for row in read_metrics(tmp_path / "whole" / "metrics.jsonl")] == [2, 4]
    assert [row["step"] for row in read_metrics(tmp_path / "parts" / "metrics.jsonl")] == [1, 2, 4]
    with pytest.raises(CheckpointError, match="another seed"):
        run.train(replace(small, seed=1), tmp_path / "parts")


def test_halves_become_one_sight(tmp_path):
    from pollux.base.checkpoint import save_weights

    for half in ("look", "read"):
        save_weights(tmp_path / f"{half}.safetensors", initial(losses.table_of(half), 0), {"half": half, "step": 7})
    run.join(tmp_path / "look.safetensors", tmp_path / "read.safetensors", tmp_path / "sight.safetensors")
    sight = Sight.load(tmp_path / "sight.safetensors")
    assert set(sight.params) == {"trunk", "codes", "finder", "letters"}
    with pytest.raises(CheckpointError, match="no half"):
        run.join(tmp_path / "sight.safetensors", tmp_path / "read.safetensors", tmp_path / "x.safetensors")


def test_settings_that_make_no_sense_are_refused(sources):
    with pytest.raises(ConfigError, match="halves"):
        SightRun("smell", sources, 1)
    with pytest.raises(ConfigError, match="known classes"):
        SightRun("look", sources, 1)
    with pytest.raises(ConfigError, match="steps must be"):
        SightRun("read", sources, 0)


def test_distances_and_shares():
    assert edits("kitten", "sitting") == 3 and edits("", "ab") == 2 and edits("a", "a") == 0
    one = Strip(50, 50, 40, 10, 0.0)
    assert evaluate.shared(one, one) == pytest.approx(1) and evaluate.shared(one, one._replace(x=70)) == pytest.approx(1 / 3)
    assert evaluate.shared(one, one._replace(y=80)) == 0
