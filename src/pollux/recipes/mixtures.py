"""What the models learn from, as weights over tasks and texts: shared by the recipes, since only lengths and steps differ."""

from __future__ import annotations

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
from pollux.tokens.vocabulary import Vocabulary

# Characters per token of running text, a little low so that most examples fit the row they are made for.
_CHARACTERS = 3.0
# Tokens that a question and its answer take.
_QUESTION = 28


# How often each source is drawn.
WEIGHTS = {
    "facts": 2.5, "mixed facts": 3, "sparse facts": 1.5, "listed facts": 0.7, "facts in code": 0.4, "definitions": 0.5,
    "reading": 0.8, "cloze": 0.3, "prose": 0.5, "code": 0.15,
    "two steps": 1, "needles": 0.8, "ruler": 1.6, "stories": 0.7, "coreference": 0.5,
}  # fmt: skip
# The share of positions that carry loss, and of the facts that could be asked for how many are at least.
SCORED, ASKED = 0.125, 0.5


def long_mixture(corpus: Corpus, vocabulary: Vocabulary, seed: int):
    """The recall mixture with, for a third of it, what long contexts are measured by: facts that refer to facts, and the published
    tasks, in rows that are long enough for them."""

    @cache
    def make(length: int) -> Mixture:
        recall = recall_mixture(corpus, vocabulary, seed)(length)
        added = _published(corpus, vocabulary, length, seed)
        sources = tuple(Source(name, WEIGHTS[name], task=task) for name, task in added.items())
        return replace(recall, sources=recall.sources + sources)

    return make


def _published(corpus: Corpus, vocabulary: Vocabulary, length: int, seed: int) -> dict[str, Task]:
    """Name -> task, for rows of ``length`` tokens. Contexts are of two or three lengths, since several short ones share a row."""
    count = lambda text: vocabulary.encode(text).size  # noqa: E731
    room = length - 96  # beside a question, its answer and the file's name
    asked = max(2, min(40, length // 64))
    needles = partial(Needle, corpus.prose, count=count, training=True, seed=seed)
    each = partial(needles, separate=True)
    words = int((length - asked * 3 * _QUESTION // 2) * _CHARACTERS)
    linked = partial(TwoStep, corpus.prose, borrowed=0.75, seed=seed, facts=(2, 2 * asked), links=(max(2, asked // 2), asked))
    found: dict[str, Task] = {
        "two steps": linked(characters=(min(400, words), words)),
        "needles": Variety([
            each(room - 64 * min(asked, 8), needles=min(asked, 8)), each(room // 2, needles=min(asked, 6)),
            needles(room, variant="lwm"), needles(room, variant="kamradt"),
            needles(room - 8 * asked, needles=asked, asked=asked // 2), needles(room - 8 * asked, needles=asked, asked=asked),
            needles(room - 64, needles=asked, asked=1, variant="lwm"),
        ]),
    }  # fmt: skip
    if length >= 512:
        sizes = (length + 64, (length + 640) // 2)
        rulers = [ruler(name, corpus.prose, size, count, seed) for name in RULER for size in sizes]
        found["ruler"] = Variety([*rulers, KeyValue(room, count, seed=seed)])
        stories = partial(Babilong, corpus.prose, count=count, seed=seed)
        found["stories"] = Variety([
            stories(size, task=task, shots=size == room and length >= 1024) for task in STORIES for size in (0, room // 2, room)
        ])
    if length >= 1024:
        chats = partial(Mrcr, corpus.prose, count=count, seed=seed, form="gemini")
        found["coreference"] = Variety([chats(length // 2, shots=0), chats(length - 256, shots=0)])
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
