"""Training with and without showing attention where answers stand: the same model, the same batches in the same order.

    python benchmarks/pointing.py --data data/novels --data data/code --data data/pairs --steps 600 --out runs/pointing

Prints the share of answers that are right to the last token, over the last 100 steps, none of whose batches was seen before.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--out", type=Path, default=Path("runs/pointing"))
    args = parser.parse_args()

    from pollux.base.config import prepare_jax

    prepare_jax()
    from pollux.data.source import load
    from pollux.recipes.laptop import laptop
    from pollux.tokens.vocabulary import shipped
    from pollux.train.loop import train
    from pollux.train.metrics import read_metrics
    from pollux.train.progress import Progress

    run = laptop(load(args.data), shipped())
    for point in (run.point, 0.0):
        folder = args.out / f"point-{point}"
        train(replace(run, name=f"point {point}", point=point), folder, Progress(folder), stop_after=args.steps)
        rows = read_metrics(folder / "metrics.jsonl")[-100:]
        mean = {name: sum(row[name] for row in rows) / len(rows) for name in ("exact", "right", "seconds")}
        print(f"weight {point}: answers exact {mean['exact']:.1%}, answer tokens right {mean['right']:.1%}, "
              f"{rows[-1]['tokens']:,} tokens, {mean['seconds']:.2f} s a step", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
