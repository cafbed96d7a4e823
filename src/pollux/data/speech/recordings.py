"""Recordings of people: spoken digits, and the prompts of a telephone exchange. Few, but real.

    digits    Free Spoken Digit Dataset (CC BY-SA 4.0), a tar file of DIGIT_SPEAKER_NUMBER.wav
    prompts   Asterisk's core sounds, spoken by Allison Smith (CC BY-SA 3.0): a folder of NAME.wav, and lines "NAME: text"

Axis letters: S samples, of which 16,000 are a second.
"""

from __future__ import annotations

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
_UNSAID = re.compile(r"[\[\]()*#/\d]|[A-Z]{2}|www")  # what the prompts' texts hold where it is not said as it is written


def digits(archive: Path) -> tuple[list[Utterance], list[Utterance]]:
    """Digits to train with, and those held out: numbers 0 to 4 of each speaker and digit.

    Raises:
        ConfigError: There is no such file.
    """
    if not archive.is_file():
        raise ConfigError(f"there is no file {archive}", "name a tar file of recordings like 7_lucas_23.wav")
    parts: tuple[list[Utterance], list[Utterance]] = ([], [])
    with tarfile.open(archive) as file:
        for entry in sorted((i for i in file if i.name.endswith(".wav")), key=lambda i: i.name):
            digit, who, number = Path(entry.name).stem.split("_")
            said = _recorded(file.extractfile(entry).read(), DIGITS[int(digit)], who)
            parts[int(number) < HELD_OUT].append(said)
    return parts


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
    return Utterance(samples, text, WHO.index(who), pitch(samples))
