"""Recall: made-up facts (`facts`) set into running text, and questions about some of them at the end.

Facts come in families that are easily confused (same sentence, other subject; same subject, other attribute), so that only the
right one answers a question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from pollux.tasks.facts import Fact, Phrasing, drawing, improvise, load_phrasings, order, render, stated
from pollux.tasks.prose import draw_size, file_name, filler, insert
from pollux.tasks.task import Example, Question, exact


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
        questions = tuple(self._ask(facts[n], ranges[n], order(statements[n], facts[n]), rng) for n in asked)
        return Example(context, questions, ((0, file_name(rng)),))

    def _draw_facts(self, rng: Random, characters: int) -> tuple[list[Fact], list[str]]:
        """Facts until there are enough: by number, or by share of the context. Never more than the context can hold."""
        count = characters if self.share else rng.randint(*self.facts)
        budget = characters * (rng.uniform(*self.share) if self.share else 0.9)
        choices = self._choices
        if self.pool:
            choices = rng.sample(choices, min(rng.randint(*self.pool), len(choices)))
            choices = [improvise(self.documents, rng) if rng.random() < self.improvised else choice for choice in choices]
        return stated(choices, drawing(self.documents, self.borrowed, self.split, rng), count, budget, rng)

    def _ask(self, fact: Fact, evidence: tuple[int, int], order: str, rng: Random) -> Question:
        text = render(rng.choice(fact.phrasing.questions), fact)
        return Question(text, fact.value, evidence, f"recall/{self.phrasings}/{order}/{fact.phrasing.id}")

    def score(self, question: Question, reply: str) -> float:
        return exact(question, reply)
