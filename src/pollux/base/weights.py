"""Weights as a table: one row each, from which everything else about a weight is derived.

A table is a nested dict whose leaves are `Weight`. The abstract tree, the initial values, the shardings and the layout on disk
are all read from it, so that none of them can disagree with another.

Shapes are tuples of sizes; logical axes are names such as ``"width"`` that `base.mesh` maps to mesh axes.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

Tree = dict[str, Any]


@dataclass(frozen=True)
class Weight:
    """One weight: its shape, the logical name of each axis, how it starts, and its dtype.

    Attributes:
        shape: Sizes, one per axis.
        axes: Logical axis names, one per axis; None where the axis is never split.
        init: ``"normal"`` (standard deviation ``scale``), ``"ones"``, ``"zeros"``, or ``"first"`` (1 at index 0, else 0: a
            convolution that starts as the identity).
        scale: Standard deviation for ``"normal"``.
        matrix: Whether a matrix-preconditioned optimiser may treat the last two axes as one matrix.
        trained: False for state that a training step changes by a rule of its own (the router's balance).
    """

    shape: tuple[int, ...]
    axes: tuple[str | None, ...]
    init: str = "normal"
    scale: float = 0.02
    dtype: str = "float32"
    matrix: bool = False
    trained: bool = True

    def __post_init__(self) -> None:
        if len(self.shape) != len(self.axes):
            raise ValueError(f"a weight needs one logical axis per dimension: shape {self.shape}, axes {self.axes}")


def _value(weight: Weight, key: jax.Array) -> jax.Array:
    if weight.init == "normal":
        return weight.scale * jax.random.normal(key, weight.shape, weight.dtype)
    if weight.init == "first":
        return jnp.zeros(weight.shape, weight.dtype).at[0].set(1.0)
    return {"ones": jnp.ones, "zeros": jnp.zeros}[weight.init](weight.shape, weight.dtype)


def path_name(path: tuple) -> str:
    """The name of a leaf on disk and in logs: its keys joined by dots, ``layers.0.attention.query``."""
    return ".".join(str(step.key) for step in path)


def is_weight(x: object) -> bool:
    return isinstance(x, Weight)


def map_table(function, table: Tree) -> Tree:
    """``function(name, weight)`` on every row."""
    return jax.tree_util.tree_map_with_path(lambda path, row: function(path_name(path), row), table, is_leaf=is_weight)


def abstract(table: Tree) -> Tree:
    return map_table(lambda _, row: jax.ShapeDtypeStruct(row.shape, row.dtype), table)


def initial(table: Tree, seed: int) -> Tree:
    """Starting values. Each row's key is folded from its name, so adding a row changes no other row's values."""
    key = jax.random.key(seed)
    return map_table(lambda name, row: _value(row, jax.random.fold_in(key, zlib.crc32(name.encode()))), table)


def begun(fresh: Tree, given: Tree) -> Tree:
    """``fresh``, with what ``given`` has of the same name in place of it, in the same dtype. Raises ValueError where the two are of
    different shapes."""
    have = flatten(given)

    def one(path: tuple, value: jax.Array) -> jax.Array:
        found = have.get(path_name(path), value)
        if found.shape != value.shape:
            raise ValueError(f"{path_name(path)} is {found.shape}, and {value.shape} is wanted")
        return jnp.asarray(found, value.dtype)

    return jax.tree_util.tree_map_with_path(one, fresh)


def count(table: Tree) -> int:
    """Number of parameters."""
    rows = jax.tree_util.tree_leaves(table, is_leaf=is_weight)
    total = 0
    for row in rows:
        size = 1
        for n in row.shape:
            size *= n
        total += size
    return total


def flatten(tree: Tree) -> dict[str, Any]:
    """A nested tree as one flat dict, names as in `path_name`."""
    return {path_name(path): leaf for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]}


def unflatten(flat: dict[str, Any]) -> Tree:
    """The inverse of `flatten`."""
    tree: Tree = {}
    for name, leaf in flat.items():
        *folders, last = name.split(".")
        node = tree
        for folder in folders:
            node = node.setdefault(folder, {})
        node[last] = leaf
    return tree
