"""Key-value retrieval: a JSON object of random keys and values, and the value of one of them.

The task of "Lost in the Middle" (Liu et al. 2023, section 3; github.com/nelson-liu/lost-in-the-middle). HELMET's json_kv is
made of the same data and scored by containment too; it states the task behind the object rather than before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from pollux.tasks.published.haystack import fill, uuids
from pollux.tasks.task import Example, Question

_HEAD = "Extract the value corresponding to the specified key in the JSON object below.\n\nJSON data:\n"
_QUESTION = 'Key: "{key}"\nCorresponding value:'
_JOIN = ",\n "


@dataclass(frozen=True)
class KeyValue:
    """One value asked for out of a JSON object whose keys and values are random UUIDs.

    Attributes:
        tokens: Length of the context, task statement and JSON object together, in tokens.
        count: Tells how many tokens a text has.
        depths: Where the asked pair stands, 0 for the first and 1 for the last, taken in turn; when empty, anywhere. The
            original asks at 4 to 7 evenly spaced places.
        size: How many examples there are.
    """

    tokens: int
    count: Callable[[str], int]
    depths: Sequence[float] = ()
    seed: int = 0
    size: int = 1_000_000

    def __post_init__(self):
        if not all(0 <= depth <= 1 for depth in self.depths):
            raise ValueError(f"depths must lie between 0 (first pair) and 1 (last pair), got {list(self.depths)}")

    def __len__(self) -> int:
        return self.size

    def example(self, i: int) -> Example:
        """Example number ``i``.

        Raises:
            ValueError: when not even two pairs fit.
        """
        rng = Random(f"{self.seed}/{i}")
        records = fill(_records(rng), self.tokens - self.count(_HEAD + "{}\n"), self.count, _JOIN)
        if len(records) < 2:
            raise ValueError(f"tokens={self.tokens} leaves no room for two pairs; pass at least {self.count(_HEAD) + 200}")
        context = f"{_HEAD}{{{_JOIN.join(records)}}}\n"
        depth = self.depths[i % len(self.depths)] if self.depths else rng.random()
        place = round(depth * (len(records) - 1))
        start = len(_HEAD) + 1 + place * (len(records[0]) + len(_JOIN))  # records are all of one length
        key, value = records[place].replace('"', "").split(": ")
        question = Question(_QUESTION.format(key=key), value, (start, start + len(records[place])), "key_value/json")
        return Example(context, (question,))

    def score(self, question: Question, reply: str) -> float:
        """1.0 when the reply holds the value, in whatever case, else 0.0.

        The rule is that of ``scripts/evaluate_kv_responses.py``. HELMET's ``substring_exact_match`` takes out punctuation,
        and so the hyphens, on both sides first, which tells two replies apart only when one writes a UUID without them.
        """
        return float(question.answer.lower() in reply.lower())


def _records(rng: Random) -> Iterator[str]:
    """Pairs without end, no key twice."""
    seen: set[str] = set()
    while True:
        key, value = uuids(rng, 2)
        if key not in seen:
            seen.add(key)
            yield f'"{key}": "{value}"'
