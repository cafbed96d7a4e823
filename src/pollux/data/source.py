"""What there is to learn from in a folder: running text, source code, and question/answer pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pollux.base.errors import ConfigError
from pollux.media.decode import read
from pollux.tasks.definitions import find_definitions
from pollux.tasks.reading import load_pairs

PAIRS = (".jsonl", ".jsonl.xz", ".jsonl.gz")
# Shorter texts hold too little to hide facts in or to continue.
_LEAST = 2000


@dataclass(frozen=True)
class Corpus:
    """Texts by kind. ``code``: (path, source) of files in which functions or classes are defined; ``pairs``: prompt, completion."""

    prose: Sequence[str]
    code: Sequence[tuple[str, str]]
    pairs: Sequence[tuple[str, str]]


def load(folders: Sequence[Path]) -> Corpus:
    """Everything readable below the folders; files named ``*.jsonl``, ``.jsonl.xz`` or ``.jsonl.gz`` hold pairs, one per line, with
    keys ``prompt`` and ``completion``.

    Raises:
        ConfigError: when a folder is missing or no text of 2,000 characters is found.
    """
    missing = [folder for folder in folders if not folder.exists()]
    if missing:
        raise ConfigError(f"there is no folder {missing[0]}", "name a folder with text files: --data DIR")
    prose, code = [], []
    for document in read(folders).documents:
        if document.path.endswith(PAIRS):
            continue
        text = "\n".join(segment.text for segment in document.segments)
        if find_definitions(document.path, text):
            code.append((document.path, text))
        elif len(text) >= _LEAST:
            prose.append(text)
    if not prose and not code:
        raise ConfigError(f"no text to learn from in {', '.join(map(str, folders))}", "it needs files of at least 2,000 characters")
    return Corpus(prose or [source for _, source in code], code, _pairs(folders))


def _pairs(folders: Sequence[Path]) -> list[tuple[str, str]]:
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.name.endswith(PAIRS))
    return [pair for path in files for pair in load_pairs(path, cut=True)]
