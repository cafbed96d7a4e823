"""Recordings of people: spoken digits, and the prompts of a telephone exchange. Few, but real.

    digits      Free Spoken Digit Dataset (CC BY-SA 4.0), DIGIT_SPEAKER_NUMBER.wav in a folder or a tar file
    prompts     Asterisk's core sounds, spoken by Allison Smith (CC BY-SA 3.0): a folder of NAME.wav, and lines "NAME: text"
    sentences   LJ Speech (public domain), to measure with: a folder of NAME.flac or .wav, and metadata.csv with "NAME|text|text"

Axis letters: S samples, of which 16,000 are a second.
"""

from __future__ import annotations

import glob
import gzip
import re
import tarfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np

from pollux.base.errors import ConfigError
from pollux.data.speech.shelf import LONGEST, WHO, Utterance, levelled, pitch
from pollux.data.speech.texts import DIGITS, plain
from pollux.media.senses import RATE
from pollux.media.source import library

HELD_OUT = 5  # of each speaker and digit
_DIGIT = re.compile(r"(\d)_([a-z]+)_(\d+)\.wav")
_UNSAID = re.compile(r"[\[\]()*#/\d]|[A-Z]{2}|www")  # what the prompts' texts hold where it is not said as it is written


def digits(place: Path) -> tuple[list[Utterance], list[Utterance]]:
    """Digits to train with, and those held out: numbers 0 to 4 of each speaker and digit.

    Args:
        place: A folder, or a tar file.

    Raises:
        ConfigError: There are none.
    """
    parts: tuple[list[Utterance], list[Utterance]] = ([], [])
    for name, data in sorted(_files(place)):
        if (found := _DIGIT.fullmatch(name)) is not None:
            digit, who, number = found.groups()
            parts[int(number) < HELD_OUT].append(_recorded(data, DIGITS[int(digit)], who))
    if not any(parts):
        raise ConfigError(f"there are no spoken digits in {place}", "name a folder or a tar file of recordings like 7_lucas_23.wav")
    return parts


def _files(place: Path) -> Iterator[tuple[str, bytes]]:
    """The WAV files of a folder and those below it, or of a tar file: names and bytes."""
    if place.is_file() and tarfile.is_tarfile(place):
        with tarfile.open(place) as file:
            for entry in file:
                if entry.isfile() and entry.name.endswith(".wav"):
                    yield Path(entry.name).name, file.extractfile(entry).read()
        return
    for path in place.rglob("*.wav"):
        yield path.name, path.read_bytes()


def sentences(folder: Path) -> Iterator[Utterance]:
    """Sentences with their texts, the last column of which is written as it is said.

    Raises:
        ConfigError: There are none.
    """
    table = folder / "metadata.csv"
    rows = [line.split("|") for line in table.read_text().splitlines()] if table.is_file() else []
    found = [(path, row[-1]) for row in rows for path in sorted(folder.rglob(f"{glob.escape(row[0])}.*"))]
    if not found:
        raise ConfigError(f"there are no sentences in {folder}", 'name a folder with metadata.csv ("NAME|text|text") and NAME.flac')
    for path, text in found:
        yield _recorded(path.read_bytes(), plain(text), "")


def prompts(folder: Path, texts: Path) -> Iterator[Utterance]:
    """Prompts whose text is all said, and that are short enough; ``texts`` may be gzipped.

    Raises:
        ConfigError: There is no such folder, or no such file.
    """
    if not folder.is_dir() or not texts.is_file():
        raise ConfigError(f"there is no folder {folder}, or no file {texts}", "see the package asterisk-core-sounds-en-wav")
    with gzip.open(texts, "rt") if texts.suffix == ".gz" else texts.open() as lines:
        for name, _, text in (line.partition(": ") for line in lines):
            file = folder / f"{name.strip()}.wav"
            if file.is_file() and len(plain(text)) > 1 and not _UNSAID.search(text):
                said = _recorded(file.read_bytes(), plain(text), "allison")
                if said.samples.size <= LONGEST * RATE:
                    yield said


def _recorded(data: bytes, text: str, who: str) -> Utterance:
    samples, rate = library("soundfile", "speech").read(BytesIO(data), dtype="float32")
    samples = levelled(np.asarray(library("soxr", "speech").resample(samples, rate, RATE)))
    return Utterance(samples, text, WHO.index(who) if who in WHO else -1, pitch(samples))
