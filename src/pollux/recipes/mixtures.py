"""What the models learn from, as weights over tasks and texts: shared by the recipes, since only lengths and steps differ."""

from __future__ import annotations

from functools import cache

from pollux.data.mixture import Mixture, Source
from pollux.data.source import Corpus
from pollux.tasks.cloze import Cloze
from pollux.tasks.definitions import Definitions
from pollux.tasks.reading import Reading
from pollux.tasks.recall import Recall
from pollux.tokens.vocabulary import Vocabulary

# Characters per token of running text, a little low so that most examples fit the row they are made for.
_CHARACTERS = 3.0
# Tokens that a question and its answer take.
_QUESTION = 28


def recall_mixture(corpus: Corpus, vocabulary: Vocabulary, seed: int, scored: float = 0.25):
    """A function from row length (tokens) to the mixture for it: mostly facts in running text, with many questions each (with one
    question per row nothing is learned for millions of tokens), then cloze, code, reading and plain text."""
    reading = Reading(corpus.pairs, seed=seed) if corpus.pairs else None
    code = [source for _, source in corpus.code]

    @cache
    def make(length: int) -> Mixture:
        asked = max(3, min(24, length // 50))
        longest = int((length - asked * _QUESTION) * _CHARACTERS)
        facts = {"seed": seed, "questions": (min(2, asked), asked)}
        sources = [
            Source("facts", 4, Recall(corpus.prose, characters=(250, longest), share=(0.15, 0.7), **facts)),
            Source("sparse facts", 2, Recall(corpus.prose, characters=(longest // 2, longest), share=(0.02, 0.2), **facts)),
            Source("listed facts", 0.7, Recall(corpus.prose, characters=(200, longest * 2 // 3), share=(1, 1), **facts)),
            Source("cloze", 0.5, Cloze(corpus.prose, seed=seed)),
            Source("prose", 1.0, texts=corpus.prose),
        ]
        if reading is not None and len(reading):
            sources.append(Source("reading", 1.5, reading))
        if code:
            size = {"characters": (min(500, longest), longest), "seed": seed}
            sources.append(Source("facts in code", 0.3, Recall(code, characters=(300, longest), share=(0.15, 0.5), **facts)))
            sources.append(Source("definitions", 0.8, Definitions(corpus.code, questions=(1, max(2, min(10, length // 100))), **size)))
            sources.append(Source("code", 0.4, texts=code))
        return Mixture(tuple(sources), vocabulary, seed, scored)

    return make


def text_mixture(corpus: Corpus, vocabulary: Vocabulary, seed: int):
    """Running text alone, every position scored: for comparing models by bits per byte."""
    return cache(lambda length: Mixture((Source("prose", 1.0, texts=corpus.prose),), vocabulary, seed, 1.0))
