"""A sound heard before is heard alike without the net; what is new in it goes through the net."""

import numpy as np
import pytest

from pollux.base.weights import initial
from pollux.media.senses import RATE
from pollux.perception.audio.hearing import Hearing
from pollux.perception.audio.net import Ear, table
from pollux.perception.remember import RememberedHearing

SMALL = Ear(width=8, hidden=8, blocks=2, coded=1, taps=3, told=8)


class Counting(Hearing):
    """Hearing that counts how often its net runs."""

    def __init__(self):
        super().__init__(initial(table(SMALL), 3), SMALL)
        self.runs, net = 0, self._hear

        def counted(params, mel):
            self.runs += 1
            return net(params, mel)

        self._hear = counted


@pytest.fixture(scope="module")
def sound():
    """Twenty seconds of noise that comes and goes, thirteen times: four batches of eighty seconds, the last one shorter."""
    time = np.arange(20 * RATE) / RATE
    once = np.random.default_rng(0).standard_normal(time.size) * 0.2 * np.sin(time) ** 2
    return np.tile(once, 13).astype(np.float32)


def same(ours, theirs):
    assert [(h.start, h.end, h.words) for h in ours] == [(h.start, h.end, h.words) for h in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine.codes, other.codes)
        assert mine.codes.dtype == other.codes.dtype


def heard(hearing, sound):
    return list(hearing.listen(sound[i : i + RATE] for i in range(0, sound.size, RATE)))


def test_what_was_heard_is_not_heard_again(sound):
    hearing = Counting()
    plain = heard(hearing, sound)
    assert hearing.runs == 4 and any(each.words for each in plain)
    remembered = RememberedHearing(hearing)
    same(heard(remembered, sound), plain)
    # before the first and behind the last there is silence, and the two between are alike
    assert hearing.runs == 4 + 3
    same(heard(remembered, sound), plain)
    assert hearing.runs == 4 + 3


def test_what_is_new_is_heard(sound):
    hearing = Counting()
    remembered = RememberedHearing(hearing)
    heard(remembered, sound)
    changed, before = sound.copy(), hearing.runs
    changed[100 * RATE : 103 * RATE] = 0.3 * np.sin(np.arange(3 * RATE))
    ours = heard(remembered, changed)
    assert hearing.runs == before + 1
    same(ours, heard(hearing, changed))


def test_the_oldest_is_forgotten(sound):
    hearing = Counting()
    remembered = RememberedHearing(hearing, most=1)
    plain = heard(remembered, sound)
    same(heard(remembered, sound), plain)
    assert hearing.runs == 3 + 3 and len(remembered._known) == 1
