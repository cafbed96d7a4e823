"""Which models are here: names to weights files. Nothing is opened."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from pollux.base.errors import CheckpointError

# The model that is used where none is named.
DEFAULT = "base"


def folder() -> Path:
    """Where the weights that come with Pollux are."""
    return Path(str(resources.files("pollux") / "weights"))


def names() -> list[str]:
    """The models that come with Pollux."""
    return sorted(path.stem for path in folder().glob("*.safetensors"))


def find(model: str) -> Path:
    """The weights file of a model that comes with Pollux, or of a training folder, or the file itself.

    Raises:
        CheckpointError: when there is none.
    """
    shipped, given = folder() / f"{model}.safetensors", Path(model)
    if "/" not in model and shipped.is_file() and not given.is_file():
        return shipped
    if given.is_dir() and (inside := given / "model.safetensors").is_file():
        return inside
    if given.is_file():
        return given
    here = ", ".join(names())
    if model == DEFAULT:
        raise CheckpointError(
            f"the weights of {DEFAULT!r} are missing ({shipped})",
            "install Pollux again, or train a model (pollux train laptop --data DIR) and name it with --model",
        )
    known = f"the models here are: {here}; or name" if here else "name"
    hint = f"{known} a weights file, such as runs/laptop/model.safetensors"
    raise CheckpointError(f"there is no model {model}", hint)
