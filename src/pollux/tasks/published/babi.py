"""Stories after bAbI's first five tasks: people walk through a house, take, drop and give things, and a question follows.

People, places, things, verbs and questions are those of the public files (Weston et al., arXiv 1502.05698, version 1.2, the ones
that BABILong hides in books), and so is the range of a story's length. The simulator is its own: it copies no story of theirs.
Whatever is asked follows from the facts alone, and where several facts would do, the latest one counts, as it does there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

PLACES = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
THINGS = ("apple", "football", "milk")
GIVERS = ("Bill", "Fred", "Jeff", "Mary")
_PEOPLE = ("Daniel", "John", "Mary", "Sandra")
_MOVES = ("moved to", "went to", "went back to", "journeyed to", "travelled to")
_TAKES = ("took", "got", "grabbed", "picked up")
_DROPS = ("dropped", "left", "discarded", "put down")
_GIVES = ("gave", "handed", "passed")
_OPPOSITE = {"north": "south", "south": "north", "east": "west", "west": "east"}
_QUESTIONS = 5  # that a story of the public files asks on its way; BABILong makes an example of each, with the facts before it


@dataclass(frozen=True)
class Story:
    """Facts in the order in which they happen, and a question about them.

    Attributes:
        support: The facts that give the answer on their own, by number; the first of them names it.
        others: What else could be asked at that point: question, answer and support of each.
    """

    facts: tuple[str, ...]
    question: str
    answer: str
    support: tuple[int, ...]
    others: tuple[tuple[str, str, tuple[int, ...]], ...] = ()


def story(task: str, rng: Random) -> Story:
    """A story of ``task``, which is one of qa1 to qa5.

    Raises:
        ValueError: when there is no such task.
    """
    if task == "qa4":
        return _directions(rng)
    if task not in _PLANS:
        raise ValueError(f"no bAbI task {task!r} here; choose one of {', '.join(TASKS)}")
    plan = _PLANS[task]
    while True:
        world = _World(plan.people, rng)
        for _ in range(rng.randint(1, _QUESTIONS)):
            question, answer, support = _until_asked(world, plan)
        if len(world.facts) <= plan.most:
            others = tuple(other for other in plan.ask(world) if other[0] != question)
            return Story(tuple(world.facts), question, answer, support, others)


class _World:
    """Where everybody and everything is, and which of the facts so far tell it.

    Attributes:
        told: For each person that has moved, the fact that says where to; before that only the simulator knows where they are.
        taken: For each thing that somebody holds, the fact that says so.
        laid: For each thing dropped where its place is told: the fact that tells the place, and the drop.
        route: For each thing carried from one told place to another: the facts that tell the first, the taking, the second.
        gifts: Giver, thing, taker and fact of all that was ever given.
    """

    def __init__(self, people: tuple[str, ...], rng: Random):
        self.people, self.rng = people, rng
        self.facts: list[str] = []
        self.where = {name: rng.choice(PLACES) for name in (*people, *THINGS)}
        self.holder: dict[str, str] = {}
        self.told: dict[str, int] = {}
        self.taken: dict[str, int] = {}
        self.laid: dict[str, tuple[int, int]] = {}
        self.route: dict[str, tuple[int, int, int]] = {}
        self.gifts: list[tuple[str, str, str, int]] = []

    def move(self) -> bool:
        """Somebody goes somewhere else, with all that they hold. Like the other acts: whether it could be done."""
        person = self.rng.choice(self.people)
        place = self.rng.choice([p for p in PLACES if p != self.where[person]])
        number = self._tell(f"{person} {self.rng.choice(_MOVES)} the {place}.")
        for thing in [t for t, holder in self.holder.items() if holder == person]:
            self.where[thing] = place
            self.route.pop(thing, None)
            if person in self.told:
                self.route[thing] = (self.told[person], self.taken[thing], number)
        self.where[person], self.told[person] = place, number
        return True

    def take(self) -> bool:
        free = [t for t in THINGS if t not in self.holder]
        pairs = [(p, t) for t in free for p in self.people if self.where[p] == self.where[t]]
        if pairs:
            person, thing = self.rng.choice(pairs)
            self.holder[thing] = person
            self.taken[thing] = self._tell(f"{person} {self.rng.choice(_TAKES)} the {thing}{self._there()}.")
            self.laid.pop(thing, None)
        return bool(pairs)

    def drop(self) -> bool:
        if not self.holder:
            return False
        thing = self.rng.choice(list(self.holder))
        person = self.holder.pop(thing)
        number = self._tell(f"{person} {self.rng.choice(_DROPS)} the {thing}{self._there()}.")
        if person in self.told:
            self.laid[thing] = (self.told[person], number)
        return True

    def give(self) -> bool:
        held = list(self.holder.items())
        pairs = [(g, t, p) for t, g in held for p in self.people if p != g and self.where[p] == self.where[g]]
        if pairs:
            giver, thing, taker = self.rng.choice(pairs)
            number = self._tell(f"{giver} {self.rng.choice(_GIVES)} the {thing} to {taker}.")
            self.holder[thing], self.taken[thing] = taker, number
            self.gifts.append((giver, thing, taker, number))
        return bool(pairs)

    def place(self, number: int) -> str:
        """The place that a fact of moving names: its last word."""
        return self.facts[number].rstrip(".").split()[-1]

    def _tell(self, fact: str) -> int:
        self.facts.append(fact)
        return len(self.facts) - 1

    def _there(self) -> str:
        return self.rng.choice(("", " there"))


_Asked = tuple[str, str, tuple[int, ...]]  # question, answer, support


def _people(world: _World) -> list[_Asked]:
    return [(f"Where is {person}?", world.place(n), (n,)) for person, n in world.told.items()]


def _things(world: _World) -> list[_Asked]:
    known = dict(world.laid)
    known |= {t: (world.told[p], world.taken[t]) for t, p in world.holder.items() if p in world.told}
    return [(f"Where is the {thing}?", world.place(facts[0]), facts) for thing, facts in known.items()]


def _earlier(world: _World) -> list[_Asked]:
    routes = world.route.items()
    return [(f"Where was the {t} before the {world.place(f[2])}?", world.place(f[0]), f) for t, f in routes]


def _gifts(world: _World) -> list[_Asked]:
    """What can be asked of the last time that each thing was given."""
    between = {(giver, taker): number for giver, _, taker, number in world.gifts}
    asked: list[_Asked] = []
    for giver, thing, taker, number in {gift[1]: gift for gift in world.gifts}.values():
        asked += [
            (f"Who gave the {thing}?", giver, (number,)),
            (f"Who gave the {thing} to {taker}?", giver, (number,)),
            (f"Who received the {thing}?", taker, (number,)),
            (f"Who did {giver} give the {thing} to?", taker, (number,)),
        ]
        if between[giver, taker] == number:
            asked.append((f"What did {giver} give to {taker}?", thing, (number,)))
    return asked


class _Plan(NamedTuple):
    """A task: who acts, how, what is asked, and when: a share of the facts behind the least between two questions."""

    people: tuple[str, ...]
    acts: tuple[Callable[[_World], bool], ...]
    ask: Callable[[_World], list[_Asked]]
    least: int
    share: float
    most: int


_CARRY = (_World.move, _World.move, _World.move, _World.take, _World.drop)
_GIVE = (_World.move, _World.move, _World.take, _World.give, _World.give, _World.drop)
_PLANS = {
    "qa1": _Plan(_PEOPLE, (_World.move,), _people, least=2, share=1.0, most=10),
    "qa2": _Plan(_PEOPLE, _CARRY, _things, least=2, share=0.3, most=68),
    "qa3": _Plan(_PEOPLE, _CARRY, _earlier, least=4, share=0.08, most=320),
    "qa5": _Plan(GIVERS, _GIVE, _gifts, least=2, share=0.35, most=126),
}
TASKS = ("qa1", "qa2", "qa3", "qa4", "qa5")


def _until_asked(world: _World, plan: _Plan) -> _Asked:
    """Lets the world go on until something is asked."""
    start = len(world.facts)
    while True:
        while not world.rng.choice(plan.acts)(world):
            pass
        if len(world.facts) - start >= plan.least and world.rng.random() < plan.share:
            options = plan.ask(world)
            if options:
                return world.rng.choice(options)


def _directions(rng: Random) -> Story:
    """Three places in a row, told in two facts; what lies on one side of the middle one is asked, so that one place fits."""
    near, middle, far = rng.sample(PLACES, 3)
    way = rng.choice(list(_OPPOSITE))  # seen from the first place, and from the middle one to the last
    facts = [_relation(near, middle, way, rng), _relation(middle, far, way, rng)]
    answer, side, number = rng.choice(((far, way, 1), (near, _OPPOSITE[way], 0)))
    if rng.random() < 0.5:
        facts, number = facts[::-1], 1 - number
    question = rng.choice((f"What is {side} of the {middle}?", f"What is the {middle} {_OPPOSITE[side]} of?"))
    return Story(tuple(facts), question, answer, (number,))


def _relation(place: str, other: str, way: str, rng: Random) -> str:
    """Says in either of two ways that ``other`` lies ``way`` of ``place``."""
    return rng.choice((f"The {other} is {way} of the {place}.", f"The {place} is {_OPPOSITE[way]} of the {other}."))
