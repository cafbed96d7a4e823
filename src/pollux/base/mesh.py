"""Where arrays live: one rules table from logical axes to mesh axes, and JAX's own SPMD for the rest.

Mesh axes: ``data`` and ``expert`` both split the batch (experts' weights are split over ``expert`` besides), ``sequence`` splits
the tokens of a row, ``tensor`` splits heads, feed-forward width and vocabulary.
"""

from __future__ import annotations

import math

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from pollux.base.errors import ConfigError
from pollux.base.weights import Tree, Weight, map_table

AXES = ("data", "sequence", "expert", "tensor")

RULES: dict[str, str | tuple[str, ...]] = {
    "batch": ("data", "expert"),
    "sequence": "sequence",
    "experts": "expert",
    "heads": "tensor",
    "hidden": "tensor",
    "vocabulary": "tensor",
    # width and kv_heads stay whole: multi-query attention has one key-value head, which every device needs
}


def make_mesh(data: int = 1, sequence: int = 1, expert: int = 1, tensor: int = 1) -> Mesh:
    """A mesh over the first data * sequence * expert * tensor devices. Raises ConfigError when there are fewer."""
    shape = (data, sequence, expert, tensor)
    devices = jax.devices()
    if math.prod(shape) > len(devices):
        wanted = ", ".join(f"{name}={size}" for name, size in zip(AXES, shape, strict=True))
        raise ConfigError(
            f"the mesh {wanted} needs {math.prod(shape)} devices, but there are {len(devices)}",
            "lower an axis, or set XLA_FLAGS=--xla_force_host_platform_device_count=N to simulate devices on CPU",
        )
    return jax.make_mesh(shape, AXES, devices=devices[: math.prod(shape)], axis_types=(jax.sharding.AxisType.Auto,) * 4)


def spec(axes: tuple[str | None, ...], mesh: Mesh, shape: tuple[int, ...] | None = None) -> PartitionSpec:
    """The partition of an array with these logical axes. An axis that its mesh axis does not divide stays whole."""
    placed = []
    for i, axis in enumerate(axes):
        target = RULES.get(axis) if axis else None
        names = (target,) if isinstance(target, str) else target or ()
        parts = math.prod(mesh.shape[name] for name in names)
        placed.append(target if target and (shape is None or shape[i] % parts == 0) else None)
    return PartitionSpec(*placed)


def shardings(table: Tree, mesh: Mesh) -> Tree:
    """A NamedSharding for every row of a weight table."""

    def one(_: str, row: Weight) -> NamedSharding:
        return NamedSharding(mesh, spec(row.axes, mesh, row.shape))

    return map_table(one, table)


def constrain(x: jax.Array, axes: tuple[str | None, ...]) -> jax.Array:
    """Place an activation by its logical axes where a mesh is in force; elsewhere nothing happens."""
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or math.prod(mesh.shape.values()) == 1:
        return x
    return jax.lax.with_sharding_constraint(x, spec(axes, mesh, x.shape))
