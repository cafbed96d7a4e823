"""What there is to learn from in a folder: running text, source code, and question/answer pairs."""

from __future__ import annotations

import logging
import lzma
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pollux.base.errors import ConfigError
from pollux.media.decode import read
from pollux.tasks.definitions import find_definitions
from pollux.tasks.reading import load_pairs

log = logging.getLogger("pollux")

PAIRS = (".jsonl", ".jsonl.xz", ".jsonl.gz")
# Shorter texts hold too little to hide facts in or to continue; they are put together.
_LEAST = 2000


@dataclass(frozen=True)
class Corpus:
    """Texts by kind. ``code``: (path, source) of files in which functions or classes are defined; ``pairs``: prompt, completion."""

    prose: Sequence[str]
    code: Sequence[tuple[str, str]]
    pairs: Sequence[tuple[str, str]]


def load(folders: Sequence[Path], *, pairs_only: bool = False) -> Corpus:
    """Everything readable below the folders; files named ``*.jsonl``, ``.jsonl.xz`` or ``.jsonl.gz`` hold pairs, one per line, with
    keys ``prompt`` and ``completion``. Files that cannot be read are named in the log and left out.

    Args:
        pairs_only: Whether pairs are enough, without any text.

    Raises:
        ConfigError: when a folder is missing or the texts in it come to less than 2,000 characters.
    """
    missing = [folder for folder in folders if not folder.exists()]
    if missing:
        raise ConfigError(f"there is no folder {missing[0]}", "name a folder with text files: --data DIR")
    prose, code, short = [], [], []
    found = read(folders)
    for problem in found.problems:
        if problem.severity == "error":
            log.warning("left out: %s", problem.message)
    for document in found.documents:
        if document.path.endswith(PAIRS):
            continue
        text = "\n".join(segment.text for segment in document.segments)
        if find_definitions(document.path, text):
            code.append((document.path, text))
        else:
            (prose if len(text) >= _LEAST else short).append(text.strip())
    prose += _together(short)
    pairs = _pairs(folders)
    if not prose and not code and not (pairs_only and pairs):
        raise ConfigError(f"no text to learn from in {', '.join(map(str, folders))}", "it needs 2,000 characters of text at least")
    return Corpus(prose or [source for _, source in code], code, pairs)


def _together(short: list[str]) -> list[str]:
    """Short texts joined, in order, into texts that are long enough; what is left over at the end is dropped."""
    joined, parts = [], []
    for text in short:
        parts.append(text)
        if sum(map(len, parts)) >= _LEAST:
            joined.append("\n\n".join(parts))
            parts = []
    return joined


def _pairs(folders: Sequence[Path]) -> list[tuple[str, str]]:
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.name.endswith(PAIRS))
    pairs = []
    for path in files:
        try:
            pairs += load_pairs(path, cut=True)
        except (ValueError, OSError, EOFError, lzma.LZMAError) as error:  # other people's JSON lines have other keys
            log.warning("left out: %s: %s", path, error)
    return pairs
