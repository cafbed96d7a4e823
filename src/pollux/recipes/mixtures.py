"""What the models learn from, as weights over tasks and texts: shared by the recipes, since only lengths and steps differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

from pollux.data.mixture import Mixture, Source
from pollux.data.source import Corpus
from pollux.tasks.cloze import Cloze
from pollux.tasks.definitions import Definitions
from pollux.tasks.published.babi import TASKS as STORIES
from pollux.tasks.published.babilong import Babilong
from pollux.tasks.published.key_value import KeyValue
from pollux.tasks.published.mrcr import Mrcr
from pollux.tasks.published.needle import Needle
from pollux.tasks.published.ruler import NAMES as RULER
from pollux.tasks.published.ruler import ruler
from pollux.tasks.reading import Reading
from pollux.tasks.recall import Recall
from pollux.tasks.task import Task
from pollux.tasks.two_step import TwoStep
from pollux.tasks.variety import Variety
from pollux.tasks.watched import Watched
from pollux.tokens.vocabulary import Vocabulary

# Characters per token of running text, a little low so that most examples fit the row they are made for.
_CHARACTERS = 3.0
# Tokens that a question and its answer take.
_QUESTION = 28


# How often each source is drawn.
WEIGHTS = {
    "facts": 1.6, "mixed facts": 2, "sparse facts": 2, "listed facts": 0.5, "facts in code": 0.4, "definitions": 0.4,
    "reading": 0.8, "cloze": 0.2, "prose": 0.5, "code": 0.15,
    "two steps": 5, "needles": 6, "ruler": 2, "stories": 2.5, "coreference": 3, "films": 2.5,
}  # fmt: skip
# RULER's tasks that leave no more of their length than the reply takes.
_TIGHT = ("vt", "fwe")
# The share of positions that carry loss, and of the facts that could be asked for how many are at least.
SCORED, ASKED = 0.125, 0.5


def full_mixture(corpus: Corpus, vocabulary: Vocabulary, seed: int):
    """The long mixture, and films, sound and pictures as the senses tell of them, for models that know their codes."""
    long, count = long_mixture(corpus, vocabulary, seed), lambda text: vocabulary.encode(text).size

    @cache
    def make(length: int) -> Mixture:
        mixture, films = long(length), Watched(corpus.prose, length, count, seed)
        return replace(mixture, sources=(*mixture.sources, Source("films", WEIGHTS["films"], films)))

    return make


def long_mixture(corpus: Corpus, vocabulary: Vocabulary, seed: int):
    """The recall mixture, with what long contexts are measured by besides: facts that refer to facts, and the published tasks."""
    recall = recall_mixture(corpus, vocabulary, seed)

    @cache
    def make(length: int) -> Mixture:
        mixture = recall(length)
        return replace(mixture, sources=(*mixture.sources, *_published(corpus, vocabulary, length, seed)))

    return make


def _published(corpus: Corpus, vocabulary: Vocabulary, length: int, seed: int) -> list[Source]:
    """Facts that refer to facts, and published tasks in contexts as long as a row of ``length`` tokens and as half of one, where
    these have room for them."""
    asked = max(2, min(40, length // 64))
    words = int((length - asked * 3 * _QUESTION // 2) * _CHARACTERS)
    counts = {"facts": (2, 2 * asked), "links": (max(1, asked // 4), asked // 2), "direct": (max(1, asked // 4), asked // 2)}
    linked = TwoStep(corpus.prose, characters=(min(400, words), words), borrowed=0.75, seed=seed, **counts)
    sources = [Source("two steps", WEIGHTS["two steps"], linked)]
    for size in (length // 2, length):
        tasks = _published_at(corpus, lambda text: vocabulary.encode(text).size, size, seed)
        sources += [Source(name, WEIGHTS[name] / 2, Variety(tasks[name]), size=size) for name in tasks]
    return sources


def _published_at(corpus: Corpus, count: Callable[[str], int], size: int, seed: int) -> dict[str, list[Task]]:
    """Published tasks whose examples, question and answer included, take at most ``size`` tokens, or now and then a few more."""
    found: dict[str, list[Task]] = {}
    room, several = size - 80, min(30, size // 64)  # a file's name, a question and its answer
    most = (size - 150) // 42  # needles that take up most of the room
    needles = partial(Needle, corpus.prose, count=count, training=True, seed=seed)
    if size >= 512:
        many, each = room - 12 * several, room - 70 * min(several // 2, 8)
        found["needles"] = [
            needles(room - 20), needles(room + 160, variant="lwm"), needles(room + 160, needles=several, variant="lwm"),
            needles(each, needles=min(several // 2, 8), separate=True),
            needles(many, needles=several, asked=several // 2), needles(many - 10 * several, needles=several, asked=several),
            needles(many - 10 * several + 160, needles=several, asked=several, variant="lwm"),
            *(needles(room - 22 * n, needles=n, asked=n) for n in (most // 3, most // 2, most, most)),
            *(needles(room - 22 * n + 200, needles=n, asked=n, variant="lwm") for n in (most // 3, most // 2, most, most)),
        ]  # fmt: skip
        found["stories"] = [Babilong((), 0, count, task, shots=False, others=True, seed=seed) for task in STORIES]
        names = [name for name in RULER if size >= 1024 or name not in ("vt", "cwe")]
        found["ruler"] = [ruler(name, corpus.prose, size - (48 if name in _TIGHT else 0), count, seed) for name in names]
        found["ruler"].append(KeyValue(room - 40, count, seed=seed))
    if size >= 1024:
        found["stories"] = [Babilong(corpus.prose, room - 80, count, task, others=True, seed=seed) for task in STORIES]
        chats = partial(Mrcr, corpus.prose, count=count, form="gemini", shots=0, seed=seed)
        found["coreference"] = [chats(size - 40 - 130 * n, asked=n) for n in (1, max(1, size // 700), max(1, size // 500))]
    return found


def recall_mixture(corpus: Corpus, vocabulary: Vocabulary, seed: int):
    """A function from row length (tokens) to the mixture for it: mostly facts in running text, with many questions each (with one
    question per row nothing is learned for millions of tokens), then cloze, code, reading and plain text."""

    reading = Reading(corpus.pairs, seed=seed) if corpus.pairs else None

    @cache
    def make(length: int) -> Mixture:
        found = _sources(corpus, reading, length, seed)
        sources = (Source(name, WEIGHTS[name], **kind) for name, kind in found.items())
        return Mixture(tuple(sources), vocabulary, seed, SCORED)

    return make


def _sources(corpus: Corpus, reading: Reading | None, length: int, seed: int) -> dict[str, dict]:
    """What the corpus allows: name -> a task, or texts, for rows of ``length`` tokens."""
    most = max(3, min(40, length // 50))
    longest = int((length - most * _QUESTION) * _CHARACTERS)
    shared = {"seed": seed, "borrowed": 0.75, "questions": (max(2, int(most * ASKED)), most)}
    facts = partial(Recall, corpus.prose, **shared)
    few = partial(facts, pool=(1, 6), improvised=0.2)
    sources = {
        "facts": {"task": few(characters=(250, longest), share=(0.15, 0.7))},
        "mixed facts": {"task": facts(characters=(250, longest), share=(0.15, 0.7))},
        "sparse facts": {"task": facts(characters=(longest // 2, longest), share=(0.02, 0.2))},
        "listed facts": {"task": facts(characters=(200, longest * 2 // 3), share=(1, 1))},
        "cloze": {"task": Cloze(corpus.prose, seed=seed)},
        "prose": {"texts": corpus.prose},
    }
    if reading is not None and len(reading):
        sources["reading"] = {"task": reading}
    if corpus.code:
        code = [source for _, source in corpus.code]
        size = {"characters": (min(500, longest), longest), "questions": (1, max(2, min(10, length // 100)))}
        sources["facts in code"] = {"task": Recall(code, characters=(300, longest), share=(0.15, 0.5), **shared)}
        sources["definitions"] = {"task": Definitions(corpus.code, seed=seed, **size)}
        sources["code"] = {"texts": code}
    return sources


def text_mixture(corpus: Corpus, vocabulary: Vocabulary, seed: int):
    """Running text alone, every position scored: for comparing models by bits per byte."""
    return cache(lambda length: Mixture((Source("prose", 1.0, texts=corpus.prose),), vocabulary, seed, 1.0))
