"""Made-up facts: who has what, in whose words, and families of them that are easily confused.

Statements and questions come from the phrasing files beside this one, names and values from `lexicon`. Both are split, so that an
evaluation meets neither a statement nor a name that training has shown; only the plainest questions ("What is the {attribute} of
{subject}?") stand in both files. Wordings imitate what people's files hold, the notes of programmers to themselves among them: they
are data, and none is work left over here (docs/training.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from random import Random

from pollux.tasks import lexicon
from pollux.tasks.prose import filler, is_line_like, sentence_ranges

# How a fact that names no attribute is asked for, where its statement was improvised.
_PLAIN = ("What about {subject}?", "What goes with {subject}?", "{subject}?", "What is said of {subject}?", "Find {subject}.")
# Kinds of value that are known for what they are without a sentence to say so.
_TELLING = ("number", "code", "hex", "date", "time", "price", "distance", "person", "place", "spot")
# Kinds that no word can stand for, and kinds that are written as names.
_WORDLESS = ("number", "code", "hex", "date", "time", "price", "distance", "year", "count")
_NAMES = ("person", "place")
# From a kind that `lexicon` knows to a name or value.
Draw = Callable[[str], str]
_INVENTED = 0.3  # share of borrowed words that are made up instead
_TRIES = 8  # draws that collide in a row before names are taken to have run out


@dataclass(frozen=True)
class Phrasing:
    """One way to state a fact and to ask for it. Slots: {subject}, {value}, {attribute}.

    Attributes:
        subject, value: Kinds that `lexicon.draw` knows; one of each is drawn per fact.
        public: Whether the wording follows a public benchmark.
    """

    id: str
    subject: tuple[str, ...]
    value: tuple[str, ...]
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    public: bool = False

    @property
    def has_attribute(self) -> bool:
        return "{attribute}" in self.questions[0]


@dataclass(frozen=True)
class Fact:
    phrasing: Phrasing
    subject: str
    attribute: str
    attribute_kind: str
    value: str


@cache
def load_phrasings(name: str) -> tuple[Phrasing, ...]:
    """The phrasings of ``phrasings_{name}.json``.

    Raises:
        ValueError: for a name other than train and heldout.
    """
    if name not in ("train", "heldout"):
        raise ValueError(f'phrasings are "train" or "heldout", got {name!r}; pass one of the two')
    rows = json.loads(resources.files("pollux.tasks").joinpath(f"phrasings_{name}.json").read_text(encoding="utf-8"))
    return tuple(Phrasing(**{k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}) for row in rows)


def drawing(documents: Sequence[str], borrowed: float, split: str, rng: Random) -> Draw:
    """How one example comes by a name or value of some kind.

    Args:
        borrowed: How likely half of them, figures apart, are words of the documents, or invented ones, and not the lexicon's.
    """
    own = lambda kind: lexicon.draw(kind, rng, split)  # noqa: E731
    if not borrowed or rng.random() >= borrowed:
        return own
    words = [word for word in _long_words(documents, rng) if lexicon.split_of(word) == split]
    may = lambda kind: words and kind not in _WORDLESS and rng.random() < 0.5  # noqa: E731
    return lambda kind: _borrow(words, kind, split, rng) if may(kind) else own(kind)


def _borrow(words: Sequence[str], kind: str, split: str, rng: Random) -> str:
    """One to three words that follow each other, or invented ones in their places, written as the kind is."""
    start = rng.randrange(len(words))
    run = words[start : start + rng.choice((1, 1, 2, 2, 3))]
    run = " ".join(lexicon.invented(rng, split).lower() if rng.random() < _INVENTED else word for word in run)
    if kind == "spot":
        return f"{lexicon.preposition(rng)} the {run}"
    return run.title() if kind in _NAMES or rng.random() < 0.5 else run


def stated(choices: Sequence[Phrasing], draw: Draw, count: int, budget: float, rng: Random) -> tuple[list[Fact], list[str]]:
    """So many facts with their statements, as far as ``budget`` characters go, but one at least."""
    facts: list[Fact] = []
    statements: list[str] = []
    for fact in _family(choices, draw, rng):
        template = rng.choice(fact.phrasing.statements)
        statement = render(template, fact)
        if statement.lower().count(fact.value.lower()) != template.count("{value}"):
            continue  # the wording or the subject holds it too: where it stands would not be certain
        budget -= len(statement) + 2
        if facts and budget < 0:
            break
        facts.append(fact)
        statements.append(statement)
        if len(facts) == count:
            break
    return facts, statements


def order(statement: str, fact: Fact) -> str:
    """Whether the value stands "before" its subject or "after" it: read forward, and so is met before it is known whose."""
    statement = statement.lower()
    return "before" if statement.find(fact.value.lower()) < statement.find(fact.subject.lower()) else "after"


def improvise(documents: Sequence[str], rng: Random) -> Phrasing:
    """A phrasing made of some sentence, with slots set between its words; questions are the plainest ones of the training file."""
    attributed = _attributed()
    text = filler(documents, rng, 400) if len(documents) else ""
    words = rng.choice([text[a:b] for a, b in sentence_ranges(text)] or [""]).replace("{", "").replace("}", "").split()
    start = rng.randrange(max(1, len(words) - 8))
    words = words[start : start + rng.randint(3, 24)]
    slots = ["{subject}", "{value}"] + ["{attribute}"] * (rng.random() < 0.7)
    for slot in slots:
        words.insert(rng.randint(0, len(words)), slot)
    subject = rng.choice(attributed).subject
    questions = rng.choice(attributed).questions if "{attribute}" in slots else (rng.choice(_PLAIN),)
    statement = " ".join(words)
    return Phrasing("improvised", subject, _TELLING, (statement,), questions)


@cache
def _attributed() -> tuple[Phrasing, ...]:
    return tuple(phrasing for phrasing in load_phrasings("train") if phrasing.has_attribute and phrasing.subject)


def _long_words(documents: Sequence[str], rng: Random) -> list[str]:
    """Words of some passage, in order, without the short ones: these stand everywhere, and would name nothing."""
    return re.findall(r"[^\W\d_]{5,}", filler(documents, rng, 3000)) if len(documents) else []


def _family(choices: Sequence[Phrasing], draw: Draw, rng: Random) -> Iterator[Fact]:
    """Facts without end, or until names run out: about half of them made to be confused with an earlier one."""
    seen = Seen()
    last: list[Fact] = []
    likeness = rng.choice((0.2, 0.5, 0.8))
    misses = 0
    while misses < _TRIES:
        fact = _like(rng.choice(last), draw, rng) if last and rng.random() < likeness else None
        fact = fact or _fresh(rng.choice(choices), draw, rng)
        if not seen.admits(fact):
            misses += 1
            continue
        misses = 0
        seen.add(fact)
        last.append(fact)
        yield fact


def _fresh(phrasing: Phrasing, draw: Draw, rng: Random) -> Fact:
    kind = rng.choice(phrasing.value)
    subject = draw(rng.choice(phrasing.subject)) if phrasing.subject else ""
    attribute = lexicon.attribute(kind, rng) if phrasing.has_attribute else ""
    return Fact(phrasing, subject, attribute, kind, draw(kind))


def _like(fact: Fact, draw: Draw, rng: Random) -> Fact:
    """A fact in the same words about another subject, or about another attribute of the same one."""
    other = _fresh(fact.phrasing, draw, rng)
    if not fact.phrasing.has_attribute:
        return other
    if rng.random() < 0.5:
        return Fact(fact.phrasing, fact.subject, other.attribute, other.attribute_kind, other.value)
    return Fact(fact.phrasing, other.subject, fact.attribute, fact.attribute_kind, draw(fact.attribute_kind))


class Seen:
    """What an example already holds, so that every question has one right answer.

    Two facts may share a subject only when both name an attribute and neither attribute is part of the other. No
    subject is part of another ("Anna", "Anna Bell"), and no value comes twice.
    """

    def __init__(self):
        self.values: set[str] = set()
        self.runs: set[str] = set()  # every run of words of every subject
        self.attributes: dict[str, list[str]] = {}  # by subject; "" for a fact without one

    def admits(self, fact: Fact) -> bool:
        subject, attribute = fact.subject.casefold(), fact.attribute.casefold()
        if fact.value.casefold() in self.values or fact.value.casefold() == subject:
            return False
        if subject in self.attributes:
            apart = (a and a not in attribute and attribute not in a for a in self.attributes[subject])
            return bool(attribute) and all(apart)
        return subject not in self.runs and self.attributes.keys().isdisjoint(_runs(subject))

    def add(self, fact: Fact) -> None:
        subject = fact.subject.casefold()
        self.values.add(fact.value.casefold())
        self.runs.update(_runs(subject))
        self.attributes.setdefault(subject, []).append(fact.attribute.casefold())


def _runs(text: str) -> set[str]:
    words = text.split()
    return {" ".join(words[a:b]) for a in range(len(words)) for b in range(a + 1, len(words) + 1)}


def render(template: str, fact: Fact) -> str:
    """The template with its slots filled. A sentence that opens with its subject or attribute opens with a capital."""
    text = template.replace("{subject}", fact.subject).replace("{attribute}", fact.attribute)
    text = text.replace("{value}", fact.value)
    if template.startswith(("{subject}", "{attribute}")) and not is_line_like(text):
        return text[:1].upper() + text[1:]
    return text
