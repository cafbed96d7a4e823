"""Recall: made-up facts set into running text, and questions about some of them at the end.

Statements and questions come from the phrasing files beside this one, names and values from `lexicon`. Both are
split, so that an evaluation meets neither a statement nor a name that training has shown; only the plainest questions
("What is the {attribute} of {subject}?") stand in both files. Wordings imitate what people's files hold, comments and notes that
begin with TODO or FIXME among them: they are data. Facts come in families that are easily confused (same
sentence, other subject; same subject, other attribute), so that only the right one answers a question.
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
from pollux.tasks.prose import draw_size, file_name, filler, insert, is_line_like, sentence_ranges
from pollux.tasks.task import Example, Question, exact

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


@dataclass(frozen=True)
class Recall:
    """Facts hidden in text.

    Attributes:
        documents: Texts that the facts are hidden in; may be empty where ``share`` is (1, 1).
        phrasings: Which file of phrasings: "train" or "heldout".
        split: Which half of the lexicon's names and values: "train" or "heldout".
        characters: Length of a context, drawn log-uniformly between the two.
        facts: How many facts, drawn uniformly between the two.
        pool: Phrasings that one example draws from, so many as drawn uniformly between the two; None for all. Where few phrasings
            hold many facts, nothing but the subject and the attribute tells which one is asked for.
        improvised: Share of that pool, if there is one, that is made up for the example: slots set at random into a sentence of
            the documents, so that no wording can be learned, only that subject and value stand together.
        borrowed: Share of examples in which half of the names and values, figures apart, are words of the documents at large or
            invented ones (of the split), so that what is learned is to find and repeat any words, and not those of the lexicon.
        share: When given, in place of ``facts``: the facts' share of the context; 1 is a bare list of facts.
        questions: How many of the facts are asked for, drawn uniformly; fewer where there are fewer facts.
        only: Ids of the phrasings to use, None for all.
        size: How many examples there are.
    """

    documents: Sequence[str]
    phrasings: str = "train"
    split: str = "train"
    characters: tuple[int, int] = (1000, 4000)
    facts: tuple[int, int] = (2, 8)
    share: tuple[float, float] | None = None
    pool: tuple[int, int] | None = None
    improvised: float = 0.0
    borrowed: float = 0.0
    questions: tuple[int, int] = (1, 4)
    seed: int = 0
    only: tuple[str, ...] | None = None
    size: int = 1_000_000

    def __post_init__(self):
        if self.split not in ("train", "heldout"):
            raise ValueError(f'split is "train" or "heldout", got {self.split!r}; pass one of the two')
        if not len(self.documents) and self.share != (1, 1):
            raise ValueError("no documents to hide facts in; pass some, or share=(1, 1) for a bare list of facts")
        for name in ("characters", "facts", "questions"):
            low, high = getattr(self, name)
            if not 1 <= low <= high:
                raise ValueError(f"{name} must be (low, high) with 1 <= low <= high, got {(low, high)}; mend the pair")
        if self.share is not None and not 0 < self.share[0] <= self.share[1] <= 1:
            raise ValueError(f"share must be (low, high) with 0 < low <= high <= 1, got {self.share}; mend the pair")
        if not self._choices:
            raise ValueError(f"no phrasing of {self.phrasings!r} has an id in {self.only}; name ids of that file")

    @property
    def _choices(self) -> tuple[Phrasing, ...]:
        every = load_phrasings(self.phrasings)
        return every if self.only is None else tuple(p for p in every if p.id in self.only)

    def __len__(self) -> int:
        return self.size

    def example(self, i: int) -> Example:
        rng = Random(f"{self.seed}/{i}")
        characters = draw_size(rng, self.characters)
        facts, statements = self._draw_facts(rng, characters)
        rest = characters - sum(len(statement) + 4 for statement in statements)  # 4: line breaks or a comment's mark
        # Under a hundred characters of text hide nothing, and a bare list of facts is worth learning too.
        bare = self.share == (1, 1) or not len(self.documents)
        text = filler(self.documents, rng, rest) if rest > 100 and not bare else ""
        context, ranges = insert(text, statements, rng)
        asked = rng.sample(range(len(facts)), min(rng.randint(*self.questions), len(facts)))
        questions = tuple(self._ask(facts[n], ranges[n], _order(statements[n], facts[n]), rng) for n in asked)
        return Example(context, questions, ((0, file_name(rng)),))

    def _draw_facts(self, rng: Random, characters: int) -> tuple[list[Fact], list[str]]:
        """Facts until there are enough: by number, or by share of the context. Never more than the context can hold."""
        count = characters if self.share else rng.randint(*self.facts)
        budget = characters * (rng.uniform(*self.share) if self.share else 0.9)
        facts: list[Fact] = []
        statements: list[str] = []
        choices = self._choices
        if self.pool:
            choices = rng.sample(choices, min(rng.randint(*self.pool), len(choices)))
            choices = [improvise(self.documents, rng) if rng.random() < self.improvised else choice for choice in choices]
        for fact in _family(choices, self._drawing(rng), rng):
            template = rng.choice(fact.phrasing.statements)
            statement = _render(template, fact)
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

    def _drawing(self, rng: Random) -> Draw:
        """How one example comes by a name or value of some kind."""
        own = lambda kind: lexicon.draw(kind, rng, self.split)  # noqa: E731
        if not self.borrowed or rng.random() >= self.borrowed:
            return own
        words = [word for word in _long_words(self.documents, rng) if lexicon.split_of(word) == self.split]
        may = lambda kind: words and kind not in _WORDLESS and rng.random() < 0.5  # noqa: E731
        return lambda kind: self._borrow(words, kind, rng) if may(kind) else own(kind)

    def _borrow(self, words: Sequence[str], kind: str, rng: Random) -> str:
        """One to three words that follow each other, or invented ones in their places, written as the kind is."""
        start = rng.randrange(len(words))
        run = words[start : start + rng.choice((1, 1, 2, 2, 3))]
        run = " ".join(lexicon.invented(rng, self.split).lower() if rng.random() < _INVENTED else word for word in run)
        if kind == "spot":
            return f"{lexicon.preposition(rng)} the {run}"
        return run.title() if kind in _NAMES or rng.random() < 0.5 else run

    def _ask(self, fact: Fact, evidence: tuple[int, int], order: str, rng: Random) -> Question:
        text = _render(rng.choice(fact.phrasing.questions), fact)
        return Question(text, fact.value, evidence, f"recall/{self.phrasings}/{order}/{fact.phrasing.id}")

    def score(self, question: Question, reply: str) -> float:
        return exact(question, reply)


def _order(statement: str, fact: Fact) -> str:
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
    seen = _Seen()
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


class _Seen:
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


def _render(template: str, fact: Fact) -> str:
    """The template with its slots filled. A sentence that opens with its subject or attribute opens with a capital."""
    text = template.replace("{subject}", fact.subject).replace("{attribute}", fact.attribute)
    text = text.replace("{value}", fact.value)
    if template.startswith(("{subject}", "{attribute}")) and not is_line_like(text):
        return text[:1].upper() + text[1:]
    return text
