"""Words that were read, mended where the eye was not sure: of the words that differ from one in letters that are in doubt, the
commonest known one. Names, numbers and whatever is plainly read stay as they are.

Axis letters: N characters.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence

from pollux.perception.known import known

_PLAIN = 0.9  # the chance from which on a character is not in doubt
_DOUBTS, _CHANGES = 3, 2  # characters of a word that are taken for doubtful, at most; changes
_SHORTEST = 4  # letters: shorter words are too much alike
_MARKS = string.punctuation


def mended(word: str, chances_N: Sequence[float]) -> str:
    """A word as it probably stands there. ``chances_N``: how likely each of its characters is."""
    core = word.strip(_MARKS)
    start = word.find(core)
    if len(core) < _SHORTEST or not core.isalpha() or core.lower() in known():
        return word
    doubtful = [i for i in range(len(core)) if chances_N[start + i] < _PLAIN]
    doubtful = sorted(doubtful, key=lambda i: chances_N[start + i])[:_DOUBTS]
    found = _nearest(core.lower(), tuple(doubtful))
    return word if found is None else word[:start] + _cased(found, core) + word[start + len(core) :]


def _nearest(word: str, doubtful: tuple[int, ...]) -> str | None:
    """The commonest known word by as few changes as it takes; None where there is none."""
    reached = [(word, doubtful)]
    for _ in range(_CHANGES):
        reached = [other for each in reached for other in _changed(*each)]
        if words := {other for other, _ in reached if other in known()}:
            return min(words, key=known().__getitem__)
    return None


def _changed(word: str, doubtful: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """All words by one change where one is doubtful, each with what is doubtful still."""
    for place in doubtful:
        others = [i for i in doubtful if i != place]
        yield word[:place] + word[place + 1 :], tuple(i - (i > place) for i in others)
        for letter in string.ascii_lowercase:
            yield word[:place] + letter + word[place + 1 :], tuple(others)
            for at in (place, place + 1):
                yield word[:at] + letter + word[at:], tuple(i + (i >= at) for i in others)


def _cased(word: str, like: str) -> str:
    if like.isupper():
        return word.upper()
    return word.capitalize() if like[:1].isupper() and like[1:].islower() else word
