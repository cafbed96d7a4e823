"""Tasks that take turns."""

import pytest

from pollux.tasks.two_step import TwoStep
from pollux.tasks.variety import Variety


def test_tasks_take_turns():
    one, two = TwoStep([], seed=1), TwoStep([], seed=2)
    variety = Variety([one, two])
    assert [variety.example(i) for i in range(4)] == [one.example(0), two.example(0), one.example(1), two.example(1)]
    assert len(variety) == 2 * len(one)


def test_there_is_at_least_one():
    with pytest.raises(ValueError, match="no tasks"):
        Variety([])
