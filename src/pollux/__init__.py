"""Pollux: a long-context model that reads files and answers with the place.

    import pollux

    engine = pollux.load()
    context = engine.read(pollux.read_files(["book.txt"]).documents)
    for answer in engine.answer(context, ["Who is the harbour master?"]):
        print(answer.text, answer.evidence[0].place)

The names below are imported when they are first used, so that ``import pollux`` takes no time and does not import jax.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pollux.base.errors import PolluxError
    from pollux.engine.contexts.context import ReadContext
    from pollux.engine.engine import Engine
    from pollux.engine.request import Answer, Event, Evidence, Sampling
    from pollux.media.decode import read as read_files
    from pollux.media.segment import Document, Place
    from pollux.model.sizes import ModelConfig, family
    from pollux.tokens.vocabulary import Vocabulary

__version__ = "0.1.0"

_HOME = {
    "Answer": "pollux.engine.request",
    "Document": "pollux.media.segment",
    "Engine": "pollux.engine.engine",
    "Event": "pollux.engine.request",
    "Evidence": "pollux.engine.request",
    "ModelConfig": "pollux.model.sizes",
    "Place": "pollux.media.segment",
    "PolluxError": "pollux.base.errors",
    "ReadContext": "pollux.engine.contexts.context",
    "Sampling": "pollux.engine.request",
    "Vocabulary": "pollux.tokens.vocabulary",
    "family": "pollux.model.sizes",
    "read_files": "pollux.media.decode",
}

__all__ = [
    "Answer", "Document", "Engine", "Event", "Evidence", "ModelConfig", "Place", "PolluxError", "ReadContext", "Sampling",
    "Vocabulary", "family", "load", "read_files",
]  # fmt: skip


def load(model: str = "base") -> Engine:
    """Open a model: the name of one that comes with Pollux, or a weights file.

    A ``vocabulary.json`` beside a weights file is used with it. Sets up jax for this process (`base.config.prepare_jax`).

    Raises:
        CheckpointError: when there is no such model, or its file is not sound.
    """
    from pollux.base import models
    from pollux.base.config import prepare_jax

    path = models.find(model)
    prepare_jax()
    from pollux.engine.engine import Engine
    from pollux.tokens.vocabulary import Vocabulary

    own = path.with_name("vocabulary.json")
    return Engine.load(path, Vocabulary.load(own) if own.exists() else None)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'pollux' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), "read" if name == "read_files" else name)


def __dir__() -> list[str]:
    return sorted(__all__)
