"""Training sound: texts, voices, shelves of utterances, and clips that are the same for the same number."""

import gzip
import io
import shutil
import tarfile

import numpy as np
import pytest

from pollux.base.errors import ConfigError, TrainingError
from pollux.data.speech import clips, effects, recordings, shelf, texts, voices
from pollux.data.speech.clips import Clips, symbols
from pollux.data.speech.shelf import Shelf, Utterance
from pollux.media.senses import RATE

soundfile = pytest.importorskip("soundfile")
spoken = pytest.mark.skipif(not all(map(shutil.which, voices.PROGRAMS.values())), reason="the synthesizers are not installed")

NOVEL = """It was the best of times, it was the worst of times.
“I don't know,” said Mr. Lorry. THE END.
Too many to tell! The two of them."""


def tone(seconds, hertz=120.0):
    """A buzz, as of a voice."""
    time = np.arange(int(seconds * RATE)) / RATE
    return sum(0.1 * np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 8)).astype(np.float32)


def buzzes(count=6):
    rng = np.random.default_rng(1)
    return [Utterance(tone(rng.uniform(0.4, 2)), "one two", i % 3, 120.0) for i in range(count)]


@pytest.fixture
def mute(monkeypatch):
    """No synthesizer: words sound as they are written, but for "to" and "too"."""
    monkeypatch.setattr(texts, "sounds", lambda words: ["two" if word in ("to", "too") else word for word in words])


# texts


@pytest.mark.parametrize(
    "number, said",
    [(0, "zero"), (13, "thirteen"), (40, "forty"), (97, "ninety seven"), (100, "one hundred"), (2005, "two thousand five")],
)
def test_numbers_are_spelled(number, said):
    assert texts.spelled(number) == said


def test_long_numbers_are_spelled_digit_by_digit():
    assert texts.spelled(1_234_567) == "one two three four five six seven"


def test_plain_text_is_letters_apostrophes_and_single_spaces():
    assert texts.plain("  “Don’t,”  she said — 21 times!") == "don't she said twenty one times"


def test_words_and_phrases_of_novels(mute):
    found = texts.gather([NOVEL, NOVEL])
    assert "mr" not in found.words and found.words[0] in ("it", "of", "the")
    whole = "It was the best of times, it was the worst of times"
    assert (whole, whole.lower().replace(",", "")) in found.phrases
    assert "it was the worst of times" in [
        said.plain for said in texts.gather([NOVEL.replace("It was", "It really was " * 3)]).phrases
    ]
    assert not [said for said in found.phrases if "END" in said.written or '"' in said.written]
    assert found.same == {"to": "two", "too": "two"} and "to" not in found.alone and "two" in found.alone


def test_texts_that_are_drawn_are_heard_as_they_are_plain(mute):
    found, rng = texts.gather([NOVEL]), np.random.default_rng(0)
    for _ in range(200):
        said = texts.draw(found, rng)
        assert texts.plain(said.written) == said.plain and said.plain


# voices


def test_unseen_voices_are_nobody_seen():
    assert not {voice.speaker for voice in voices.UNSEEN} & {voice.speaker for voice in voices.SEEN}
    assert len(set(shelf.WHO)) == len(shelf.WHO)


def test_a_synthesizer_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(voices.shutil, "which", lambda _: None)
    with pytest.raises(ConfigError, match="espeak-ng is not installed"):
        voices.speak(voices.SEEN[0], "hello")


@spoken
@pytest.mark.parametrize("voice", [voices.SEEN[0], *voices.SEEN[-5:], *voices.UNSEEN[:1]], ids=lambda v: f"{v.engine}-{v.speaker}")
def test_voices_speak(voice):
    slow, fast = (voices.speak(voice, "-- what is said", speed) for speed in (120, 220))
    assert 0.5 * RATE < fast.size < slow.size < 4 * RATE and np.abs(slow).max() > 0.05


@spoken
def test_variants_differ():
    """espeak-ng forgets a variant that follows a language's name in lower case."""
    one, other = (voices.speak(voices.Voice("espeak", f"{voices.ACCENTS[1]}+{name}"), "hello") for name in ("f1", "croak"))
    assert one.shape != other.shape or not np.allclose(one, other)


@spoken
def test_an_unknown_voice_is_an_error():
    with pytest.raises(TrainingError, match="cannot say 'hello' as nobody"):
        voices.speak(voices.Voice("espeak", "nobody"), "hello")


@spoken
def test_words_that_sound_alike():
    assert len(set(voices.sounds(["to", "two", "too"]))) == 1 and len(set(voices.sounds(["read", "rode"]))) == 2


@spoken
def test_a_shelf_is_made_once_and_read(tmp_path, mute, monkeypatch):
    monkeypatch.setattr(shelf, "SHARD", 3)
    found = texts.gather([NOVEL])
    made = shelf.make(tmp_path, found, 1, seed=0)
    assert len(made) == 3 and all(one.samples.size > 0.1 * RATE and one.speaker >= 0 and one.text for one in made)
    again = shelf.make(tmp_path, None, 1, seed=0)
    assert [one.text for one in again] == [one.text for one in made] == [shelf.utter(found, 0, i).text for i in range(3)]


# shelves


def test_what_is_kept_is_read(tmp_path):
    long = Utterance(tone(shelf.LONGEST + 1), "too long", 0, 0.0)
    shelf.keep(tmp_path / "kept-a", [*buzzes(2), long])
    found = Shelf(tmp_path, "kept-*")
    assert [(one.text, one.speaker, one.pitch) for one in found] == [(one.text, one.speaker, one.pitch) for one in buzzes(2)]
    np.testing.assert_allclose(found[1].samples, buzzes(2)[1].samples, atol=1e-4)


