"""One device = eight devices: a training step gives the same numbers however the mesh splits it, and weights really are split."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from pollux.base.mesh import make_mesh
from pollux.base.weights import flatten
from pollux.model.sizes import RETRIEVAL, LayerSpec, family
from pollux.tokens.stream import Batch
from pollux.tokens.vocabulary import USER
from pollux.train.loop import Run, Stage, _placer, compiled_step, start
from pollux.train.optimizer import OptimizerConfig, orthogonalise

SPARSE = LayerSpec(window=16, hidden=32, experts=4, shared=1)
CONFIG = replace(family()["tiny"], layers=(SPARSE, LayerSpec(reach=RETRIEVAL, hidden=64, parallel=True)))
OPTIMIZER = OptimizerConfig("adamw", warmup=1)  # Muon's own law is below: its steps take twice as long to compile
RNG = np.random.default_rng(0)
ROWS, LENGTH, SCORED = 8, 32, 8
TOKENS = RNG.integers(0, 512, (ROWS, LENGTH)).astype(np.int32)
TOKENS[:, 6] = USER  # something is asked, for a slope by recency to learn from
SEGMENT = np.repeat(np.where(np.arange(LENGTH) < 13, 0, np.where(np.arange(LENGTH) < 29, 1, -1))[None], ROWS, 0).astype(np.int32)
INDEX = np.where(SEGMENT == 1, np.arange(LENGTH) - 13, np.arange(LENGTH)).astype(np.int32)
WHERE = np.sort(RNG.permuted(np.repeat(np.arange(12)[None], ROWS, 0), axis=1)[:, :SCORED], 1).astype(np.int32)
BATCH = Batch(
    TOKENS, INDEX, SEGMENT, WHERE, np.take_along_axis(TOKENS, WHERE + 1, 1), np.full(WHERE.shape, 0.3, np.float32), WHERE % 2 == 0,
    WHERE // 2, np.stack([WHERE // 3, WHERE], axis=-1),
)  # fmt: skip

# mesh sizes; then some weights, and into how many parts each of their axes is split
MESHES = {
    "data=8": ({"data": 8}, {"embedding": (1, 1)}),
    "data=2 tensor=4": (
        {"data": 2, "tensor": 4},
        {
            "embedding": (4, 1),
            "layers.0.attention.query": (1, 4),
            "layers.0.attention.key": (1, 1),
            "layers.1.attention.out": (4, 1),
            "layers.0.feed_forward.gate": (1, 1, 4),
            "layers.0.feed_forward.shared.up": (1, 4),
            "layers.1.feed_forward.down": (4, 1),
        },
    ),
    "data=2 expert=4": (
        {"data": 2, "expert": 4},
        {"embedding": (1, 1), "layers.0.feed_forward.gate": (4, 1, 1), "layers.0.feed_forward.down": (4, 1, 1)},
    ),
    "data=2 sequence=2 tensor=2": (
        {"data": 2, "sequence": 2, "tensor": 2},
        {"embedding": (2, 1), "layers.1.feed_forward.gate": (1, 2)},
    ),
}


def one_step(sizes):
    """The state before and after a step, the report, and the batch as it was placed."""
    run = Run("test", CONFIG, (Stage(10, ROWS, LENGTH, None),), OPTIMIZER, averaged=1.0)
    mesh = make_mesh(**sizes)
    with jax.set_mesh(mesh):
        state = start(run, mesh)
        step, batch = compiled_step(run, state), jax.tree.map(_placer(), BATCH)
        after, report = step(jax.tree.map(jnp.copy, state), batch)  # a copy, as the step consumes what it is given
        return state, after, jax.device_get(report), batch


@pytest.fixture(scope="module")
def alone():
    before, after, report, _ = one_step({})
    return flatten(jax.device_get(before.params)), jax.device_get(after), report


def apart(a, b):
    return np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-12)


@pytest.mark.parametrize("name", MESHES)
def test_a_step_gives_the_same_on_any_mesh(name, alone):
    sizes, split = MESHES[name]
    before, after, report, batch = one_step(sizes)
    start_alone, after_alone, report_alone = alone
    placed, moved = flatten(before.params), flatten(after.params)
    assert {d for x in jax.tree.leaves(placed) for d in x.devices()} == set(jax.devices())

    for weight, parts in split.items():
        x = placed[weight]
        assert tuple(n // m for n, m in zip(x.shape, x.addressable_shards[0].data.shape, strict=True)) == parts, weight
    # a step leaves everything where it was: what moved would be compiled for anew, and restored to another place than it had
    assert all(a.sharding.is_equivalent_to(b.sharding, a.ndim) for a, b in zip(*map(jax.tree.leaves, (before, after)), strict=True))
    for weight, mean in flatten(after.mean).items():  # of one step
        assert mean.sharding.is_equivalent_to(placed[weight].sharding, mean.ndim) and (mean == moved[weight]).all()
    memory = jax.tree_util.tree_leaves_with_path(before.optimizer)
    mirrored = [(jax.tree_util.keystr(path), x) for path, x in memory if x.ndim > 1]
    assert len(mirrored) > 20
    for path, x in mirrored:  # what the optimiser remembers of a weight lives where the weight does, from the start
        owner = max((n for n in placed if path.endswith("".join(f"['{key}']" for key in n.split(".")))), key=len)
        assert x.sharding == placed[owner].sharding, path
    rows = ROWS // (sizes["data"] * sizes.get("expert", 1))
    assert all(shard.data.shape[0] == rows for x in batch for shard in x.addressable_shards)

    assert all((np.asarray(placed[n]) == x).all() for n, x in start_alone.items())
    for field in ("loss", "text", "answer"):
        np.testing.assert_allclose(getattr(report, field), getattr(report_alone, field), rtol=1e-3)
    np.testing.assert_allclose(report.loads[0].share, report_alone.loads[0].share, atol=0.005)
    # The optimiser's memory is the gradient, and its square: tight. One of nearly zero (a bias has no gradient) has no direction to
    # compare. The first update is the gradient's sign: one sign in a hundred may turn.
    memory, memory_alone = (jax.tree.leaves(jax.device_get(x.optimizer)) for x in (after, after_alone))
    for a, b in zip(memory, memory_alone, strict=True):
        assert a.shape == b.shape and (np.linalg.norm(b) < 1e-9 or apart(a, b) < 0.03)
    for weight, x in flatten(after_alone.params).items():
        moved_by, wanted = np.asarray(moved[weight]) - start_alone[weight], x - start_alone[weight]
        assert np.linalg.norm(wanted) > 0, weight
        assert apart(moved_by, wanted) < 0.2, (weight, apart(moved_by, wanted))


@pytest.mark.parametrize("axes", [("expert", None, "tensor"), ("expert", "tensor", None)])
def test_muon_turns_a_split_matrix_as_it_turns_a_whole_one(axes):
    x = RNG.normal(size=(2, 16, 64)).astype(np.float32)
    whole = jax.jit(orthogonalise)(x)
    mesh = make_mesh(expert=2, tensor=4)
    with jax.set_mesh(mesh):
        split = jax.jit(orthogonalise)(jax.device_put(x, NamedSharding(mesh, PartitionSpec(*axes))))
    assert len(split.devices()) == 8 and apart(np.asarray(split), np.asarray(whole)) < 0.02
