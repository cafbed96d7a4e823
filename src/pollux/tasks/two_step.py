"""Two steps: a fact, told elsewhere in the text to hold for a second subject as well, and asked for through that one.

    … The access code of the Aurelia is 4711. … Port Selby has the same access code as the Aurelia. …
    What is the access code of Port Selby?    4711

The value stands nowhere near the second subject, so whoever looks for that alone finds no value. Facts are those of `facts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from pollux.tasks.facts import Draw, Fact, Seen, drawing, load_phrasings, render, stated
from pollux.tasks.prose import draw_size, file_name, filler, insert
from pollux.tasks.task import Example, Question, exact

# How a second subject is said to share a fact, by the split of phrasings.
LINKS = {
    "train": (
        "{other} has the same {attribute} as {subject}.",
        "The {attribute} of {other} is the same as that of {subject}.",
        "For the {attribute} of {other}, see {subject}.",
        "As for the {attribute}, {other} shares it with {subject}.",
        "Whatever {attribute} {subject} has, {other} has too.",
        "{other} took over the {attribute} of {subject}, unchanged.",
        "When it comes to the {attribute}, what is true of {subject} is true of {other}.",
        "{other}: {attribute} as for {subject}.",
        "{attribute} ({other}) = {attribute} ({subject})",
        "Ask for the {attribute} of {other}, and you will be given that of {subject}.",
        "Since last spring {other} and {subject} have gone by one and the same {attribute}.",
        "Nobody could tell why, but the {attribute} of {subject} had been given to {other} as well.",
        '"And the {attribute} of {other}?" - "Copied from {subject}, every bit of it."',
        "Note: {other} uses the {attribute} registered for {subject}.",
        "The clerk wrote {other} down under the {attribute} of {subject}.",
        "In the column for the {attribute}, the line of {other} says only: ditto, {subject}.",
        "{subject} and {other} have the {attribute} in common.",
        "They never settled on another {attribute} for {other}; that of {subject} had to do.",
        "If you know the {attribute} of {subject}, you know that of {other}.",
        "By agreement, the {attribute} of {subject} serves {other} too.",
        "The {attribute} of {other}? The one that {subject} has.",
        "{other} inherited its entry, {attribute} included, from {subject}.",
        "# {other}: same {attribute} as {subject}",
        "| {other} | {attribute} | see {subject} |",
    ),
    "heldout": (
        "{other} matches {subject} in one respect, the {attribute}.",
        "There is no separate {attribute} for {other}, which simply borrows that of {subject}.",
        "What {subject} calls its {attribute}, {other} calls its own as well.",
        "Concerning {other}: the {attribute} is identical with {subject}'s.",
        "{other} follows {subject} so far as the {attribute} goes.",
        "Look under {subject} if you need the {attribute} that {other} goes by.",
        "The same {attribute} was entered twice, once for {subject} and once for {other}.",
        "Until {other} is given an {attribute} of its own, that of {subject} stands in.",
    ),
}
_TRIES = 20  # draws of a second subject, each of which may be one that the text holds already


@dataclass(frozen=True)
class TwoStep:
    """Facts hidden in text, and others that refer to them.

    Attributes:
        documents: Texts that they are hidden in; may be empty, for a bare list.
        phrasings: Which phrasings of facts and which `LINKS`: "train" or "heldout".
        split: Which half of the lexicon's names and values: "train" or "heldout".
        characters: Length of a context, drawn log-uniformly between the two.
        facts: How many facts that name an attribute, drawn uniformly; at most nine tenths of a context.
        links: How many of them a second subject shares, drawn uniformly; each is asked for.
        borrowed: As `recall.Recall` has it.
        size: How many examples there are.
    """

    documents: Sequence[str]
    phrasings: str = "train"
    split: str = "train"
    characters: tuple[int, int] = (1000, 4000)
    facts: tuple[int, int] = (2, 8)
    links: tuple[int, int] = (1, 4)
    borrowed: float = 0.0
    seed: int = 0
    size: int = 1_000_000

    def __post_init__(self):
        if self.split not in LINKS:
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
        questions = (
            self._ask(facts[n], other, ranges[n], via, rng)
            for n, other, via in zip(shared, others, ranges[len(facts) :], strict=True)
        )
        return Example(context, tuple(questions), ((0, file_name(rng)),))

    def _link(self, fact: Fact, other: str, rng: Random) -> str:
        template = rng.choice(LINKS[self.phrasings]).replace("{other}", other)
        text = template.replace("{subject}", fact.subject).replace("{attribute}", fact.attribute)
        return text[:1].upper() + text[1:]

    def _ask(self, fact: Fact, other: str, evidence: tuple[int, int], via: tuple[int, int], rng: Random) -> Question:
        text = render(rng.choice(fact.phrasing.questions), replace(fact, subject=other))
        return Question(text, fact.value, evidence, f"two_step/{self.phrasings}/{fact.phrasing.id}", via=via)

    def score(self, question: Question, reply: str) -> float:
        return exact(question, reply)


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