@pytest.mark.parametrize("hertz", [80.0, 120.0, 210.0, 333.0])
def test_pitch(hertz):
    assert abs(shelf.pitch(tone(1.0, hertz)) / hertz - 1) < 0.03


def test_noise_has_no_pitch():
    assert shelf.pitch(np.random.default_rng(0).normal(size=RATE).astype(np.float32)) == 0


def test_silence_at_the_ends_is_cut_off():
    padded = np.pad(tone(0.5), (RATE, RATE))
    assert 0.5 * RATE <= shelf.trimmed(padded).size <= 0.6 * RATE + 1
    assert shelf.trimmed(np.zeros(RATE, np.float32)).size == 0


# recordings


def wav(samples, rate=8000):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV")
    return file.getvalue()


def test_recorded_digits(tmp_path):
    with tarfile.open(tmp_path / "digits.tar", "w") as file:
        for number in range(7):
            data = wav(tone(0.4)[::2])
            entry = tarfile.TarInfo(f"train/7_lucas_{number}.wav")
            entry.size = len(data)
            file.addfile(entry, io.BytesIO(data))
    train, held = recordings.digits(tmp_path / "digits.tar")
    assert (len(train), len(held)) == (2, 5)
    assert {(one.text, shelf.WHO[one.speaker]) for one in train + held} == {("seven", "lucas")}
    assert train[0].samples.dtype == np.float32 and train[0].samples.size == int(0.4 * RATE)


def test_recorded_prompts(tmp_path):
    for name in ("hello", "number", "long"):
        (tmp_path / f"{name}.wav").write_bytes(wav(tone(0.5)))
    lines = "; a comment\nhello: Hello, you.\nnumber: Press 1.\nlong: IP\nmissing: Not there.\n"
    (tmp_path / "texts.txt.gz").write_bytes(gzip.compress(lines.encode()))
    found = list(recordings.prompts(tmp_path, tmp_path / "texts.txt.gz"))
    assert [(one.text, shelf.WHO[one.speaker]) for one in found] == [("hello you", "allison")]


def test_digits_of_a_folder_and_sentences_of_a_table(tmp_path):
    for name in ("7_lucas_3", "7_lucas_9", "notes", "LJ1"):
        (tmp_path / f"{name}.wav").write_bytes(wav(tone(0.5)))
    training, held_out = recordings.digits(tmp_path)
    assert [one.text for one in training] == ["seven"] == [one.text for one in held_out]
    (tmp_path / "metadata.csv").write_text("LJ1|Mr. 2|Mister two.\nLJ2|lost|lost\n")
    assert [(one.text, one.speaker) for one in recordings.sentences(tmp_path)] == [("mister two", -1)]


def test_recordings_that_are_not_there(tmp_path):
    with pytest.raises(ConfigError, match="no spoken digits"):
        recordings.digits(tmp_path / "none.tar")
    with pytest.raises(ConfigError, match="no sentences"):
        next(recordings.sentences(tmp_path))
    with pytest.raises(ConfigError, match="there is no folder"):
        next(recordings.prompts(tmp_path / "none", tmp_path / "none.txt"))


# clips


@pytest.fixture(scope="module")
def maker():
    return Clips([(buzzes(4), 0.5), (buzzes(6), 0.5)], seed=5)


def test_the_same_number_is_the_same_batch(maker):
    first, again, other = maker.batch(3, 2), maker.batch(3, 2), maker.batch(4, 2)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.mel, other.mel)


def test_a_batch_is_ten_seconds_each(maker):
    batch = maker.batch(0, 2)
    assert [(x.shape, x.dtype) for x in batch] == [
        ((2, 1000, 80), np.float32), ((2, clips.MOST_LETTERS), np.int32), ((2, 250), np.int32), ((2, 250), np.float32),
    ]  # fmt: skip
    assert np.isfinite(batch.mel).all()


def test_a_track_holds_whole_utterances_and_says_who_speaks(maker):
    tracks = [maker.track(np.random.default_rng(i)) for i in range(40)]
    assert any(not track.text for track in tracks) and max(len(track.text) for track in tracks) > 16
    for track in tracks:
        assert track.text == "one two " * (len(track.text) // 8)
        loud = np.abs(track.samples).reshape(250, -1).max(1) > 0
        np.testing.assert_array_equal(track.pitch > 0, track.speaker >= 0)
        assert (loud != (track.speaker >= 0)).mean() < 0.1  # but for moments that an utterance only touches
        assert not track.pitch.any() or 107 < track.pitch[track.pitch > 0].min() <= track.pitch.max() < 134


def test_symbols_are_counted_from_one():
    assert symbols(" 'az") == [1, 2, 3, 28]


def test_effects_keep_length_and_stay_finite():
    rng, said = np.random.default_rng(0), tone(1.0)
    for _ in range(20):
        heard = effects.passed(said, rng)
        assert heard.shape == said.shape and heard.dtype == np.float32 and np.isfinite(heard).all() and heard.any()
        assert 0.88 < effects.played(said, rng).size / said.size < 1.12
        assert abs(np.sqrt(np.mean(effects.noise(5000, rng) ** 2)) - 1) < 1e-3


def test_masks_change_some_of_half_of_all_clips():
    mel = np.random.default_rng(0).normal(size=(1000, 80)).astype(np.float32)
    changed = [(clips.masked(mel, np.random.default_rng(i)) != mel).mean() for i in range(60)]
    assert 0.3 < np.mean(np.array(changed) > 0) < 0.7 and max(changed) < 0.35
