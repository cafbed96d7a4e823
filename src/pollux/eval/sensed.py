"""Tasks about what is seen and heard, by name: real files, which the model looks at and listens to.

Films and pictures are made of the footage that the user names, speech by synthesizers in voices kept from training, which must be
installed (espeak-ng, flite).

Axis letters: S samples, of which 16,000 are a second.
"""

from __future__ import annotations

from functools import cache
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np

from pollux.data.scenes.labelled import Labelled, photographs
from pollux.data.speech.recordings import digits, sentences
from pollux.data.speech.shelf import Utterance, trimmed
from pollux.data.speech.texts import Texts, gather
from pollux.data.speech.voices import UNSEEN, speak
from pollux.eval import hearing
from pollux.eval.family import Family, Wanted
from pollux.tasks.sensed.films.footage import footage
from pollux.tasks.sensed.films.mixed_needle import MixedNeedle
from pollux.tasks.sensed.films.video_needle import VideoNeedle
from pollux.tasks.sensed.pictures import reading
from pollux.tasks.sensed.pictures.classes import ImageClasses
from pollux.tasks.sensed.pictures.counting import ImageCount
from pollux.tasks.sensed.pictures.needle import ImageNeedle
from pollux.tasks.sensed.pictures.page import ImagePage
from pollux.tasks.sensed.pictures.reading import ImageText
from pollux.tasks.sensed.sounds import spoken
from pollux.tasks.sensed.sounds.audio_needle import AudioNeedle
from pollux.tasks.sensed.sounds.said_when import SaidWhen
from pollux.tasks.sensed.sounds.spoken import Spoken
from pollux.tasks.task import Task

_NOVELS = 20  # that what is said is taken from
_SPOKEN = 150  # utterances that long recordings repeat: six minutes, made in half of one
_SIDE = 64  # pixels to which small photographs are enlarged, as those are that codes are learned from


def _say(text: str, rng: Random) -> np.ndarray:
    """A text said by a voice that is not trained on: float32 [S]."""
    return trimmed(speak(rng.choice(UNSEEN), text, rng.uniform(120, 220), rng.random()))


def _texts(w: Wanted) -> Texts:
    return _gathered(tuple(w.corpus.prose))


@cache
def _gathered(prose: tuple[str, ...]) -> Texts:
    return gather(islice(prose, _NOVELS))


@cache
def _phrases(prose: tuple[str, ...], count: int, seed: int) -> list[Utterance]:
    texts = _gathered(prose)
    return hearing.phrases(texts, min(count, len(texts.phrases)), seed)


def _audio_needle(variant: str, w: Wanted) -> Task:
    return AudioNeedle([one.samples for one in _phrases(tuple(w.corpus.prose), _SPOKEN, w.seed)], w.tokens, _say, w.shares, w.seed)


def _spoken(variant: str, w: Wanted) -> Task:
    return Spoken(hearing.words(_texts(w), w.seed) if variant == "words" else _phrases(tuple(w.corpus.prose), 500, w.seed), w.seed)


def _recorded(variant: str, w: Wanted) -> Task:
    found = digits(w.folders[0])[1] if variant == "digits" else list(sentences(w.folders[0]))
    return Spoken(found, w.seed)


def _said_when(variant: str, w: Wanted) -> Task:
    return SaidWhen(_phrases(tuple(w.corpus.prose), max(_SPOKEN, w.tokens), w.seed), w.tokens, seed=w.seed)


def _video_needle(variant: str, w: Wanted) -> Task:
    return VideoNeedle(footage(w.folders), w.tokens, w.shares, when=variant == "when", seed=w.seed)


def _image_classes(variant: str, w: Wanted) -> Task:
    train, test = (_pairs(photographs(Path(w.folders[0]) / part)) for part in ("train", "test"))
    return ImageClasses(train, test, _SIDE, int(variant), seed=w.seed)


def _pairs(data: Labelled) -> list[tuple[np.ndarray, str]]:
    return [(pixels, data.names[number]) for pixels, number in zip(data.pictures, data.classes, strict=True)]


_HEARD = (("word errors", spoken.word_errors), ("character errors", spoken.character_errors))
_READ = (("word errors", reading.word_errors), ("character errors", reading.character_errors))
SENSED = {
    "video_needle": Family(_video_needle, ("secret", "when"), reads="files", unit="seconds", exact=True),
    "mixed_needle": Family(
        lambda v, w: MixedNeedle(footage(w.folders), w.tokens, _say, seed=w.seed), reads="files", unit="seconds"
    ),
    "audio_needle": Family(_audio_needle, unit="seconds", exact=True),
    "said_when": Family(_said_when, unit="seconds"),
    "spoken": Family(_spoken, ("words", "phrases"), own_length=True, exact=True, extra=_HEARD),
    "recorded": Family(_recorded, ("digits", "sentences"), reads="files", own_length=True, exact=True, extra=_HEARD),
    "image_needle": Family(
        lambda v, w: ImageNeedle(footage(w.folders), w.tokens, w.shares, seed=w.seed), reads="files", unit="pictures", exact=True
    ),
    "image_text": Family(
        lambda v, w: ImageText(footage(w.folders), w.corpus.prose, seed=w.seed), reads="files", own_length=True, exact=True,
        extra=_READ,
    ),
    "image_page": Family(lambda v, w: ImagePage(w.corpus.prose, w.shares, seed=w.seed), own_length=True),
    "image_count": Family(
        lambda v, w: ImageCount(footage(w.folders), seed=w.seed), reads="files", own_length=True, exact=True
    ),
    "image_classes": Family(_image_classes, ("1", "4", "16"), reads="files", own_length=True, exact=True),
}  # fmt: skip
