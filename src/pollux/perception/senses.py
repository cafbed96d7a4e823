"""The senses of a model: kept in its own weights file, under ``senses``, and put there by `join`.

model.safetensors: embedding, layers, …  senses.sight: trunk, codes, finder, letters  senses.hearing: stem, blocks, …
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import jax
import numpy as np

from pollux.base.checkpoint import load_weights, save_weights
from pollux.base.errors import CheckpointError
from pollux.base.weights import Tree
from pollux.perception.audio.hearing import Hearing
from pollux.perception.audio.lexicon import shipped
from pollux.perception.audio.net import Ear
from pollux.perception.perceive import Perception
from pollux.perception.vision.sight import Sight

KEY = "senses"


def perception(params: Tree, about: dict) -> Perception | None:
    """The senses in a model's weights; None where there are none.

    Raises:
        CheckpointError: the file does not say what they are.
    """
    if KEY not in params:
        return None
    try:
        ear = Ear(**about[KEY]["ear"])
    except (KeyError, TypeError) as error:
        raise CheckpointError("the weights hold senses and do not say which", "fetch or join them again") from error
    return Perception(Sight(jax.device_put(params[KEY]["sight"])), Hearing(params[KEY]["hearing"], ear, shipped()))


def senses_of(model: Path) -> Tree:
    """The weights of a model's senses: ``sight`` and ``hearing``.

    Raises:
        CheckpointError: the file is missing or damaged, or holds no senses.
    """
    params, _ = load_weights(model)
    if KEY not in params:
        raise CheckpointError(f"{model} holds no senses", "begin from random weights, or join some first: pollux senses join")
    return params[KEY]


def join(model: Path, sight: Path, hearing: Path, path: Path) -> None:
    """A model and its senses as one file.

    Raises:
        CheckpointError: one of them is missing, damaged, or something else.
    """
    params, about = load_weights(model)
    codes = about.get("model", {}).get("codes", 0)
    if not codes:
        raise CheckpointError(f"{model} knows no codes of what is seen and heard", "train it further: pollux train further")
    eyes, ears = Sight.load(sight), Hearing.load(hearing)
    senses = {"sight": eyes.params, "hearing": ears.params}
    weights = jax.tree.map(np.asarray, {**params, KEY: senses})
    save_weights(path, weights, about | {KEY: {"ear": asdict(ears.ear)}})
