"""States come back as they were, one that was cut short is not taken for a whole one, and released weights are what was saved."""

import shutil

import jax.numpy as jnp
import numpy as np
import pytest

from pollux.base.checkpoint import States, fingerprint, load_weights, save_weights
from pollux.base.errors import CheckpointError
from pollux.base.weights import flatten


def state(number):
    return ({"w": jnp.full((3, 4), number, jnp.float32), "b": jnp.arange(5)}, (), jnp.int32(number))


def test_states_come_back_newest_first_and_few_are_kept(tmp_path):
    states = States(tmp_path, keep=2)
    assert states.latest() is None
    for number in (1, 2, 3):
        states.save(number, state(number), {"run": "r", "number": number})
    states.save(3, state(9), {})  # a step that is there stays
    states.close()
    again = States(tmp_path)
    assert again.latest() == 3 and again.note(3) == {"run": "r", "number": 3}
    params, empty, step = again.restore(3, state(0))
    assert (params["w"] == 3).all() and (params["b"] == np.arange(5)).all() and empty == () and step == 3
    assert step.dtype == jnp.int32 and sorted(p.name for p in tmp_path.iterdir() if p.name.isdigit()) == ["2", "3"]
    with pytest.raises(CheckpointError):
        again.restore(3, ({"w": jnp.zeros((3, 5)), "b": jnp.arange(5)}, (), jnp.int32(0)))
    again.close()


def test_half_a_state_is_no_state(tmp_path):
    states = States(tmp_path)
    states.save(1, state(1), {})
    states.close()
    half = tmp_path / "2.orbax-checkpoint-tmp"
    shutil.copytree(tmp_path / "1", half)
    shutil.rmtree(next(path for path in half.iterdir() if path.is_dir()))
    again = States(tmp_path)
    assert again.latest() == 1
    again.save(2, state(2), {})
    assert again.latest() == 2 and again.restore(2, state(0))[2] == 2
    again.close()


def test_weights_are_rounded_once_and_come_back(tmp_path):
    path = tmp_path / "deep" / "model.safetensors"
    params = {"m": {"0": jnp.linspace(0, 1, 12).reshape(3, 4)}, "v": jnp.linspace(0, 1, 7)}
    save_weights(path, params, {"model": {"name": "tiny"}})
    found, about = load_weights(path)
    assert about == {"model": {"name": "tiny"}} and [p.name for p in path.parent.iterdir()] == [path.name]
    assert found["m"]["0"].dtype == jnp.bfloat16 and found["v"].dtype == np.float32
    assert (found["m"]["0"] == params["m"]["0"].astype(jnp.bfloat16)).all() and (found["v"] == params["v"]).all()
    before = fingerprint(path)
    save_weights(path, found, about)
    assert fingerprint(path) == before and flatten(load_weights(path)[0]).keys() == {"m.0", "v"}


def test_what_is_no_weights_file_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(CheckpointError, match="there are no weights"):
        load_weights(path)
    save_weights(path, {"v": jnp.ones(300)}, {})
    data = path.read_bytes()
    for bad in (b"", b"\0" * 64, data[:-7], data[:40]):
        path.write_bytes(bad)
        with pytest.raises(CheckpointError, match="not a sound"):
            load_weights(path)
