"""Who speaks in training: voices of three synthesizers, which must be installed to make sound and never to hear it.

    espeak-ng   eight English accents, each by several dozen variants (formants; some by a Klatt synthesizer)
    flite       four voices made of recordings
    pico        two voices made of recordings (pico2wave)

Whole variants, and one of flite's voices, are kept for testing: no accent of theirs is heard in training.

Axis letters: S samples, of which 16,000 are a second.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from pollux.base.errors import ConfigError, TrainingError
from pollux.media.senses import RATE
from pollux.media.source import library

# as files are called: by the names of languages espeak-ng 1.51 forgets the variant without a word
ACCENTS = tuple(
    f"gmw/{name}" for name in "en en-US en-GB-scotland en-GB-x-rp en-GB-x-gbclan en-GB-x-gbcwmd en-029 en-US-nyc".split()
)
VARIANTS = tuple(
    "m1 m2 m3 m4 m6 m7 m8 f1 f2 f3 f5 croak whisper klatt klatt2 klatt3 klatt5 adam Alex Andrea Annie anika antonio "
    "announcer aunty benjamin boris david Denis Diogo edward2 Gene grandma grandpa Henrique Hugo iven iven3 Jacky john "
    "kaukovalta Lee marcelo Marco max Michael michel miguel Mike norbert pablo pedro quincy rob robert sandro shelby steph "
    "steph3 Storm victor zac".split()
)
HELD_OUT = tuple("m5 f4 Andy Alicia belinda ed gustave klatt4 linda Mario Nguyen paul travis whisperf".split())
PROGRAMS = {"espeak": "espeak-ng", "flite": "flite", "pico": "pico2wave"}
_LIMIT = 30  # seconds that a synthesizer may take; it takes 0.05


@dataclass(frozen=True)
class Voice:
    """One voice: the synthesizer, and what that calls it."""

    engine: str
    name: str

    @property
    def speaker(self) -> str:
        """Whose voice it is: an accent changes what is said, not who says it."""
        return self.name.rpartition("+")[2]


_FLITE = tuple(Voice("flite", name) for name in ("rms", "slt", "kal16"))
_PICO = tuple(Voice("pico", name) for name in ("en-GB", "en-US"))
SEEN = (*(Voice("espeak", f"{accent}+{variant}") for variant in VARIANTS for accent in ACCENTS), *_FLITE, *_PICO)
UNSEEN = (*(Voice("espeak", f"{accent}+{variant}") for variant in HELD_OUT for accent in ACCENTS), Voice("flite", "awb"))
SPEAKERS = tuple(dict.fromkeys(voice.speaker for voice in SEEN))


def speak(voice: Voice, text: str, speed: float = 160.0, pitch: float = 0.5) -> np.ndarray:
    """What a voice says: float32 [S], -1 to 1.

    Args:
        speed: Words a minute, 120 to 220.
        pitch: From 0, low, to 1, high.

    Raises:
        ConfigError: The synthesizer is not installed.
        TrainingError: It fails, or gives no sound.
    """
    if shutil.which(PROGRAMS[voice.engine]) is None:
        raise ConfigError(
            f"{PROGRAMS[voice.engine]} is not installed", "install it; only training needs it (apt install espeak-ng flite)"
        )
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        file = Path(folder) / "said.wav"
        command = {"espeak": _espeak, "flite": _flite, "pico": _pico}[voice.engine](voice.name, text, speed, pitch, str(file))
        ended = subprocess.run(command, capture_output=True, timeout=_LIMIT)
        if ended.returncode or not file.exists():
            why = ended.stderr.decode(errors="replace").strip()[:200]
            raise TrainingError(f"{voice.engine} cannot say {text!r} as {voice.name}: {why}", "see whether the voice is installed")
        samples, rate = library("soundfile", "speech").read(file, dtype="float32")
    return samples if rate == RATE else library("soxr", "speech").resample(samples, rate, RATE)


def sounds(words: list[str]) -> list[str]:
    """How words are said, in espeak-ng's own signs and without stress: words that are said alike have the same."""
    command = [PROGRAMS["espeak"], "-q", "-x", "-v", "en-us"]
    said = subprocess.run(command, input="\n\n".join(f"{word}." for word in words), capture_output=True, text=True, check=True)
    lines = [line.strip().translate({ord(sign): None for sign in "',_ ;"}) for line in said.stdout.splitlines() if line.strip()]
    if len(lines) != len(words):
        raise TrainingError(f"espeak-ng was asked how {len(words)} words are said and told {len(lines)}", "use version 1.51")
    return lines


def _espeak(name: str, text: str, speed: float, pitch: float, file: str) -> list[str]:
    # a bracket or a dash at the beginning would be taken for a command
    return ["espeak-ng", "-v", name, "-s", f"{speed:.0f}", "-p", f"{20 + 60 * pitch:.0f}", "-w", file, "--", text]


def _flite(name: str, text: str, speed: float, pitch: float, file: str) -> list[str]:
    mean = {"slt": 170, "rms": 100, "kal16": 105, "awb": 125}[name] * 1.4 ** (2 * pitch - 1)
    settings = ["--setf", f"duration_stretch={160 / speed:.3f}", "--setf", f"int_f0_target_mean={mean:.1f}"]
    return ["flite", "-voice", name, *settings, "-t", text, "-o", file]


def _pico(name: str, text: str, speed: float, pitch: float, file: str) -> list[str]:
    said = f'<speed level="{100 * speed / 160:.0f}"><pitch level="{70 + 60 * pitch:.0f}">{text}</pitch></speed>'
    return ["pico2wave", "-l", name, "-w", file, said]


@cache
def _memory() -> str | None:
    """A folder in memory, where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
