"""Words that are known, by which what is read or heard is spelled: words.txt, the commonest first.

Its first 12,000 are the commonest of the novels that Pollux is trained on. The 32,787 behind them stand in the novels or in the
extractive pairs that it is trained on, and in SCOWL's list of English words (Debian's wamerican): words_licence.txt.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def known() -> dict[str, int]:
    """Each word with its rank, from 0."""
    return {word: rank for rank, word in enumerate(files(__package__).joinpath("words.txt").read_text().split())}
