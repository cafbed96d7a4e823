"""Sound: sample counts are exact, a part is that part of the whole, and features do not depend on how samples come."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from films import clicks, film, onsets
from hypothesis import given, settings
from hypothesis import strategies as st

from pollux.base.errors import MediaError
from pollux.media import audio, mel
from pollux.media.decode import Senses, decode
from pollux.media.resample import Line
from pollux.media.segment import Spot
from pollux.media.senses import Audio
from pollux.media.source import Bounds

RNG = np.random.default_rng(0)


def filed(samples: np.ndarray, rate: int, form: str = "WAV", **options) -> bytes:
    """[S] or [S, C] as a file."""
    out = io.BytesIO()
    soundfile.write(out, samples, rate, format=form, **options)
    return out.getvalue()


def described(data: bytes, **bounds) -> Audio:
    (segment,) = decode(data, "a", senses=Senses(bounds=Bounds(**bounds)))[0].segments
    assert isinstance(segment, Audio)
    return segment


def heard(segment: Audio, tell=lambda problem: None) -> np.ndarray:
    blocks = list(audio.listen(segment, tell))
    at = round(segment.start * 16_000)
    for block in blocks:
        assert (block.start, block.samples.dtype, block.samples.ndim) == (at, np.float32, 1)
        at += block.samples.size
    return np.concatenate([block.samples for block in blocks]) if blocks else np.zeros(0, np.float32)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 44_101])
@pytest.mark.parametrize("count", [1, 999, 70_001])
def test_counts_are_exact(rate, count):
    segment = described(filed(np.full(count, 0.25), rate))
    samples = heard(segment)
    assert segment.duration == count / rate
    assert abs(samples.size - count * 16_000 / rate) <= 0.5
    if count > 2_000:
        assert np.abs(samples[200:-200] - 0.25).max() < 1e-3


def test_16_khz_comes_through_as_it_is_and_channels_are_mixed():
    stereo = RNG.integers(-20_000, 20_000, (40_000, 2)).astype(np.int16)
    samples = heard(described(filed(stereo, 16_000)))
    np.testing.assert_allclose(samples, stereo.mean(1) / 32768, atol=1e-7)


@pytest.mark.parametrize(
    ("form", "options"), [("FLAC", {}), ("OGG", {}), ("OGG", {"subtype": "OPUS"}), ("AIFF", {}), ("WAV", {"subtype": "FLOAT"})]
)
def test_forms_that_soundfile_reads(form, options):
    segment = described(filed(clicks(48_000, 3.5)[0], 48_000, form, **options))
    samples = heard(segment)
    assert segment.duration == 3.5
    assert samples.size == 56_000
    assert onsets(samples) == pytest.approx([0, 1, 2, 3], abs=2e-3)


@pytest.mark.parametrize(
    ("form", "codec"), [("mp3", "libmp3lame"), ("ipod", "aac"), ("adts", "aac"), ("webm", "libopus"), ("matroska", "flac")]
)
def test_forms_that_ffmpeg_reads(form, codec):
    segment = described(film(form, None, 3, sound=codec))
    samples = heard(segment)
    lag = 1024 / 48_000 if form == "adts" else 0  # bare AAC does not say what its encoder put before the sound
    assert samples.size == pytest.approx(48_000 + lag * 16_000, abs=0 if form in ("mp3", "ipod") else 350)
    assert onsets(samples)[1:] == pytest.approx([1 + lag, 2 + lag], abs=2e-3)


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "mp3", "ipod", "adts", "webm"])
@pytest.mark.parametrize(("start", "end"), [(0.0, 1.5), (1.03, 2.71), (2.5, None), (0.05, 0.06), (3.0, 3.0), (2.9, 99.0)])
def test_a_part_is_that_part_of_the_whole(form, start, end):
    tone = np.sin(np.arange(44_100 * 3) * 0.05) * np.linspace(0.1, 0.9, 44_100 * 3)
    codec = {"mp3": "libmp3lame", "webm": "libopus"}.get(form, "aac")
    data = filed(tone, 44_100, form) if form.isupper() else film(form, None, 3, sound=codec)
    whole = described(data)
    part = replace(whole, start=start, end=end)
    wanted = heard(whole)[round(start * 16_000) : round(part.stop * 16_000)]
    got = heard(part)
    assert abs(got.size - wanted.size) <= (8 if form == "webm" else 0)
    length = min(got.size, wanted.size)
    shift = range(-8, 9) if form == "webm" else [0]  # Matroska tells times in milliseconds
    error = min(np.abs(np.roll(got[:length], by) - wanted[:length])[8 : length - 8].max(initial=0) for by in shift)
    assert error < (0.05 if form == "webm" else 2e-3 if not form.isupper() else 1e-5)


@given(
    st.lists(st.integers(1, 9_000), min_size=1, max_size=8), st.sampled_from([8_000, 16_000, 44_100, 48_000]), st.integers(0, 9_000)
)
def test_pieces_of_any_size_make_the_same_line(sizes, rate, first):
    samples = RNG.normal(size=sum(sizes)).astype(np.float32)

    def line(pieces: list[np.ndarray]) -> np.ndarray:
        made = Line(first, 1 << 40, "a")
        made.begin(rate)
        begun, made_so_far = made.at, []
        for piece in pieces:
            made_so_far += [each.copy() for each in made.feed(piece, rate)]
        made_so_far += made.finish()
        assert begun * 16_000 % rate == 0
        return np.concatenate(made_so_far) if made_so_far else np.zeros(0, np.float32)

    np.testing.assert_array_equal(line([samples]), line(np.split(samples, np.cumsum(sizes)[:-1])))


def test_gaps_are_silence_and_what_overlaps_is_dropped():
    from fractions import Fraction

    line, ones = Line(0, 1 << 40, "a"), np.ones(1_600, np.float32)
    made = [
        *line.feed(ones, 16_000, Fraction(0)),
        *line.feed(ones, 16_000, Fraction(3, 10)),
        *line.feed(ones, 16_000, Fraction(3, 10)),
    ]
    made += [*line.feed(ones, 16_000, Fraction(401, 1000)), *line.finish()]  # a millisecond late: rounded, not a gap
    wanted = [1] * 1_600 + [0] * 3_200 + [1] * 3_200
    np.testing.assert_array_equal(np.concatenate(made), wanted)
    late = Line(0, 1 << 40, "a")
    np.testing.assert_array_equal(np.concatenate([*late.feed(ones[:2], 16_000, Fraction(3, 16_000))]), [0, 0, 0, 1, 1])


def test_a_rate_that_changes_on_the_way():
    from fractions import Fraction

    line = Line(0, 1 << 40, "a")
    made = [
        *line.feed(np.ones(8_000, np.float32), 8_000, Fraction(0)),
        *line.feed(np.ones(48_000, np.float32), 48_000, Fraction(1)),
        *line.finish(),
    ]
    made = np.concatenate(made)
    assert made.size == 32_000
    assert np.abs(np.delete(made, np.r_[:200, 15_800:16_200, 31_800:32_000]) - 1).max() < 1e-3


def plain_bands() -> np.ndarray:
    """How much of each bin belongs to each band, one after the other: float64 [257, 80]."""
    top = 15 + 27 * np.log(8) / np.log(6.4)
    edges = [p * 1000 / 15 if p < 15 else 1000 * 6.4 ** ((p - 15) / 27) for p in np.arange(82) * top / 81]
    out = np.zeros((257, 80))
    for k, m in np.ndindex(257, 80):
        low, middle, high = edges[m : m + 3]
        out[k, m] = max(min((31.25 * k - low) / (middle - low), (high - 31.25 * k) / (high - middle)), 0)
    return out


def plain_log_mel(samples: np.ndarray) -> np.ndarray:
    """The features by their definition, one frame at a time, in float64."""
    count = -(-samples.size // 160)
    padded = np.concatenate([np.zeros(120), samples.astype(np.float64), np.zeros(800)])
    window = np.array([0.5 - 0.5 * np.cos(2 * np.pi * n / 400) for n in range(400)])
    turns = np.exp(-2j * np.pi * np.outer(np.arange(257), np.arange(400)) / 512)
    weights = plain_bands()
    out = np.zeros((count, 80))
    for i in range(count):
        energy = np.abs(turns @ (padded[160 * i : 160 * i + 400] * window * 2 / window.sum())) ** 2
        out[i] = np.log10(np.maximum(energy @ weights, 1e-10))
    return out


def test_features_are_as_defined():
    time = np.arange(3_700) / 16_000
    samples = (0.5 * np.sin(2 * np.pi * 440 * time) + 0.01 * RNG.normal(size=time.size)).astype(np.float32)
    got = np.concatenate(list(mel.log_mel([samples])))
    np.testing.assert_allclose(got, plain_log_mel(samples), atol=2e-4)
    assert got.shape == (24, 80)
    assert (plain_bands().sum(0) > 0).all()


def test_a_tone_is_where_it_belongs():
    for frequency in (100, 440, 1_000, 3_000, 7_000):
        samples = np.sin(2 * np.pi * frequency * np.arange(16_000) / 16_000).astype(np.float32)
        loudest = np.concatenate(list(mel.log_mel([samples])))[50].argmax()
        low, high = np.flatnonzero(plain_bands()[:, loudest])[[0, -1]] * 31.25
        assert low - 32 <= frequency <= high + 32
    assert np.concatenate(list(mel.log_mel([np.zeros(16_000, np.float32)]))) == pytest.approx(-10, abs=1e-5)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 20_000), max_size=4))
def test_features_do_not_depend_on_blocks(sizes):
    samples = RNG.normal(size=sum(sizes)).astype(np.float32)
    blocks = np.split(samples, np.cumsum(sizes))
    none = np.zeros((0, 80), np.float32)
    whole, parts = (np.concatenate([none, *mel.log_mel(each)]) for each in ([samples], blocks))
    np.testing.assert_array_equal(whole, parts)
    assert len(whole) == -(-samples.size // 160)


def test_places():
    segment = described(filed(np.zeros(16_000 * 90), 16_000))
    assert segment.place(61.5, 64) == Spot("a", start=61.5, end=64)
    assert segment.place(61.5).time == "01:01"
    for bad in ((-1, 2), (5, 4), (80, 91)):
        with pytest.raises(ValueError, match="seconds of the file"):
            segment.place(*bad)
    with pytest.raises(ValueError, match="start"):
        replace(segment, start=3, end=2)


def test_cut_short_is_told():
    data, told = filed(RNG.normal(size=16_000 * 8) * 0.1, 16_000, "FLAC"), []
    segment = described(data[: len(data) // 2])
    samples = heard(segment, told.append)
    assert 16_000 < samples.size < 16_000 * 5
    assert [problem.severity for problem in told][-1:] == ["warning"]
    assert "of 8.0 s" in told[-1].message


def test_bounds():
    data = filed(np.zeros(16_000 * 4), 16_000)
    for bounds in ({"seconds": 3.9}, {"channels": 0}):
        with pytest.raises(MediaError):
            described(data, **bounds)
    with pytest.raises(MediaError, match="at most"):
        described(film("mp3", None, 1, sound="libmp3lame"), film_bytes=100)
    absurd = bytearray(data)
    absurd[24:28] = (900_000).to_bytes(4, "little")
    with pytest.raises(MediaError, match="samples a second"):
        described(bytes(absurd))
    with pytest.raises(MediaError):
        described(filed(np.zeros(0), 16_000))


FILES = {
    "wav": filed(clicks(16_000, 1)[0], 16_000),
    "flac": filed(clicks(16_000, 1)[0], 16_000, "FLAC"),
    "ogg": filed(clicks(16_000, 1)[0], 16_000, "OGG"),
    "mp3": film("mp3", None, 1, sound="libmp3lame"),
    "mov": film("ipod", None, 1),
    "aac": film("adts", None, 1),
    "matroska": film("webm", None, 1, sound="libopus"),
}


@settings(max_examples=120)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_any_damage_gives_sound_or_a_media_error(form, data):
    made = bytearray(FILES[form])
    made = made[: data.draw(st.integers(0, len(made)))] if data.draw(st.booleans()) else made
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(made)))
        made[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    from pollux.media.source import Source

    source = Source(form, data=bytes(made), bounds=Bounds(seconds=600))
    try:
        segment = audio.describe(source, "a")
        samples = heard(replace(segment, start=segment.duration * data.draw(st.sampled_from([0, 0.4]))))
        assert np.isfinite(samples).all()
        assert samples.size <= round(segment.duration * 16_000) + 1
    except MediaError as error:
        assert error.path == "a"
