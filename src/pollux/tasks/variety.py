"""Several tasks as one, for training on them in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pollux.tasks.task import Example, NoExample, Question, Task


@dataclass(frozen=True)
class Variety:
    """Tasks that take turns: example ``i`` is of task ``i`` modulo their number."""

    tasks: Sequence[Task]

    def __post_init__(self):
        if not len(self.tasks):
            raise ValueError("no tasks to take turns; pass at least one")

    def __len__(self) -> int:
        return len(self.tasks) * min(map(len, self.tasks))

    def example(self, i: int) -> Example:
        """Example number ``i``.

        Raises:
            NoExample: when this one does not fit into the length that its task was made for.
        """
        number, which = divmod(i, len(self.tasks))
        try:
            return self.tasks[which].example(number)
        except ValueError as error:
            raise NoExample(str(error)) from error

    def score(self, question: Question, reply: str) -> float:
        raise NotImplementedError("a question does not tell which of the tasks it is of; score it with that task")
