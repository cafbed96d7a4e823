"""What is said in training: words alone, words in any order, phrases of novels, numbers, and a secret keyword.

Everything is told to a synthesizer as it would be printed, and to the net as `plain` writes it: lower case letters, the apostrophe
and single spaces, numbers as words. Words that are alone, or among any others, have one spelling for each sound: no ear tells "two"
from "too" there. In phrases they stand as they were written.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from pollux.data.speech.voices import sounds

DIGITS = "zero one two three four five six seven eight nine".split()
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?;:])[\"'”’)]*\s+")
_SAYABLE = re.compile(r"[A-Za-z][A-Za-z' ,-]*")
_TITLES = {"mr", "mrs", "dr", "st", "ii", "iii", "iv", "vi", "vii", "viii", "ix", "xi", "xii", "etc"}
_SINGLE = {"a", "i", "o"}
_LONGEST = 70  # characters of a phrase, which take 7 s at the slowest
COMMON, KNOWN = 1_000, 12_000  # commonest words of the novels: taught most, and taught at all


class Said(NamedTuple):
    """What a synthesizer is told, and what is to be heard."""

    written: str
    plain: str


class Texts(NamedTuple):
    """What texts are drawn from.

    Attributes:
        words: The commonest words first, as in the novels.
        alone: Those of them that stand for all that sound like them, by rank; the common ones come first.
        common: How many of ``alone`` are common.
        phrases: Of novels.
        same: For words that sound like a commoner one, that one.
    """

    words: list[str]
    alone: list[str]
    common: int
    phrases: list[Said]
    same: dict[str, str]


def plain(text: str) -> str:
    """Text as it is heard: "Don't, 7!" is "don't seven"."""
    text = re.sub(r"\d+", lambda found: f" {spelled(int(found[0]))} ", text.lower().replace("’", "'"))
    return " ".join(_WORD.findall(text))


def spelled(number: int) -> str:
    """A whole number from 0 in words, "twenty three"; from a million on, digit by digit."""
    if number < 20:
        return (DIGITS + _TEENS)[number]
    if number < 100:
        return _joined(_TENS[number // 10 - 2], number % 10)
    if number < 1000:
        return _joined(f"{DIGITS[number // 100]} hundred", number % 100)
    if number < 1_000_000:
        return _joined(f"{spelled(number // 1000)} thousand", number % 1000)
    return " ".join(DIGITS[int(digit)] for digit in str(number))


def _joined(head: str, rest: int) -> str:
    return f"{head} {spelled(rest)}" if rest else head


def gather(novels: Iterable[str], most: int = 60_000) -> Texts:
    """Words and phrases of novels; ``most`` phrases at the most, spread over all of them."""
    counts, phrases = Counter(), []
    for novel in novels:
        novel = novel.replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"')
        counts.update(_WORD.findall(novel.lower()))
        phrases += _phrases(novel)
    words = [word for word, _ in counts.most_common(2 * KNOWN) if _is_word(word)][:KNOWN]
    known = set(words)
    phrases = [said for said in phrases if all(word in known for word in said.plain.split())]
    order = np.random.default_rng(0).permutation(len(phrases))[:most]
    same = _same(words)
    alone = [word for word in words if word not in same]
    common = sum(word not in same for word in words[:COMMON])
    return Texts(words, alone, common, [phrases[i] for i in order], same)


def _is_word(word: str) -> bool:
    return word not in _TITLES and (len(word) > 1 or word in _SINGLE) and len(word) < 15 and "''" not in word


def _same(words: list[str]) -> dict[str, str]:
    """For words that sound like a commoner one, or like a digit, that one."""
    first, same = {}, {}
    for word, sound in zip([*DIGITS, *words], sounds([*DIGITS, *words]), strict=True):
        if first.setdefault(sound, word) != word:
            same[word] = first[sound]
    return same


def _phrases(novel: str) -> list[Said]:
    found = []
    for sentence in _SENTENCE_END.split(" ".join(novel.split())):
        for part in _cut(sentence.strip(" \"'.!?;:")):
            if _SAYABLE.fullmatch(part) and part.count(" ") > 2 and not re.search(r"[A-Z]{2}|--", part):
                found.append(Said(part, plain(part.replace("-", " "))))
    return found


def _cut(sentence: str) -> list[str]:
    """A sentence that is short enough, or its parts between commas that are."""
    parts = [sentence] if len(sentence) <= _LONGEST else sentence.split(",")
    return [part.strip() for part in parts if len(part) <= _LONGEST]


def draw(texts: Texts, rng: np.random.Generator) -> Said:
    """One text: three in ten are words alone."""
    kinds: tuple[Callable[[Texts, np.random.Generator], Said], ...] = (_alone, _any_order, _phrase, _numbers, _secret)
    return kinds[rng.choice(len(kinds), p=(0.3, 0.13, 0.35, 0.1, 0.12))](texts, rng)


def alone(words: list[str]) -> Said:
    """Words each said as if there were no other, with a pause after it."""
    return Said(" ".join(f"{word}." for word in words), plain(" ".join(words)))


def secret(word: str, rng: np.random.Generator) -> Said:
    """A sentence that tells a keyword."""
    frames = ("The secret keyword is {}.", "The secret keyword is, {}.", "The secret word is {}.", "The keyword is {}.")
    written = frames[rng.choice(len(frames), p=(0.5, 0.2, 0.2, 0.1))].format(word)
    return Said(written, plain(written))


def _word(texts: Texts, rng: np.random.Generator) -> str:
    """One of the common words, or, one time in four, of all."""
    return texts.alone[rng.integers(texts.common if rng.random() < 0.75 else len(texts.alone))]


def _alone(texts: Texts, rng: np.random.Generator) -> Said:
    return alone([_word(texts, rng) for _ in range(rng.integers(2, 6))])


def _any_order(texts: Texts, rng: np.random.Generator) -> Said:
    written = " ".join(_word(texts, rng) for _ in range(rng.integers(3, 9)))
    return Said(written, plain(written))


def _phrase(texts: Texts, rng: np.random.Generator) -> Said:
    return texts.phrases[rng.integers(len(texts.phrases))]


def _numbers(texts: Texts, rng: np.random.Generator) -> Said:
    if rng.random() < 0.3:
        written = spelled(int(10 ** rng.uniform(1, 5)))
        return Said(written, plain(written))
    digits = [DIGITS[i] for i in rng.integers(10, size=rng.integers(1, 7))]
    return alone(digits) if rng.random() < 0.6 else Said(" ".join(digits), " ".join(digits))


def _secret(texts: Texts, rng: np.random.Generator) -> Said:
    """Any word but the shortest may be secret, all known ones alike."""
    while len(word := texts.alone[rng.integers(len(texts.alone))]) < 3:
        pass
    return secret(word, rng)
