"""How well speech is heard: words alone, digits, a secret keyword, whole sentences; by voices that training never had.

Axis letters: S samples, of which 16,000 are a second.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pollux.base.errors import ConfigError
from pollux.data.speech.shelf import Utterance, spoken
from pollux.data.speech.texts import COMMON, Said, Texts, alone, plain
from pollux.data.speech.voices import UNSEEN
from pollux.eval.report import Rate, rate
from pollux.media.senses import RATE
from pollux.perception.audio.hearing import Hearing
from pollux.tasks.sensed.edits import edits

_PAUSE = RATE  # samples of silence between utterances that are heard in one go
_RESAMPLES = 2000


class Share(NamedTuple):
    """Errors as a share of what there was to be heard, with an interval of 95% by bootstrap over utterances."""

    name: str
    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.name}: {self.mean:.1%} [{self.low:.1%}, {self.high:.1%}], n={self.n}"


def words(texts: Texts, seed: int = 0) -> list[Utterance]:
    """The 1,000 commonest words, each said alone by an unseen voice."""
    return _said([alone([word]) for word in texts.words[:COMMON]], seed)


def keywords(texts: Texts, count: int = 500, seed: int = 1, common: bool = False) -> list[Utterance]:
    """Sentences that tell a keyword, of all known words or of the common ones, by unseen voices."""
    rng = np.random.default_rng(seed)
    choice = [word for word in texts.alone[: texts.common if common else None] if len(word) > 2]
    sentences = [f"The secret keyword is {choice[i]}." for i in rng.choice(len(choice), count, replace=False)]
    return _said([Said(sentence, plain(sentence)) for sentence in sentences], seed)


def phrases(texts: Texts, count: int = 300, seed: int = 2) -> list[Utterance]:
    """Phrases of novels by unseen voices."""
    rng = np.random.default_rng(seed)
    return _said([texts.phrases[i] for i in rng.choice(len(texts.phrases), count, replace=False)], seed)


def _said(texts: Sequence[Said], seed: int) -> list[Utterance]:
    rng = np.random.default_rng((seed, len(texts)))
    return [spoken(UNSEEN[rng.integers(len(UNSEEN))], said, rng) for said in texts]


def heard(hearing: Hearing, utterances: Sequence[Utterance]) -> list[str]:
    """What is heard of each, when they come one after the other with a second of silence between them."""
    silence = np.zeros(_PAUSE, np.float32)
    starts = np.cumsum([_PAUSE / 2] + [one.samples.size + _PAUSE for one in utterances])[:-1] / RATE
    blocks = (block for one in utterances for block in (silence, one.samples))
    found: list[list[str]] = [[] for _ in utterances]
    for stretch in hearing.listen(blocks):
        for word in stretch.words:
            found[max(int(np.searchsorted(starts, word.start, side="right")) - 1, 0)].append(word.text)
    return [" ".join(said) for said in found]


def exact(name: str, replies: Sequence[str], utterances: Sequence[Utterance]) -> Rate:
    """How many are heard to the letter."""
    return rate(name, [float(reply == one.text) for reply, one in zip(replies, utterances, strict=True)])


def ending(name: str, replies: Sequence[str], utterances: Sequence[Utterance]) -> Rate:
    """Of how many the last word is heard to the letter, such as a keyword."""
    right = [reply.split()[-1:] == one.text.split()[-1:] for reply, one in zip(replies, utterances, strict=True)]
    return rate(name, [float(each) for each in right])


def alike(name: str, replies: Sequence[str], utterances: Sequence[Utterance], texts: Texts) -> Rate:
    """How many are heard as they are said, whatever the spelling: "two" for "too" is right."""
    one_of = lambda text: " ".join(texts.same.get(word, word) for word in text.split())  # noqa: E731
    right = [one_of(reply) == one_of(one.text) for reply, one in zip(replies, utterances, strict=True)]
    return rate(name, [float(each) for each in right])


def errors(name: str, replies: Sequence[str], utterances: Sequence[Utterance], *, by_word: bool) -> Share:
    """Words, or letters, that are wrong, missing or too many, as a share of those that are said.

    Raises:
        ConfigError: Nothing is said.
    """
    cut = str.split if by_word else list
    counts = np.array([(edits(cut(r), cut(one.text)), len(cut(one.text))) for r, one in zip(replies, utterances, strict=True)])
    if not counts.size or not counts[:, 1].sum():
        raise ConfigError(f"there is nothing to be heard for {name!r}", "give utterances with texts")
    drawn = counts[np.random.default_rng(0).integers(len(counts), size=(_RESAMPLES, len(counts)))].sum(1)
    low, high = np.quantile(drawn[:, 0] / np.maximum(drawn[:, 1], 1), (0.025, 0.975))
    return Share(name, counts[:, 0].sum() / counts[:, 1].sum(), float(low), float(high), len(counts))


def pace(hearing: Hearing, seconds: float = 600.0) -> float:
    """How many seconds of sound are heard in one second: of noise that is made beforehand, once compiled."""
    block = np.random.default_rng(0).standard_normal(RATE, np.float32) * np.float32(0.05)
    list(hearing.listen([block]))
    begun = time.perf_counter()
    list(hearing.listen(block for _ in range(int(seconds))))
    return seconds / (time.perf_counter() - begun)
