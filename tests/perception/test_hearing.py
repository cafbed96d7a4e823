"""Hearing: nothing depends on how samples are cut, memory does not grow, words are given whole and once."""

from dataclasses import asdict

import jax
import numpy as np
import pytest

from pollux.base.checkpoint import save_weights
from pollux.base.errors import CheckpointError
from pollux.base.weights import initial
from pollux.media.mel import log_mel
from pollux.media.senses import RATE
from pollux.perception.audio.hearing import Hearing
from pollux.perception.audio.lexicon import ALPHABET
from pollux.perception.audio.net import Ear, hear, table

SMALL = Ear(width=8, hidden=8, blocks=2, coded=1, taps=3, told=8)
PARAMS = initial(table(SMALL), 3)


@pytest.fixture(scope="module")
def hearing():
    return Hearing(PARAMS, SMALL)


@pytest.fixture(scope="module")
def sound():
    """Ninety-one seconds and a bit of tones that come and go: more than is heard together."""
    time = np.arange(91 * RATE + 777) / RATE
    return (0.3 * np.sin(2 * np.pi * (200 + 300 * np.sin(time)) * time) * np.sin(7 * time)).astype(np.float32)


@pytest.fixture(scope="module")
def at_once(hearing, sound):
    return list(hearing._listen([sound]))


def same(ours, theirs):
    assert [(h.start, h.end, h.words) for h in ours] == [(h.start, h.end, h.words) for h in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine.codes, other.codes)


@pytest.mark.parametrize("size", [799, RATE, 7 * RATE + 1, 85 * RATE])
def test_in_pieces_as_at_once(hearing, sound, at_once, size):
    same(list(hearing._listen(sound[i : i + size] for i in range(0, sound.size, size))), at_once)


def test_every_second_has_25_codes(at_once, sound):
    assert [(h.start, h.end) for h in at_once[:-1]] == [(10 * i, 10 * i + 10) for i in range(9)]
    assert [len(h.codes) for h in at_once] == [250] * 9 + [27]  # 1 s and 777 samples are 26.2 codes
    assert at_once[-1].end == sound.size / RATE
    assert all(h.codes.dtype == np.int32 and h.codes.min() >= 0 and h.codes.max() < 1024 for h in at_once)


def test_ten_seconds_are_heard_with_what_is_around_them(at_once, sound):
    edge = 2 * SMALL.halo
    frames = np.concatenate(list(log_mel([sound])))[1000 - edge : 2000 + edge]
    codes = np.asarray(jax.jit(lambda mel: hear(PARAMS, SMALL, mel).codes)(frames[None]))[0]
    assert (codes == at_once[1].codes).mean() > 0.98  # sums of another order may fall on the other side of a level


def test_stretches_that_fill_what_is_heard_together(hearing, sound, at_once):
    heard = list(hearing._listen([sound[: 80 * RATE]]))
    assert len(heard) == 8 and heard[-1].end == 80
    same(heard[:-1], at_once[:7])


def test_what_is_far_away_changes_nothing(hearing, sound, at_once):
    changed = sound.copy()
    changed[25 * RATE : 26 * RATE] = 0
    heard = list(hearing._listen([changed]))
    same([*heard[:2], *heard[3:]], [*at_once[:2], *at_once[3:]])
    assert (heard[2].codes != at_once[2].codes).any()


@pytest.mark.parametrize("blocks", [[], [np.zeros(0, np.float32)]])
def test_nothing_is_heard_in_nothing(hearing, blocks):
    assert list(hearing._listen(blocks)) == []


def test_a_sound_shorter_than_a_code(hearing):
    (heard,) = hearing._listen([np.full(100, 0.1, np.float32)])
    assert (heard.start, heard.end, heard.codes.shape) == (0, 100 / RATE, (1,))


def test_samples_are_taken_as_they_are_needed(hearing):
    taken = 0

    def blocks():
        nonlocal taken
        for _ in range(3600):
            taken += 1
            yield np.zeros(RATE, np.float32)

    next(hearing._listen(blocks()))
    assert taken < 600


def spelling(texts, steps=500):
    """A net's double that says these letters at these steps; "." is nothing."""
    said = np.zeros(8 * steps, np.int32)
    for at, text in texts:
        said[at : at + len(text)] = [ALPHABET.find(letter) + 1 for letter in text]
    chances = np.where(said[:, None] == np.arange(len(ALPHABET) + 1), 0.0, -12.0).reshape(8, steps, -1)
    return lambda params, mel: (np.zeros((8, steps // 2), np.int32), chances)


def heard_words(texts, seconds):
    hearing = Hearing(PARAMS, SMALL)
    hearing._hear = spelling(texts)
    return [[word.text for word in heard.words] for heard in hearing._listen([np.zeros(seconds * RATE, np.float32)])]


def test_a_word_that_straddles_is_given_whole_where_it_begins():
    assert heard_words([(10, "go "), (498, "over "), (700, "it ")], 20) == [["go", "over"], ["it"]]


def test_a_word_that_the_sound_cuts_off_is_given():
    assert heard_words([(490, "cut")], 10) == [["cut"]]


def test_a_word_behind_which_nothing_comes_for_long_waits_for_no_one():
    assert heard_words([(10, "lone")], 30) == [["lone"], [], []]


def test_times_of_words_are_seconds_of_the_sound():
    hearing = Hearing(PARAMS, SMALL)
    hearing._hear = spelling([(1010, "hi ")])
    words = [word for heard in hearing._listen([np.zeros(30 * RATE, np.float32)]) for word in heard.words]
    assert [(word.text, round(word.start, 2), round(word.end, 2)) for word in words] == [("hi", 20.2, 20.24)]


def test_weights_are_loaded(tmp_path, at_once, sound):
    save_weights(tmp_path / "hearing.safetensors", PARAMS, {"ear": asdict(SMALL)})
    loaded = Hearing.load(tmp_path / "hearing.safetensors")
    assert loaded.ear == SMALL
    heard = next(loaded._listen([sound]))
    assert (heard.codes == at_once[0].codes).mean() > 0.9  # weights are kept in bfloat16


def test_other_weights_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="there are no weights"):
        Hearing.load(tmp_path / "none.safetensors")
    save_weights(tmp_path / "other.safetensors", PARAMS, {"model": {}})
    with pytest.raises(CheckpointError, match="no weights for hearing"):
        Hearing.load(tmp_path / "other.safetensors")
    save_weights(tmp_path / "wrong.safetensors", PARAMS, {"ear": asdict(Ear())})
    with pytest.raises(CheckpointError, match="do not fit"):
        Hearing.load(tmp_path / "wrong.safetensors")


def test_what_sounds_at_the_very_edges_is_heard(at_once):
    hearing = Hearing(PARAMS, SMALL)
    hearing._hear = spelling([(8, "now "), (500 + 11, "end")])
    first, last = hearing.listen([np.zeros(10 * RATE, np.float32)])
    assert (first.start, last.end) == (0, 10) and first.end == last.start == pytest.approx(9.8)
    assert len(first.codes) == 245 and len(last.codes) == 5
    (now,), (end,) = first.words, last.words
    assert (now.text, now.start) == ("now", 0) and (end.text, end.end) == ("end", 10)
    assert list(hearing.listen([])) == []
