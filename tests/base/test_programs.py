"""A compiled program is found again by what it depends on, and made again when it is not there, spoilt or old."""

import os
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pollux.base import programs
from pollux.base.programs import Program


def scaled(x, pair, *, factor):
    return {"sum": factor * (x + pair[0]), "rest": pair[1]}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("POLLUX_CACHE", str(tmp_path))
    programs._folder.cache_clear()
    yield tmp_path / "programs"
    programs._folder.cache_clear()


def kept(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def run(size=3, factor=2, **options):
    x, one = np.arange(size, dtype=np.float32), jnp.ones(size)
    out = Program(scaled, factor=factor, **options)(x, (one, jnp.zeros((), jnp.int32)))
    np.testing.assert_array_equal(out["sum"], factor * (x + 1))
    assert out["rest"] == 0


def no_compiling(monkeypatch):
    monkeypatch.setattr(jax, "jit", lambda *a, **k: None)  # has no `lower`, which compiling needs


def test_a_program_is_found_again(folder, monkeypatch):
    run()
    assert len(kept(folder)) == 1
    no_compiling(monkeypatch)
    run()


def test_other_shapes_and_settings_are_other_programs(folder):
    run()
    run(size=4)
    run(factor=3)
    assert len(kept(folder)) == 3


def test_a_spoilt_program_is_made_again(folder):
    run()
    (path,) = kept(folder)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    run()
    assert len(path.read_bytes()) == len(whole)


def test_where_nothing_can_be_kept_programs_still_run(folder):
    folder.write_text("a file where the folder should be")
    run()


def test_arguments_that_are_given_away_are_used_up():
    x = jnp.arange(3.0)
    Program(scaled, donate=(0,), factor=2)(x, (np.ones(3, np.float32), np.int32(0)))
    assert x.is_deleted()


def test_another_version_compiles_for_itself_and_clears_away_what_is_old(folder, monkeypatch):
    run()
    (old,) = folder.iterdir()
    month = time.time() - 31 * 86_400
    os.utime(old, (month, month))
    monkeypatch.setattr(programs, "_environment", lambda: "another version")
    programs._folder.cache_clear()
    run()
    assert not old.exists() and len(kept(folder)) == 1
