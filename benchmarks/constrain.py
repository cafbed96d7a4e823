"""What holding an answer to a form costs: making the form ready, and telling with each token which may come next.

    python benchmarks/constrain.py --answers 50

Answers are made by chance of the tokens that are allowed, of the vocabulary that comes with Pollux. Time is the processor's, and
each answer's form is made anew, as that of each request is.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from random import Random

import numpy as np

from pollux.engine.request import Constraint
from pollux.serve.constrain.functions import Functions
from pollux.serve.constrain.schema import enum_constraint, json_constraint
from pollux.tokens.vocabulary import END, SPECIAL, Vocabulary, shipped

PERSON = {
    "type": "OBJECT",
    "properties": {
        "name": {"type": "STRING"},
        "age": {"type": "INTEGER", "minimum": 0, "maximum": 130},
        "height": {"type": "NUMBER", "nullable": True},
        "born": {"type": "STRING", "format": "date"},
        "mood": {"type": "STRING", "enum": ["good", "bad", "so so"]},
        "children": {"type": "ARRAY", "items": {"type": "STRING"}},
    },
    "required": ["name", "age"],
}
TREE = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "parts": {"type": "array", "items": {"$ref": "#"}}},
    "required": ["title", "parts"],
}
CODE = {"type": "string", "pattern": r"^[A-Z]{2}-\d{4}(-[a-z]+)?$"}


def forms(vocabulary: Vocabulary) -> dict[str, Callable[[], Callable[[], Constraint]]]:
    functions = [{"name": f"function_{number}", "description": "d", "parameters": PERSON} for number in range(20)]
    return {
        "an object of six members": lambda: json_constraint(vocabulary, PERSON),
        "a tree": lambda: json_constraint(vocabulary, TREE),
        "any JSON": lambda: json_constraint(vocabulary, None),
        "a pattern": lambda: json_constraint(vocabulary, CODE),
        "one of 1,000 names": lambda: enum_constraint(vocabulary, [f"name number {number}" for number in range(1000)]),
        "words, or calls of 20 functions": lambda: Functions.of([{"functionDeclarations": functions}]).constraint(vocabulary),
    }


def seconds(make: Callable[[], Constraint], vocabulary: Vocabulary, seed: int, most: int = 300) -> Iterator[float]:
    """An answer by chance, which tends to end what it begins: the time that each mask takes."""
    rng, constraint = Random(seed), make()
    ends = np.array([vocabulary.decode_bytes([token])[:1] in (b'"', b"]", b"}") for token in range(vocabulary.size)])
    for _ in range(most):
        began = time.thread_time()
        mask = constraint.allowed()
        yield time.thread_time() - began
        ids = np.flatnonzero(mask)
        if ids[0] == END and (ids.size == 1 or rng.random() < 0.2):
            return
        ids = ids[ids >= SPECIAL]
        closing = ids[ends[ids]]
        constraint.take(int(rng.choice(closing if closing.size and rng.random() < 0.2 else ids)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=50, help="answers for each form (default: 50)")
    args = parser.parse_args()
    vocabulary = shipped()
    json_constraint(vocabulary, None)  # the vocabulary is made ready once for all
    print(f"{'':34s}{'ready':>9s}{'tokens':>9s}{'median':>9s}{'p99':>9s}{'most':>9s}")
    for name, form in forms(vocabulary).items():
        began = time.thread_time()
        form()
        ready = time.thread_time() - began
        found = np.array([each for seed in range(args.answers) for each in seconds(form(), vocabulary, seed)]) * 1e6
        told = [f"{each:.0f} µs" for each in (np.median(found), np.quantile(found, 0.99), found.max())]
        print(f"{name:34s}{ready * 1e3:6.1f} ms{found.size:9,d}" + "".join(f"{each:>9s}" for each in told))


if __name__ == "__main__":
    main()
