"""Keys and values lie where memory can be shared, and go to disk where memory is short."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pytest

from pollux.base.errors import ContextError
from pollux.engine.contexts import store
from pollux.engine.contexts.store import Store
from pollux.engine.runner import _shared
from pollux.kernels.coded import Coded


def tokens(count: int, seed: int = 0) -> tuple[Coded, Coded, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = (rng.integers(0, 256, (count, 2, size)).astype(np.uint8) for size in (4, 2))
    key, value = (Coded(code, rng.random((count, 2)).astype(np.float32)) for code in codes)
    return key, value, rng.integers(0, 1 << 32, (count, 2), dtype=np.uint32)


@pytest.fixture
def scarce(monkeypatch, tmp_path):
    monkeypatch.setattr(store, "free_memory", lambda: 0)
    monkeypatch.setenv("POLLUX_CACHE", str(tmp_path))


@pytest.mark.parametrize("disk", [False, True])
def test_what_is_written_is_kept_when_a_store_grows(disk, request):
    if disk:
        request.getfixturevalue("scarce")
    kept = Store.empty(2, 8, 4, 4)
    (key, *rest), (key2, value2, signs2) = tokens(1000), tokens(5000, 1)
    kept.write(0, key, *rest)
    kept.write(990, key2, value2, signs2)
    assert kept.size == 8192
    np.testing.assert_array_equal(kept.key.code[:, :990].swapaxes(0, 1), key.code[:990])
    np.testing.assert_array_equal(kept.value.scale[:, 990:5990].swapaxes(0, 1), value2.scale)
    np.testing.assert_array_equal(kept.signs[:, 990:5990].T, signs2)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what is mapped")
def test_where_memory_is_short_a_store_is_a_file_that_nobody_sees(scarce, tmp_path):
    kept = Store.empty(2, 8, 4, 4, 1 << 20)
    assert str(tmp_path) in Path("/proc/self/maps").read_text()
    assert not any(tmp_path.iterdir())
    kept.write(1_000_000, *tokens(10))
    assert kept.key.code[:, 1_000_000:1_000_010].any()


def test_a_full_disk_is_told_before_anything_is_written(scarce, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    with pytest.raises(ContextError, match=r"no room .* that the context needs: No space left"):
        Store.empty(2, 8, 4, 4)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="only a CPU shares the machine's memory")
def test_the_device_uses_a_store_where_it_lies():
    code = Store.empty(1, 192, 64, 8, 2048).key.code
    code[0, 7, 7] = 3
    on_device = _shared(code)
    assert on_device.unsafe_buffer_pointer() == code.ctypes.data and on_device[0, 7, 7] == 3
