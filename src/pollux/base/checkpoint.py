"""Training states on disk, through Orbax (atomic, sharded, any process count), and released weights as one safetensors file.

A state folder holds one numbered folder per save; one that was cut short is never taken for a whole one.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from pollux.base.errors import CheckpointError
from pollux.base.weights import Tree, flatten, unflatten


class States:
    """Numbered training states in a folder. Keeps the newest ``keep``.

    A state is any pytree of arrays; it is stored leaf by leaf in tree order, beside a JSON note.
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        import orbax.checkpoint as ocp  # takes a second to import, and only training needs it

        self._ocp = ocp
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, create=True, enable_async_checkpointing=False)
        self._manager = ocp.CheckpointManager(Path(folder).resolve(), options=options)

    def save(self, step: int, state: Any, note: dict) -> None:
        """Write a state; it exists wholly or not at all. A step that is there already is left as it is."""
        if step in self._manager.all_steps():
            return
        leaves = {f"{i:05}": leaf for i, leaf in enumerate(jax.tree.leaves(state))}
        args = self._ocp.args.Composite(state=self._ocp.args.StandardSave(leaves), note=self._ocp.args.JsonSave(note))
        self._manager.save(step, args=args)
        self._manager.wait_until_finished()

    def latest(self) -> int | None:
        return self._manager.latest_step()

    def note(self, step: int) -> dict:
        return self._manager.restore(step, args=self._ocp.args.Composite(note=self._ocp.args.JsonRestore())).note

    def restore(self, step: int, like: Any) -> Any:
        """The state as ``like`` (arrays or ShapeDtypeStructs with shardings) lays it out.

        Raises:
            CheckpointError: when the saved leaves do not fit.
        """
        leaves, tree = jax.tree.flatten(like)
        target = {f"{i:05}": _abstract(leaf) for i, leaf in enumerate(leaves)}
        args = self._ocp.args.Composite(state=self._ocp.args.StandardRestore(target))
        try:
            found = self._manager.restore(step, args=args).state
        except (ValueError, KeyError, FileNotFoundError) as error:
            why = str(error).split("\n")[0]  # Orbax goes on for pages
            raise CheckpointError(
                f"the training state of step {step} does not fit this run: {why}", "train into another folder with --out"
            ) from error
        return jax.tree.unflatten(tree, [found[f"{i:05}"] for i in range(len(leaves))])

    def close(self) -> None:
        self._manager.close()


def _abstract(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=getattr(leaf, "sharding", None))


def save_weights(path: Path, params: Tree, about: dict) -> None:
    """Released weights: bfloat16 matrices and float32 vectors in one safetensors file, with what they are as JSON in its header."""
    import ml_dtypes

    small = {name: np.asarray(x, np.float32 if x.ndim < 2 else ml_dtypes.bfloat16) for name, x in flatten(params).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    save_file(small, part, metadata={"pollux": json.dumps(about)})
    part.replace(path)


def load_weights(path: Path) -> tuple[Tree, dict]:
    """The weights as a tree of numpy arrays, and what they are.

    Raises:
        CheckpointError: when the file is missing, damaged, or not one of ours.
    """
    import ml_dtypes  # noqa: F401  (registers bfloat16 with numpy)

    try:
        with safe_open(str(path), framework="numpy") as file:
            about = json.loads((file.metadata() or {})["pollux"])
            return unflatten({name: file.get_tensor(name) for name in file.keys()}), about  # noqa: SIM118
    except FileNotFoundError as error:
        raise CheckpointError(f"there are no weights at {path}", "see 'pollux info' for the models that are here") from error
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise CheckpointError(f"{path} is not a sound Pollux weights file: {error}", "fetch or train it again") from error


def fingerprint(path: Path) -> str:
    """The first 16 hex digits of a file's SHA-256: tells which weights a saved context belongs to."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]
