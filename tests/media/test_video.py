"""Films: every frame at its exact time, sound on the same clock, whatever the container, the frame rate and the part wanted."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from functools import cache
from itertools import pairwise
from math import floor
from pathlib import Path

import av
import numpy as np
import pytest
from films import GREYS, film, number, onsets
from hypothesis import given, settings
from hypothesis import strategies as st

from pollux.base.errors import MediaError
from pollux.media import video
from pollux.media.decode import Senses, decode, read
from pollux.media.segment import Spot
from pollux.media.senses import Audio, Frame, Sound, Video
from pollux.media.source import Bounds, Source

KINDS = [
    ("mp4", "libx264", "aac"), ("matroska", "libx264", "libopus"), ("webm", "libvpx-vp9", "libopus"),
    ("matroska", "libx265", "flac"), ("avi", "mpeg4", "libmp3lame"), ("mov", "libx264", "pcm_s16le"),
]  # fmt: skip


def described(data: bytes, rate: float | None = 1.0, **bounds) -> Video:
    (segment,) = decode(data, "a", senses=Senses(rate=rate, bounds=Bounds(**bounds)))[0].segments
    assert isinstance(segment, Video)
    return segment


def frames(segment: Video, box=None) -> list[Frame]:
    return list(video.look(segment, box))


@cache
def made(kind: str) -> bytes:
    """Four seconds at 12 frames a second in one of the containers."""
    return next(film(form, codec, sound=sound) for form, codec, sound in KINDS if kind == f"{form} {codec}")


def form_of(kind: str) -> str:
    return kind.split()[0]


@pytest.mark.parametrize("kind", [f"{form} {codec}" for form, codec, _ in KINDS])
def test_one_frame_a_second_and_its_sound(kind):
    segment = described(made(kind))
    assert (segment.width, segment.height, segment.sound) == (64, 48, True)
    assert segment.duration == pytest.approx(4, abs=0.1)
    items = list(video.play(segment))
    seen = [item for item in items if isinstance(item, Frame)]
    late = form_of(kind) == "avi"  # it says nothing of the order of frames, and all but the first are told one frame late
    assert [item.time for item in seen][:4] == [0, 1, 2, 3]
    assert [number(item.pixels) for item in seen][:4] == [0, *((each - late) % GREYS for each in (12, 24, 36))]
    sounds = [item for item in items if isinstance(item, Sound)]
    assert sounds[0].start == 0
    assert all(b.start == a.start + a.samples.size for a, b in pairwise(sounds))
    assert onsets(np.concatenate([item.samples for item in sounds])) == pytest.approx([0, 1, 2, 3], abs=0.03)
    at = 0.0
    for item in items:  # in order: what comes after a frame is not before it
        if isinstance(item, Frame):
            at = item.time
        else:
            assert item.start >= round(at * 16_000)
            assert item.start + item.samples.size <= round((floor(at) + 1) * 16_000)


@pytest.mark.parametrize("kind", ["mp4 libx264", "matroska libx264", "webm libvpx-vp9"])
@settings(max_examples=12)
@given(
    rate=st.sampled_from([0.5, 1, 2, 5, 12, 24, 30]),
    start=st.sampled_from([0, 0.04, 1, 1.5, 2.99, 3.9]),
    span=st.sampled_from([0.5, 2, 9]),
)
def test_any_rate_and_part_gives_the_frame_that_is_on(kind, rate, start, span):
    segment = replace(described(made(kind)), rate=rate, start=start, end=start + span)
    got = frames(segment)
    wanted = [start + i / rate for i in range(1000) if start + i / rate < min(start + span, 4 - 1e-3)]
    got = [each for each in got if each.time < 4 - 1e-3]  # sound may be longer than the picture
    assert [each.time for each in got] == pytest.approx(wanted, abs=1e-9)
    for each in got:
        assert number(each.pixels) == floor(each.time * 12 + 1e-2) % GREYS
        assert each.shown == pytest.approx(floor(each.time * 12 + 1e-2) / 12, abs=6e-4)


def test_every_frame():
    for kind in ("mp4 libx264", "webm libvpx-vp9"):
        got = frames(described(made(kind), rate=None))
        assert [number(each.pixels) for each in got] == [i % GREYS for i in range(48)]
        assert [each.time for each in got] == pytest.approx([i / 12 for i in range(48)], abs=6e-4)
        part = replace(described(made(kind), rate=None), start=1.0, end=2.0)
        assert [number(each.pixels) for each in frames(part)] == [i % GREYS for i in range(12, 24)]


def test_frames_at_varying_times():
    times = [0, 0.1, 0.15, 1.2, 1.25, 4.0, 4.5, 7.9]
    for form in ("matroska", "mp4"):
        segment = described(film(form, "mpeg4", sound=None, times=times))
        got = frames(segment)
        wanted = [max(i for i, each in enumerate(times) if each <= t) for t in range(8)]
        assert [number(each.pixels) for each in got][:8] == wanted
        assert [each.shown for each in got][:8] == pytest.approx([times[i] for i in wanted], abs=1e-3)
        assert [number(each.pixels) for each in frames(replace(segment, start=1.22, end=4.3, rate=2))] == [3, 4, 4, 4, 4, 4, 5][:7]


def test_a_film_that_begins_late_and_one_that_begins_at_a_time_of_its_own():
    late = film("matroska", sound=None, times=[2.5, 3.5, 4.5])
    assert [(each.time, each.shown) for each in frames(described(late))][:3] == [(2, 2.5), (3, 2.5), (4, 3.5)]
    stream = described(film("mpegts", "libx264"))  # its clock begins at 0.05 s or more
    items = list(video.play(stream))
    assert [number(item.pixels) for item in items if isinstance(item, Frame)][:4] == [0, 11, 23, 11]
    heard = onsets(np.concatenate([item.samples for item in items if isinstance(item, Sound)]))
    assert heard == pytest.approx([1024 / 48_000 + i for i in range(4)], abs=3e-3)
    part = replace(stream, start=2.0)
    assert number(frames(part)[0].pixels) == 23
    delayed = described(film("matroska", "libx264", sound="flac", delay=1.5))
    heard = np.concatenate([item.samples for item in video.play(delayed) if isinstance(item, Sound)])
    assert onsets(heard) == pytest.approx([1.5, 2.5, 3.5, 4.5], abs=2e-3)


def test_a_part_has_its_own_sound():
    for kind in [f"{form} {codec}" for form, codec, _ in KINDS]:
        part = replace(described(made(kind)), start=1.5, end=3.25)
        items = list(video.play(part))
        assert [item.time for item in items if isinstance(item, Frame)] == [1.5, 2.5]
        sounds = [item for item in items if isinstance(item, Sound)]
        assert sounds[0].start == 24_000
        assert sum(item.samples.size for item in sounds) == 28_000
        heard = np.concatenate([item.samples for item in sounds])
        assert [round(each + 1.5, 1) for each in onsets(heard)] == [2.0, 3.0]


def test_a_turned_film():
    data = bytearray(film("mp4", sound=None, seconds=1, size=(64, 32)))
    at = data.index(b"tkhd") + 4 + 40
    assert data[at : at + 4] == (1 << 16).to_bytes(4, "big")
    quarter = [0, 1 << 16, 0, -(1 << 16), 0, 0, 32 << 16, 0, 1 << 30]  # clockwise, as a telephone held upright writes it
    data[at : at + 36] = b"".join(each.to_bytes(4, "big", signed=True) for each in quarter)
    segment = described(bytes(data))
    assert (segment.width, segment.height) == (32, 64)
    (frame,) = frames(segment)
    assert frame.pixels.shape == (64, 32, 3)
    assert frames(segment, (16, 16))[0].pixels.shape == (16, 8, 3)


def test_turned_the_right_way():
    """A film whose left half is white, turned clockwise, has its upper half white."""
    import io
    from fractions import Fraction

    out, half = io.BytesIO(), np.zeros((32, 64, 3), np.uint8)
    half[:, :32] = 255
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        frame = av.VideoFrame.from_ndarray(half, format="rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 1)
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    data = bytearray(out.getvalue())
    at = data.index(b"tkhd") + 4 + 40
    quarter = [0, 1 << 16, 0, -(1 << 16), 0, 0, 32 << 16, 0, 1 << 30]
    data[at : at + 36] = b"".join(each.to_bytes(4, "big", signed=True) for each in quarter)
    (frame,) = frames(described(bytes(data)))
    assert frame.pixels[:28].min() > 240
    assert frame.pixels[36:].max() < 15


def test_colours_and_boxes():
    import io
    from fractions import Fraction

    for size in ((64, 48), (1280, 720)):
        out = io.BytesIO()
        with av.open(out, "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=1, options={"crf": "5", "preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = *size, "yuv444p"
            frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), (200, 60, 90), np.uint8), format="rgb24")
            matrix = "ITU709" if size[1] >= 720 else "ITU601"
            frame = frame.reformat(format="yuv444p", dst_colorspace=matrix)
            frame.pts, frame.time_base = 0, Fraction(1, 1)
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
        (got,) = frames(described(out.getvalue()), (32, 32))
        assert got.pixels.shape == ((24, 32, 3) if size[0] == 64 else (18, 32, 3))
        assert np.abs(got.pixels.reshape(-1, 3).astype(int) - (200, 60, 90)).max() <= 4


def test_only_sound_or_no_sound():
    (segment,) = decode(film("mp4", None), "a", senses=Senses())[0].segments
    assert isinstance(segment, Audio)
    mute = described(film("mp4", sound=None))
    assert not mute.sound
    assert all(isinstance(item, Frame) for item in video.play(mute))


def test_cut_short_is_told_and_the_rest_is_kept():
    for form in ("matroska", "mp4"):
        data, told = film(form, "libx264", seconds=20, sound=None, faststart=form == "mp4"), []
        segment = described(data[: len(data) * 6 // 10])
        got = list(video.look(segment, tell=told.append))
        assert 3 < len(got) < 16
        assert [number(each.pixels) for each in got[:4]] == [0, 12] * 2
        assert any("ends after" in problem.message and problem.severity == "warning" for problem in told), told
    with pytest.raises(MediaError, match="cannot be read as MOV"):
        described(film("mp4")[:-900])  # the index stands at the end


def test_bounds():
    whole = made("mp4 libx264")
    with pytest.raises(MediaError, match="hours"):
        described(whole, seconds=3)
    with pytest.raises(MediaError, match="at most"):
        described(whole, film_bytes=1000)
    with pytest.raises(MediaError):
        described(whole, film_pixels=64 * 47)
    with pytest.raises(ValueError, match="rate"):
        replace(described(whole), rate=0)


def test_no_other_file_is_opened(tmp_path):
    """A playlist is text here, and what it names is not fetched."""
    (tmp_path / "a.mp4").write_bytes(film("mp4"))
    playlist = tmp_path / "list.mkv"
    playlist.write_text(f"ffconcat version 1.0\nfile {tmp_path / 'a.mp4'}\n\0")
    (problem,) = read([playlist], senses=Senses()).problems
    assert "binary" in problem.message
    with pytest.raises(MediaError):
        video.describe(Source("matroska", str(playlist)), "a")


def test_places():
    segment = replace(described(film("mp4", seconds=2)), start=0.5)
    assert segment.place(1.0, region=(0, 0, 1, 0.5)) == Spot("a", start=1.0, end=1.0, region=(0, 0, 1, 0.5))
    with pytest.raises(ValueError, match="seconds of the file"):
        segment.place(0.2)


SMALL = {
    "mp4": film("mp4", "libx264", 1, 6, (32, 32)),
    "webm": film("webm", "libvpx", 1, 6, (32, 32), "libopus"),
    "avi": film("avi", "mpeg4", 1, 6, (32, 32), None),
    "mpegts": film("mpegts", "libx264", 1, 6, (32, 32)),
}
NAMES = {"mp4": "mov", "webm": "matroska"}


@settings(max_examples=150)
@given(st.sampled_from(sorted(SMALL)), st.data())
def test_any_damage_gives_frames_or_a_media_error(form, data):
    damaged = bytearray(SMALL[form])
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))] if data.draw(st.booleans()) else damaged
    for _ in range(data.draw(st.integers(0, 5))):
        at = data.draw(st.integers(0, len(damaged)))
        damaged[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    source, begin = (
        Source(NAMES.get(form, form), data=bytes(damaged), bounds=Bounds(seconds=600, film_pixels=1 << 20)),
        time.monotonic(),
    )
    try:
        segment = video.describe(source, "a")
        if isinstance(segment, Video):
            segment = replace(segment, start=segment.duration * data.draw(st.sampled_from([0, 0.5])))
            times = [item.time for item in video.play(segment) if isinstance(item, Frame)]
            assert times == sorted(set(times))
            assert len(times) <= 601
    except MediaError as error:
        assert error.path == "a"
    assert time.monotonic() - begin < 20


@given(st.sampled_from(["mov", "matroska", "avi", "mpegts", "mpeg"]), st.binary(max_size=400))
def test_noise_is_no_film(form, noise):
    with pytest.raises(MediaError):
        video.describe(Source(form, data=noise), "a")


LONG = """
import resource, sys
from dataclasses import replace
from pollux.media import audio, mel, video
from pollux.media.decode import Senses, read
from pollux.media.senses import Frame
reading = read([sys.argv[1]], senses=Senses())
(segment,) = reading.documents[0].segments
features, seen, peaks = mel.LogMel(), 0, []
for item in video.play(segment):
    if isinstance(item, Frame):
        seen += 1
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    else:
        features.feed(item.samples)
print(seen, peaks[len(peaks) // 10], peaks[-1])
"""


def test_memory_does_not_grow_with_length(tmp_path):
    """Five minutes in a process of its own: 59 MB if pictures were kept, 19 MB for the sound."""
    path = tmp_path / "long.mkv"
    path.write_bytes(film("matroska", "mpeg4", 300, 1, (256, 256), "pcm_s16le", rate=16_000))
    source = str(Path(video.__file__).parents[2])
    run = subprocess.run(
        [sys.executable, "-c", LONG, str(path)], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": source}
    )
    seen, early, late = map(int, run.stdout.split())
    assert seen == 300
    assert (late - early) / 1024 < 15
