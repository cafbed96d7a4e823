"""Several tasks as one, for training on them in turn. Replies are scored by the tasks themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pollux.tasks.task import Example, Examples, NoExample


@dataclass(frozen=True)
class Variety:
    """Tasks that take turns: example ``i`` is of task ``i`` modulo their number."""

    tasks: Sequence[Examples]

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
