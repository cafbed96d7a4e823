"""Are answers the same when signs choose which keys are scored? (`kernels.signs`)

    python benchmarks/signs.py --data novels/ --tokens 128k --n 100

Facts hidden in the texts are asked for twice, with the shortlist and with every key scored: how many answers are the same, how many
right, and how long a batch of questions takes.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path

import jax

import pollux
from pollux.commands.info import length
from pollux.data.source import load
from pollux.engine import runner
from pollux.engine.engine import Engine
from pollux.engine.request import Sampling
from pollux.eval.family import Wanted
from pollux.eval.suite import tasks
from pollux.kernels import retrieval
from pollux.tokens.template import reading


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True, metavar="DIR", help="a folder of texts")
    parser.add_argument("--tokens", type=length, default=131_072, help="length of the contexts (default: 128k)")
    parser.add_argument("--n", type=int, default=100, help="questions (default: 100)")
    parser.add_argument("--model", default="base")
    args = parser.parse_args()
    engine = pollux.load(args.model)
    whole = every_key(pollux.load(args.model))
    (task,) = tasks("recall", Wanted(load(args.data), args.tokens, lambda text: engine.vocabulary.encode(text).size)).values()
    asked = same = 0
    right, seconds = [0, 0], [0.0, 0.0]
    while asked < args.n:
        example = task.example(asked)
        context, questions = engine.read(reading(example)), [question.text for question in example.questions]
        replies = []
        for i, each in enumerate((engine, whole)):
            began = time.monotonic()
            replies.append([answer.text for answer in each.answer(context, questions, Sampling(limit=48))])
            seconds[i] = time.monotonic() - began  # of the last context: nothing is compiled in it any more
            right[i] += sum(map(task.score, example.questions, replies[i]))
        same += sum(map(str.__eq__, *replies))
        asked += len(questions)
    print(f"{asked} questions in contexts of {len(context):,} tokens: {same} answers the same; right {right[0]:.0f} with a "
          f"shortlist, {right[1]:.0f} with every key; {seconds[0]:.1f} and {seconds[1]:.1f} s for {len(questions)}")  # fmt: skip


def every_key(engine: Engine) -> Engine:
    """The engine with its turns made anew so that no shortlist is used."""

    def turn(*args, config):
        before, retrieval.SHORTLIST_FROM = retrieval.SHORTLIST_FROM, 1 << 40
        try:
            return runner._turn(*args, config=config)
        finally:
            retrieval.SHORTLIST_FROM = before

    engine.runner._turn = jax.jit(partial(turn, config=engine.runner.config), donate_argnums=1)
    return engine


if __name__ == "__main__":
    main()
