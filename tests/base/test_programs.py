"""A compiled program is found again by what it depends on, and made again when it is not there, spoilt or old."""

import os
import shutil
import subprocess
import sys
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


def test_where_an_array_comes_from_makes_no_other_program(folder):
    program, one = Program(scaled, factor=2), (jnp.ones(3), jnp.zeros((), jnp.int32))
    for x in (np.zeros(3, np.float32), jnp.zeros(3), jax.device_put(np.zeros(3, np.float32), jax.devices()[0])):
        np.testing.assert_array_equal(program(x, one)["sum"], 2)
    assert len(kept(folder)) == 1


def test_other_shapes_and_settings_are_other_programs(folder):
    run()
    run(size=4)
    run(factor=3)
    assert len(kept(folder)) == 3


@pytest.mark.parametrize("spoil", [lambda x: x[: len(x) // 2], lambda x: x[:-100] + bytes([x[-100] ^ 1]) + x[-99:], lambda x: b""])
def test_a_spoilt_program_is_made_again(folder, spoil):
    run()
    (path,) = kept(folder)
    whole = path.read_bytes()
    path.write_bytes(spoil(whole))
    run()
    assert len(path.read_bytes()) == len(whole)


ASK_ONCE = """
import sys
from pollux.base.config import prepare_jax
prepare_jax()
import jax
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
import jax.numpy as jnp
from pollux.base.programs import Program

def spread(x):
    y = jnp.exp(x) @ jnp.cos(x).T
    return jnp.sort(y / y.sum(0), axis=1)

x = jnp.arange(1024.0).reshape(32, 32) / 1024
jax.jit(spread)(x)  # now jax's own cache holds it too
print(float(Program(spread)(x).sum()))
"""


def test_a_program_that_jax_has_kept_as_well_is_kept_whole(folder):
    """Four processes, one after another: what the second finds in jax's cache, the third must be able to call."""
    env = {**os.environ, "XLA_FLAGS": "", "JAX_COMPILATION_CACHE_DIR": str(folder.parent / "compiled")}
    found = []
    for again in range(4):
        out = subprocess.run([sys.executable, "-c", ASK_ONCE], env=env, capture_output=True, text=True, timeout=120)
        assert out.returncode == 0, out.stderr
        found.append(out.stdout)
        if again == 0:
            shutil.rmtree(folder)
    assert len(set(found)) == 1 and len(kept(folder)) == 1


def test_where_nothing_can_be_kept_programs_still_run(folder):
    folder.write_text("a file where the folder should be")
    run()


def test_arguments_that_are_given_away_are_used_up():
    for _ in ("compiled", "found"):
        x = jnp.arange(3.0)
        Program(scaled, donate=(0,), factor=2)(x, (np.ones(3, np.float32), np.int32(0)))
        assert x.is_deleted()


def test_on_several_devices_nothing_is_kept(folder):
    mesh = jax.make_mesh((8,), ("data",))
    x = jax.device_put(np.arange(8, dtype=np.float32), jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data")))
    out = Program(scaled, factor=2)(x, (np.ones(8, np.float32), np.int32(0)))
    np.testing.assert_array_equal(out["sum"], 2 * (np.arange(8) + 1))
    assert not kept(folder)


def aged(path):
    month = time.time() - 31 * 86_400
    os.utime(path, (month, month))


def test_another_version_compiles_for_itself_and_clears_away_what_is_old(folder, monkeypatch):
    run()
    (old,) = folder.iterdir()
    aged(old)
    programs._folder.cache_clear()
    run()
    assert len(kept(old)) == 1  # its own, which it uses still
    aged(old)
    monkeypatch.setattr(programs, "_environment", lambda: "another version")
    programs._folder.cache_clear()
    run()
    assert not old.exists() and len(kept(folder)) == 1
