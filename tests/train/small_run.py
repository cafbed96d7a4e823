"""A run small enough to be killed many times: ``python small_run.py FOLDER VOCABULARY TEXT SAVE_MINUTES``.

Exits 130 when it was interrupted.
"""

import sys
from dataclasses import replace
from pathlib import Path

from pollux.base.config import prepare_jax
from pollux.data.mixture import Mixture, Source
from pollux.model.sizes import family
from pollux.tasks.task import Example, Question
from pollux.train.loop import Run, Stage, train
from pollux.train.progress import Progress

STEPS = 120


class Days:
    """Which day was it? The context says."""

    def __len__(self):
        return 50

    def example(self, i):
        return Example(f"It rained on day {i}.", (Question("Which day?", str(i)),), ((0, "day.txt"),))

    def score(self, question, reply):
        return float(question.answer == reply)


def small_run(vocabulary, text, save_minutes=5.0, wrap=lambda mixture: mixture):
    """Two stages of one shape. ``wrap`` may spoil the mixture."""
    sources = Source("days", 1.0, Days()), Source("prose", 1.0, texts=[text])
    mixture = lambda length: wrap(Mixture(sources, vocabulary, seed=3))  # noqa: E731
    stages = Stage(STEPS // 2, 4, 32, mixture), Stage(STEPS - STEPS // 2, 4, 32, mixture)
    layers = tuple(replace(layer, shared=1) for layer in family()["tiny"].layers)
    return Run("small", replace(family()["tiny"], layers=layers), stages, seed=3, save_minutes=save_minutes, averaged=0.5)


def main(folder, vocabulary, text, save_minutes):
    prepare_jax()
    from pollux.tokens.vocabulary import Vocabulary

    run = small_run(Vocabulary.load(vocabulary), Path(text).read_text(), float(save_minutes))
    try:
        train(run, Path(folder), Progress(Path(folder), show=False))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(*sys.argv[1:])
