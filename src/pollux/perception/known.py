"""Words that are known, by which what is read or heard is spelled: words.txt, the 12,000 commonest of the novels that Pollux is
trained on, which are in the public domain, the commonest first."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def known() -> dict[str, int]:
    """Each word with its rank, from 0."""
    return {word: rank for rank, word in enumerate(files(__package__).joinpath("words.txt").read_text().split())}
