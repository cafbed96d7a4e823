"""A net that hears, in a larger one that at first hears the same."""

from __future__ import annotations

import jax.numpy as jnp

from pollux.base.weights import Tree


def grown(given: Tree, fresh: Tree) -> Tree:
    """Weights of a net (`perception.audio.net.table`) with the hidden units and the blocks that ``fresh`` has more: these add
    nothing until they have learned to.

    Raises:
        ValueError: ``given`` has more of them than ``fresh``.
    """
    old, new = given.get("blocks", {}), fresh["blocks"]
    if len(old) > len(new):
        raise ValueError(f"it has {len(old)} blocks, and {len(new)} are wanted")
    return given | {"blocks": {name: _widened(old[name], block) if name in old else _silent(block) for name, block in new.items()}}


def _widened(old: Tree, new: Tree) -> Tree:
    hidden = old["rise"].shape[1]
    if hidden > new["rise"].shape[1]:
        raise ValueError(f"it has {hidden} hidden units, and {new['rise'].shape[1]} are wanted")
    rise = jnp.concatenate([old["rise"], new["rise"][:, hidden:]], axis=1)
    return old | {"rise": rise, "fall": jnp.concatenate([old["fall"], jnp.zeros_like(new["fall"][hidden:])])}


def _silent(block: Tree) -> Tree:
    return block | {"fall": jnp.zeros_like(block["fall"])}
