"""Experts against a dense twin, and Muon against AdamW: the same tokens in order, judged by bits per byte on unseen novels.

    python benchmarks/twins.py --data novels/train --valid novels/valid --steps 300 --out runs/twins

The dense twin has one feed-forward per layer, as wide as the experts that a token passes through, so both do the same work per
token. Running text only, every position scored, rows of 512 tokens, 4,096 tokens a step, rates decaying to zero at the end.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--valid", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--texts", type=int, default=8, help="texts of --valid that are scored, 200,000 characters of each")
    parser.add_argument("--out", type=Path, default=Path("runs/twins"))
    args = parser.parse_args()

    from pollux.base.config import prepare_jax

    prepare_jax()
    from pollux.base.checkpoint import load_weights
    from pollux.data.source import load
    from pollux.engine.score import bits_per_byte
    from pollux.model.sizes import dense_twin, family
    from pollux.recipes.laptop import stages
    from pollux.recipes.mixtures import text_mixture
    from pollux.tokens.vocabulary import shipped
    from pollux.train.loop import Run, train
    from pollux.train.optimizer import OptimizerConfig
    from pollux.train.progress import Progress

    vocabulary, model = shipped(), family()["laptop"]
    mixture = text_mixture(load([args.data]), vocabulary, 0)
    muon = OptimizerConfig("muon", warmup=50)
    runs = [
        Run("experts, Muon", model, stages(mixture, {512: args.steps}), muon),
        Run("dense twin, Muon", dense_twin(model), stages(mixture, {512: args.steps}), muon),
        Run("experts, AdamW 3e-3", model, stages(mixture, {512: args.steps}), replace(muon, kind="adamw")),
        Run("experts, AdamW 1.5e-3", model, stages(mixture, {512: args.steps}), replace(muon, kind="adamw", rate=1.5e-3)),
    ]
    texts = [text[20_000:220_000] for text in load([args.valid]).prose[: args.texts]]
    for run in runs:
        folder = args.out / run.name.replace(" ", "-").replace(",", "")
        path = train(run, folder, Progress(folder))
        found = bits_per_byte(load_weights(path)[0], run.model, vocabulary, texts)
        print(f"{run.name}: {found['bits_per_byte']:.4f} bits per byte on {found['bytes']:,} bytes", flush=True)


if __name__ == "__main__":
    main()
