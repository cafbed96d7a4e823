"""Buckets that fill evenly."""

import pytest

from pollux.serve.errors import ApiError
from pollux.serve.operations.limits import Limits


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def seconds(limits: Limits, client: str = "a") -> float:
    with pytest.raises(ApiError) as told:
        limits.admit(client)
    assert told.value.code == 429
    return told.value.seconds


def test_requests_come_back_one_by_one():
    clock = Clock()
    limits = Limits(requests=60, clock=clock)
    for _ in range(60):
        limits.admit("a")
    assert seconds(limits) == pytest.approx(1)
    limits.admit("b")
    clock.now += 1
    limits.admit("a")
    assert seconds(limits) == pytest.approx(1)
    clock.now += 3600
    for _ in range(60):
        limits.admit("a")
    assert seconds(limits) == pytest.approx(1), "no more than a minute's worth is kept"


def test_a_long_text_is_paid_for_afterwards():
    clock = Clock()
    limits = Limits(tokens=600, clock=clock)
    limits.admit("a")
    limits.spend("a", 1200)
    assert seconds(limits) == pytest.approx(60.1)
    clock.now += 60.2
    limits.admit("a")


def test_no_limit_is_none():
    limits = Limits()
    for _ in range(1000):
        limits.admit("a")
    limits.spend("a", 1 << 40)
    limits.admit("a")
