"""Two steps: a fact, told elsewhere in the text to hold for a second subject as well, and asked for through that one.

    … The access code of the Aurelia is 4711. … Port Selby has the same access code as the Aurelia. …
    What is the access code of Port Selby?    same as the Aurelia: 4711

The value stands nowhere near the second subject, so whoever looks for that alone finds no value. A model that first says whose
value it is has one step left to go; a reply may leave that out. Facts are those of `facts`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from random import Random

from pollux.tasks.facts import Draw, Fact, Seen, drawing, load_phrasings, render, stated
from pollux.tasks.prose import draw_size, file_name, filler, insert
from pollux.tasks.task import Example, Question, exact

# What an answer says: without its first words, that a subject is not yet what is asked for would have to be known when it ends.
_ANSWER, _WHOSE = "same as {subject}: {value}", ": "
_TRIES = 20  # draws of a second subject, each of which may be one that the text holds already


@cache
def links(phrasings: str) -> tuple[str, ...]:
    """How a second subject is said to share a fact, by the set of phrasings, "train" or "heldout". Most of the former were written
    without sight of the latter."""
    return tuple(json.loads(resources.files("pollux.tasks").joinpath("links.json").read_text(encoding="utf-8"))[phrasings])


@dataclass(frozen=True)
class TwoStep:
    """Facts hidden in text, and others that refer to them.

    Attributes:
        documents: Texts that they are hidden in; may be empty, for a bare list.
        phrasings: Which phrasings of facts and which `links`: "train" or "heldout".
        split: Which half of the lexicon's names and values: "train" or "heldout".
        characters: Length of a context, drawn log-uniformly between the two.
        facts: How many facts that name an attribute, drawn uniformly; at most nine tenths of a context.
        links: How many of them a second subject shares, drawn uniformly; each is asked for.
        direct: How many facts are asked for by their own subject besides, drawn uniformly; where there were none, whoever learns
            from several questions of one context could tell from the answers before what kind of answer is wanted.
        borrowed: As `recall.Recall` has it.
        size: How many examples there are.
    """

    documents: Sequence[str]
    phrasings: str = "train"
    split: str = "train"
    characters: tuple[int, int] = (1000, 4000)
    facts: tuple[int, int] = (2, 8)
    links: tuple[int, int] = (1, 4)
    direct: tuple[int, int] = (0, 0)
    borrowed: float = 0.0
    seed: int = 0
    size: int = 1_000_000

    def __post_init__(self):
        if self.split not in ("train", "heldout"):
            raise ValueError(f'split is "train" or "heldout", got {self.split!r}; pass one of the two')
        for name in ("characters", "facts", "links"):
            low, high = getattr(self, name)
            if not 1 <= low <= high:
                raise ValueError(f"{name} must be (low, high) with 1 <= low <= high, got {(low, high)}; mend the pair")
        load_phrasings(self.phrasings)

    def __len__(self) -> int:
        return self.size

    def example(self, i: int) -> Example:
        rng = Random(f"{self.seed}/{i}")
        characters = draw_size(rng, self.characters)
        draw = drawing(self.documents, self.borrowed, self.split, rng)
        choices = [phrasing for phrasing in load_phrasings(self.phrasings) if phrasing.has_attribute and phrasing.subject]
        facts, statements = stated(choices, draw, rng.randint(*self.facts), 0.9 * characters, rng)
        wanted = rng.sample(range(len(facts)), min(rng.randint(*self.links), len(facts)))
        shared, others = _others(facts, wanted, draw, rng)
        links = [self._link(facts[n], other, rng) for n, other in zip(shared, others, strict=True)]
        rest = characters - sum(len(statement) + 4 for statement in (*statements, *links))
        text = filler(self.documents, rng, rest) if rest > 100 and len(self.documents) else ""
        context, ranges = insert(text, [*statements, *links], rng)
        triples = zip(shared, others, ranges[len(facts) :], strict=True)
        questions = [self._ask(facts[n], other, ranges[n], via, rng) for n, other, via in triples]
        direct = rng.sample(range(len(facts)), min(rng.randint(*self.direct), len(facts)))
        questions += [self._ask_directly(facts[n], ranges[n], rng) for n in direct]
        if direct:
            rng.shuffle(questions)
        return Example(context, tuple(questions), ((0, file_name(rng)),))

    def _link(self, fact: Fact, other: str, rng: Random) -> str:
        template = rng.choice(links(self.phrasings)).replace("{other}", other)
        text = template.replace("{subject}", fact.subject).replace("{attribute}", fact.attribute)
        return text[:1].upper() + text[1:]

    def _ask(self, fact: Fact, other: str, evidence: tuple[int, int], via: tuple[int, int], rng: Random) -> Question:
        text = render(rng.choice(fact.phrasing.questions), replace(fact, subject=other))
        kind, parts = f"two_step/{self.phrasings}/{fact.phrasing.id}", ((fact.subject, via), (fact.value, evidence))
        return Question(text, _ANSWER.format(subject=fact.subject, value=fact.value), evidence, kind, parts)

    def _ask_directly(self, fact: Fact, evidence: tuple[int, int], rng: Random) -> Question:
        text = render(rng.choice(fact.phrasing.questions), fact)
        return Question(text, fact.value, evidence, f"two_step/{self.phrasings}/direct/{fact.phrasing.id}")

    def score(self, question: Question, reply: str) -> float:
        """1.0 when the value is the reply, or what stands in it behind whosever it is said to be; else 0.0."""
        value = question.parts[-1][0] if question.parts else question.answer
        return max(exact(replace(question, answer=value), said) for said in (reply, reply.rpartition(_WHOSE)[2]))


def _others(facts: Sequence[Fact], wanted: Sequence[int], draw: Draw, rng: Random) -> tuple[list[int], list[str]]:
    """Of the facts wanted those for which a second subject can be had, and these: of a kind that the phrasing speaks of, none like
    those in the text, and none with a value in it."""
    seen, values, shared, others = Seen(), [fact.value.casefold() for fact in facts], [], []
    for fact in facts:
        seen.add(fact)
    for n in wanted:
        phrasing = facts[n].phrasing
        draws = (Fact(phrasing, draw(rng.choice(phrasing.subject)), "", "", f"\0{n}") for _ in range(_TRIES))
        fit = (o for o in draws if seen.admits(o) and not any(value in o.subject.casefold() for value in values))
        if (other := next(fit, None)) is not None:
            seen.add(other)
            shared.append(n)
            others.append(other.subject)
    return shared, others
