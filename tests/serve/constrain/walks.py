"""Answers under a constraint, made by chance, and answers given, tried token by token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import numpy as np

from pollux.engine.request import Constraint
from pollux.tokens.vocabulary import END, SPECIAL, Vocabulary

Make = Callable[[], Constraint]


def allowed(constraint: Constraint, vocabulary: Vocabulary) -> np.ndarray:
    """The tokens that may come next, once they are seen to be of the right kind."""
    mask = constraint.allowed()
    assert mask.shape == (vocabulary.size,) and mask.dtype == bool
    ids = np.flatnonzero(mask)
    assert ids.size, "nothing may come next"
    assert set(ids[ids < SPECIAL].tolist()) <= {END}, "a special token is allowed"
    return ids


def steps(make: Make, vocabulary: Vocabulary, rng: Random, most: int = 400) -> Iterator[tuple[str, bool]]:
    """An answer by chance: after each token the text so far, as it is shown, and whether it may end; ends when it has ended."""
    constraint, tokens = make(), []
    closing = _closing(vocabulary)
    for _ in range(most):
        ids = allowed(constraint, vocabulary)
        yield vocabulary.decode(tokens).lstrip(), bool(ids[0] == END)
        if ids[0] == END and (ids.size == 1 or rng.random() < 0.4):
            constraint.take(END)
            return
        ids = ids[ids >= SPECIAL]
        ends = ids[closing[ids]]
        token = int(rng.choice(ends if ends.size and rng.random() < 0.5 else ids))
        constraint.take(token)
        tokens.append(token)


def walk(make: Make, vocabulary: Vocabulary, rng: Random, most: int = 400) -> str | None:
    """An answer by chance; None where it was longer than ``most`` tokens."""
    text, ended, count = "", False, 0
    for text, ended in steps(make, vocabulary, rng, most):  # noqa: B007
        count += 1
    return text if ended and count < most else None


def accepts(make: Make, vocabulary: Vocabulary, text: str, lead: str = " ") -> bool:
    """Whether an answer may be this text: each of its tokens is allowed in turn, and then the end."""
    constraint = make()
    for token in vocabulary.encode(lead + text).tolist():
        if token not in allowed(constraint, vocabulary):
            return False
        constraint.take(token)
    return END in allowed(constraint, vocabulary)


_CLOSING: dict[int, np.ndarray] = {}


def _closing(vocabulary: Vocabulary) -> np.ndarray:
    """bool [V]: tokens by which values tend to end, so that answers by chance do."""
    if id(vocabulary) not in _CLOSING:
        _CLOSING[id(vocabulary)] = np.array([vocabulary.decode_bytes([i])[:1] in b'"]}' for i in range(vocabulary.size)])
        _CLOSING[id(vocabulary)][:SPECIAL] = False
    return _CLOSING[id(vocabulary)]
