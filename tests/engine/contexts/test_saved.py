"""A reading that is kept in a file outlives its process, and the file is shared by those who open it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pollux.base.errors import ContextError
from pollux.base.weights import initial
from pollux.engine.contexts import saved
from pollux.engine.contexts.context import ReadContext
from pollux.engine.contexts.saved import Part
from pollux.engine.engine import Engine
from pollux.engine.request import Sampling
from pollux.engine.runner import Runner
from pollux.media.segment import Document, Text
from pollux.model.sizes import family
from pollux.model.transformer import weight_table
from pollux.tokens.vocabulary import shipped

CONFIG = replace(family()["tiny"], vocab_size=8192)
QUESTION, SAMPLING = ["What colour is box 14?"], Sampling(limit=6)


def documents(lines: int = 60) -> list[Document]:
    text = "".join(f"Line {i} says that the colour of box {i * 7} is {'red' if i % 2 else 'green'}.\n" for i in range(lines))
    return [Document("notes.txt", (Text("notes.txt", text),))]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(Runner(initial(weight_table(CONFIG), 0), CONFIG, "test"), shipped())


@pytest.fixture(scope="module")
def whole(engine) -> ReadContext:
    return engine.read(documents())


def assert_same(a: ReadContext, b: ReadContext) -> None:
    assert len(a) == len(b) and a.segments == b.segments
    for x, y in zip(a.stream, b.stream, strict=True):
        np.testing.assert_array_equal(x, y)
    for name, tail in a.tails.items():
        np.testing.assert_array_equal(np.asarray(tail), np.asarray(b.tails[name]))
    for i, store in a.stores.items():
        for name, x in store.arrays.items():
            np.testing.assert_array_equal(x[:, : len(a)], b.stores[i].arrays[name][:, : len(a)])


def stop_after(tokens: int):
    seen = []

    def progress(done: int, total: int) -> None:
        seen.append(done)
        if done >= tokens:
            raise KeyboardInterrupt

    progress.seen = seen
    return progress


def test_a_reading_kept_in_a_file_is_a_reading(engine, whole, tmp_path):
    kept = engine.read(documents(), save=tmp_path / "c")
    assert_same(kept, whole)
    assert engine.answer(kept, QUESTION, SAMPLING) == engine.answer(whole, QUESTION, SAMPLING)
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_an_interrupted_reading_goes_on_where_it_stopped(engine, whole, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        engine.read(documents(), stop_after(300), save=tmp_path / "c")
    assert not (tmp_path / "c").exists()
    seen = []
    kept = engine.read(documents(), lambda done, total: seen.append(done), save=tmp_path / "c")
    assert seen[0] >= 256 and seen[-1] == len(whole)
    assert_same(kept, whole)


def test_another_reading_does_not_go_on_from_it(engine, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        engine.read(documents(), stop_after(300), save=tmp_path / "c")
    seen = []
    kept = engine.read(documents(61), lambda done, total: seen.append(done), save=tmp_path / "c")
    assert seen[0] == engine.runner.chunk
    assert_same(kept, engine.read(documents(61)))


@pytest.mark.parametrize("cut", [0, 3, 11, 500, -1])
def test_a_spoilt_note_is_no_note(engine, whole, tmp_path, cut):
    with pytest.raises(KeyboardInterrupt):
        engine.read(documents(), stop_after(300), save=tmp_path / "c")
    note = tmp_path / "c.part.note"
    note.write_bytes(note.read_bytes()[:cut])
    seen = []
    assert_same(engine.read(documents(), lambda done, total: seen.append(done), save=tmp_path / "c"), whole)
    assert seen[0] == engine.runner.chunk


def test_a_reading_that_is_killed_while_its_file_is_put_in_place_is_not_lost(engine, whole, tmp_path, monkeypatch):
    """The header with the checksums is written then, and the file not yet where it belongs."""
    engine_module = sys.modules["pollux.engine.engine"]
    monkeypatch.setattr(engine_module, "NOTE_SECONDS", 0.0)

    def die(*_):
        monkeypatch.setattr(Part, "write_note", lambda *_: None)  # a killed process writes no last note
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Part, "_forget", die)
        patch.setattr(Path, "replace", lambda self, to: None if self.name == "c.part" else os.replace(self, to))
        engine.read(documents(), save=tmp_path / "c")
    monkeypatch.undo()
    seen = []
    kept = engine.read(documents(), lambda done, total: seen.append(done), save=tmp_path / "c")
    assert seen[0] > len(whole) - engine.runner.chunk
    assert_same(kept, whole)


def test_a_note_that_cannot_be_written_stops_nothing(engine, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["pollux.engine.engine"], "NOTE_SECONDS", 0.0)
    (tmp_path / "c.part.note~").mkdir()
    monkeypatch.setattr(Part, "_forget", lambda self: None)
    assert_same(engine.read(documents(), save=tmp_path / "c"), whole)


def test_what_no_reading_left_is_not_written_over(engine, tmp_path):
    (tmp_path / "c.part").write_text("a film")
    for _ in range(2):
        with pytest.raises(ContextError, match="in the way"):
            engine.read(documents(), save=tmp_path / "c")
    assert (tmp_path / "c.part").read_text() == "a film"


@pytest.mark.skipif(sys.platform != "linux", reason="the limit that this is about, on mappings larger than memory, is Linux's")
def test_a_file_larger_than_memory_is_mapped(tmp_path):
    size = 2 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with open(tmp_path / "c", "wb") as file:
        file.truncate(size)
    (x,) = saved._mapped(tmp_path / "c", {"x": (np.dtype(np.int8), (size,))}, 0, shared=False).values()
    x[-1] = 7
    assert x[-1] == 7 and (tmp_path / "c").stat().st_blocks == 0


def test_a_killed_reading_goes_on_from_its_last_note(engine, whole, tmp_path, monkeypatch):
    """By SIGKILL, which no one can answer."""
    code = f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_saved import CONFIG, documents
        from pollux.engine import engine
        from pollux.base.weights import initial
        from pollux.engine.engine import Engine
        from pollux.engine.runner import Runner
        from pollux.model.transformer import weight_table
        from pollux.tokens.vocabulary import shipped
        engine.NOTE_SECONDS = 0.0
        die = lambda done, total: done > 300 and os.kill(os.getpid(), signal.SIGKILL)
        from pathlib import Path
        Engine(Runner(initial(weight_table(CONFIG), 0), CONFIG, "test"), shipped()).read(documents(), die, save=Path(sys.argv[1]))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "c")], env=os.environ, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    seen = []
    kept = engine.read(documents(), lambda done, total: seen.append(done), save=tmp_path / "c")
    assert seen[0] >= 256
    assert_same(kept, whole)


def test_what_is_said_to_a_reopened_context_does_not_change_its_file(engine, tmp_path):
    kept = engine.read(documents(), save=tmp_path / "c")
    before = (tmp_path / "c").read_bytes()
    engine.remember(kept, QUESTION[0], engine.answer(kept, QUESTION, SAMPLING)[0])
    assert (tmp_path / "c").read_bytes() == before
    again = ReadContext.load(tmp_path / "c", "test")
    assert len(again) < len(kept)
    kept.save(tmp_path / "c")  # in the place of the file that it is mapped from
    assert_same(ReadContext.load(tmp_path / "c", "test"), kept)
    assert engine.answer(again, QUESTION, SAMPLING)


def test_several_processes_ask_one_saved_context_at_once(engine, tmp_path):
    kept = engine.read(documents(), save=tmp_path / "c")
    code = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_saved import CONFIG, QUESTION, SAMPLING
        from pathlib import Path
        from pollux.base.weights import initial
        from pollux.engine.contexts.context import ReadContext
        from pollux.engine.engine import Engine
        from pollux.engine.runner import Runner
        from pollux.model.transformer import weight_table
        from pollux.tokens.vocabulary import shipped
        context = ReadContext.load(Path(sys.argv[1]), "test")
        print("ready", flush=True)
        sys.stdin.readline()
        engine = Engine(Runner(initial(weight_table(CONFIG), 0), CONFIG, "test"), shipped())
        print(engine.answer(context, QUESTION, SAMPLING)[0].tokens)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "c")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    readers = [subprocess.Popen(command, **pipes) for _ in range(3)]
    assert [reader.stdout.readline() for reader in readers] == ["ready\n"] * 3  # all of them have it open now
    found = [reader.communicate("go\n", timeout=300) for reader in readers]
    wanted = f"{engine.answer(kept, QUESTION, SAMPLING)[0].tokens}\n"
    assert [out for out, _ in found] == [wanted] * 3, found


def test_two_processes_do_not_fill_one_file(engine, tmp_path):
    specs = {"x": (np.dtype(np.int8), (64,))}
    first = Part(tmp_path / "c", {}, specs)
    with pytest.raises(ContextError, match="another process is saving"):
        Part(tmp_path / "c", {}, specs)
    first.close()
    Part(tmp_path / "c", {}, specs).discard()
    assert not any(tmp_path.iterdir())


def test_a_full_disk_leaves_nothing_behind(engine, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    with pytest.raises(ContextError, match="No space left"):
        engine.read(documents(), save=tmp_path / "c")
    assert not any(tmp_path.iterdir())
