"""What is seen and heard becomes a transcript whose words know their times and regions; the senses are doubles."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pollux.media.decode import Senses, read
from pollux.media.senses import RATE
from pollux.media.transcript import FRAME, PICTURE, SIGHTS, SOUND, Writer
from pollux.perception.perceive import Detail, Perception
from pollux.perception.percepts import Heard, Said, Seen, Word
from pollux.perception.remember import Remembered
from pollux.perception.stretches import stretches
from pollux.perception.written import write_heard


class Eyes:
    """Sees the mean of a picture: once as a code, once as a word in its upper left quarter, and a second line below."""

    def resize(self, picture, cells):
        self.cells = cells
        return picture

    def see(self, pictures):
        return [self._one(int(picture.mean())) for picture in pictures]

    def _one(self, mean):
        above = Word("grey", (0.25, 0.0, 0.5, 0.25)), Word(str(mean), (0.0, 0.0, 0.25, 0.25))
        words = (Word("below", (0.0, 0.5, 0.5, 0.75)), *above)
        return Seen(np.full((2, 3), mean, np.int32), words)


class Ears:
    """Hears a word every second, in blocks of ten."""

    def listen(self, blocks):
        samples = np.concatenate(list(blocks))
        seconds = -(-samples.size // RATE)
        for start in range(0, seconds, 10):
            end = min(start + 10, seconds)
            words = tuple(Said(f"w{n}", n + 0.1, n + 0.7) for n in range(start, end))
            yield Heard(float(start), float(end), np.arange(25 * (end - start), dtype=np.int32) % 7, words)


@pytest.fixture
def perception():
    return Perception(Eyes(), Ears(), Detail(picture=9, frame=6, page=12))


@pytest.fixture
def picture(tmp_path) -> Path:
    from PIL import Image

    path = tmp_path / "grey.png"
    Image.new("RGB", (60, 40), (100, 100, 100)).save(path)
    return path


@pytest.fixture
def sound(tmp_path) -> Path:
    import soundfile

    path = tmp_path / "sound.wav"
    soundfile.write(path, np.zeros(31 * RATE, np.float32), RATE)
    return path


def perceived(perception, path, **senses):
    (document,) = read([path], senses=Senses(**senses)).documents
    told = []
    (result,) = perception.documents([document], lambda done, total: told.append((done, total)))
    assert told[-1][0] == pytest.approx(told[-1][1]) and [done for done, _ in told] == sorted(done for done, _ in told)
    return result


def test_a_picture_is_its_words_line_by_line_and_then_its_codes(perception, picture):
    (transcript,) = perceived(perception, picture).segments
    assert transcript.text == "100 grey\nbelow\n" and perception.sight.cells == 9
    assert transcript.codes.tolist() == [PICTURE, *[100] * 6] and transcript.places.tolist() == [0, *[len(transcript.text)] * 6]
    spot = transcript.place(4, 8)
    assert (spot.path, spot.region, spot.start) == (str(picture), (0.25, 0.0, 0.5, 0.25), None) and "grey" in spot.snippet
    assert transcript.place(0, 8).region == (0.0, 0.0, 0.5, 0.25)
    with pytest.raises(ValueError, match="wants 0 <= start"):
        transcript.place(4, 400)


def test_sound_is_cut_in_pauses_and_every_word_knows_its_time(perception, sound):
    (transcript,) = perceived(perception, sound).segments
    words = [f"w{n}" for n in range(31)]
    assert [word for word in transcript.text.split() if word.startswith("w")] == words
    assert (transcript.codes == SOUND).sum() >= 3 and (transcript.codes >= SIGHTS).sum() == 25 * 31
    for n in (0, 9, 10, 30):
        at = transcript.text.index(f"w{n}")
        spot = transcript.place(at, at + len(f"w{n}"))
        assert (spot.start, spot.end) == pytest.approx((n + 0.1, n + 0.7), abs=1e-3) and spot.region is None
    for line in transcript.text.split("\n")[0:-1:2]:
        assert len(line) == 5 and line[2] == ":"


def test_stretches_end_in_the_longest_pause_and_lose_nothing():
    words = tuple(Said(f"{n}", 0.5 * n + (2.0 if n >= 15 else 0.0), 0.5 * n + 0.45 + (2.0 if n >= 15 else 0.0)) for n in range(40))
    whole = [
        Heard(10.0 * k, 10.0 * k + 10, np.arange(250) + 250 * k, tuple(w for w in words if 10 * k <= w.start < 10 * k + 10))
        for k in range(3)
    ]
    parts = list(stretches(whole))
    assert parts[0].words[-1].text == "14" and parts[1].words[0].text == "15"  # the pause is at 7.5 to 9.5 seconds
    assert sum((part.words for part in parts), ()) == words
    assert np.concatenate([part.codes for part in parts]).tolist() == list(range(750))
    for before, after in pairwise(parts):
        assert before.end == after.start and all(word.start < before.end for word in before.words)
    assert parts[0].start == 0 and parts[-1].end == 30


def test_a_film_is_frames_with_their_times_and_sound_between_them(perception, tmp_path):
    path = film(tmp_path / "film.mp4", seconds=14)
    (transcript,) = perceived(perception, path).segments
    marks = transcript.codes[transcript.codes < 0]
    assert (marks == FRAME).sum() == 14 and (marks == SOUND).sum() == 2 and marks[0] in (FRAME, SOUND)
    times = [line for line in transcript.text.split("\n") if len(line) == 5 and line[2] == ":"]
    assert {f"00:{second:02}" for second in range(14)} <= set(times)
    second = [int(t[3:]) for t in times]
    assert second == sorted(second)
    at = transcript.text.index("00:05\n") + 6
    spot = transcript.place(at, at + 3)
    assert spot.start == spot.end == 5.0 and spot.region == (0.0, 0.0, 0.25, 0.25)


def film(path: Path, seconds: int) -> Path:
    """A film with sound whose grey grows by ten every second."""
    import av

    with av.open(str(path), "w") as out:
        pictures, sound = out.add_stream("mpeg4", rate=5), out.add_stream("aac", rate=RATE)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        for n in range(5 * seconds):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 10 * (n // 5), np.uint8), format="rgb24")
            out.mux(pictures.encode(frame))
        out.mux(pictures.encode())
        samples = np.zeros((1, RATE * seconds), np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.rate = RATE
        out.mux(sound.encode(frame))
        out.mux(sound.encode())
    return path


def test_a_file_that_is_gone_is_told_of_and_the_others_are_read(perception, picture, sound):
    documents = read([picture, sound], senses=Senses()).documents
    picture.unlink()
    told = []
    (left,) = perception.documents(documents, tell=told.append)
    assert left.path == str(sound) and [(problem.path, problem.severity) for problem in told] == [(str(picture), "error")]


def test_a_picture_seen_before_is_not_looked_at_again():
    class Counting(Eyes):
        looked = 0

        def see(self, pictures):
            self.looked += len(pictures)
            return super().see(pictures)

    eyes = Counting()
    sight = Remembered(eyes, most=3)
    pictures = [np.full((4, 4, 3), grey, np.uint8) for grey in (1, 2, 1, 3)]
    first, again = sight.see(pictures), sight.see(pictures)
    assert eyes.looked == 3 and [seen.codes[0, 0] for seen in first] == [1, 2, 1, 3] == [seen.codes[0, 0] for seen in again]
    sight.see([np.full((4, 4, 3), 9, np.uint8)])
    sight.see(pictures[:1])
    assert eyes.looked == 5  # the oldest was forgotten


def test_a_line_ends_where_nobody_speaks_for_long():
    writer = Writer("talk.wav")
    said = (Said("go", 0.2, 0.5), Said("on", 0.7, 0.9), Said("stop", 1.6, 2.0))
    write_heard(writer, Heard(0.0, 3.0, np.zeros(75, np.int32), said))
    transcript = writer.done()
    assert transcript.text == "00:00\ngo on\nstop\n"
    assert transcript.place(12, 16).start == pytest.approx(1.6)
