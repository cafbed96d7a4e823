"""A recording is heard as what it is made of, over and over; a stretch is replaced and restored where it lies."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pollux.base.errors import ConfigError
from pollux.media import audio
from pollux.media.senses import RATE
from pollux.media.source import Source
from pollux.tasks.sensed.sounds import recording
from pollux.tasks.sensed.sounds.recording import Recording, wav


def tone(pitch, seconds):
    return (0.4 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


TONES = [tone(300, 2.5), tone(500, 4.0), tone(700, 1.3)]


def heard(source):
    return np.concatenate([sound.samples for sound in audio.listen(audio.describe(source, "it"))])


def decoded(made):
    return heard(Source("wav", str(made.path)))


@pytest.fixture(params=["WAV", "RF64"])
def made(request, monkeypatch):
    """Twenty-five seconds, in both forms of file."""
    if request.param == "RF64":
        monkeypatch.setattr(recording, "_WAV", 0)
    made = Recording(TONES, 25)
    assert made.path.read_bytes()[:4] == (b"RIFF" if request.param == "WAV" else b"RF64")
    return made


def test_utterances_come_over_and_over(made):
    samples = decoded(made)
    assert samples.size == made.length == 25 * RATE
    np.testing.assert_array_equal(samples[10 * RATE : 20 * RATE], samples[: 10 * RATE])
    np.testing.assert_array_equal(samples[20 * RATE :], samples[: 5 * RATE])
    np.testing.assert_allclose(samples[: TONES[0].size], TONES[0], atol=1e-4)
    second = TONES[0].size + round(0.6 * RATE)
    assert not samples[TONES[0].size : second].any()
    np.testing.assert_allclose(samples[second : second + TONES[1].size], TONES[1], atol=1e-4)


@pytest.mark.parametrize("start", [0, 12 * RATE + 7, 23 * RATE])
def test_other_samples_are_put_in_and_taken_out(made, start):
    plain, other = decoded(made), tone(900, 2)
    made.put(5 * RATE, tone(200, 3))
    made.put(start, other)
    changed = decoded(made)
    np.testing.assert_allclose(changed[start : start + other.size], other, atol=1e-4)
    np.testing.assert_array_equal(
        np.delete(changed, np.s_[start : start + other.size]), np.delete(plain, np.s_[start : start + other.size])
    )
    made.restore()
    np.testing.assert_array_equal(decoded(made), plain)


@pytest.mark.parametrize("start", [-1, 24 * RATE])
def test_what_does_not_fit_changes_nothing(made, start):
    before = made.path.read_bytes()
    with pytest.raises(ValueError, match="not inside a recording of 400,000"):
        made.put(start, tone(900, 2))
    assert made.path.read_bytes() == before


def test_the_file_goes_with_the_object():
    made = Recording(TONES, 1)
    path = made.path
    assert path.is_file()
    del made
    assert not path.parent.exists()


def test_the_file_goes_with_an_interrupted_process():
    code = """if True:
        import numpy as np
        from pollux.tasks.sensed.sounds.recording import Recording
        kept = Recording([np.ones(9, np.float32)], 1)
        assert kept.path.is_file()
        print(kept.path, flush=True)
        raise KeyboardInterrupt"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "KeyboardInterrupt" in ended.stderr and not Path(ended.stdout.strip()).parent.exists()


def test_bad_settings_are_refused(monkeypatch):
    with pytest.raises(ValueError, match="a second or more"):
        Recording(TONES, 0)
    with pytest.raises(ValueError, match="got 1 for 9 s"):
        Recording([np.zeros(0, np.float32)], 9)
    monkeypatch.setattr(recording.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1 << 20))
    with pytest.raises(ConfigError, match=r"takes 11.5 GiB.* has 1 MiB"):
        Recording(TONES, 107 * 3600)


def test_samples_in_memory():
    samples = heard(Source("wav", data=wav(TONES[2] * 3)))
    np.testing.assert_allclose(samples, np.clip(TONES[2] * 3, -1, 1), atol=1e-4)
    assert BytesIO(wav(TONES[2])).read(4) == b"RIFF"
