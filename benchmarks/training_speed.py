"""Training speed against transformers' Mixtral of the same shape, one step of each in turn, on this machine.

    pip install 'pollux-lm[compare]'
    python benchmarks/training_speed.py --turns 5

The shape: 6 layers of width 256, 4 query heads of 64 over one key-value head, 8 experts of 256 of which 2 are active, a
vocabulary of 8,192, 8 rows of 1,024 tokens a step. Ours computes the loss on every position, as theirs does. Theirs is torch on CPU
under bf16 autocast with AdamW. Each side is a process of its own, waiting while the other computes, so that neither's threads
disturb the other's.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from statistics import median

ROWS, LENGTH = 8, 1024


def pollux_steps():
    """A function that takes one training step and waits for it."""
    from pollux.base.config import prepare_jax

    prepare_jax()
    import jax
    import numpy as np

    from pollux.base.mesh import make_mesh
    from pollux.model.sizes import family
    from pollux.model.transformer import weight_table
    from pollux.tokens.stream import Batch
    from pollux.train.loop import Run, make_step, start
    from pollux.train.optimizer import OptimizerConfig, make_optimizer

    run = Run("speed", family()["mixtral-shape"], (), OptimizerConfig("adamw"))
    rng, shape = np.random.default_rng(0), (ROWS, LENGTH)
    tokens = rng.integers(32, run.model.vocab_size, shape, dtype=np.int32)
    index = np.broadcast_to(np.arange(LENGTH, dtype=np.int32), shape).copy()
    ones = np.ones(shape, np.float32)
    batch = Batch(tokens, index, np.zeros(shape, np.int32), index, tokens, ones, ones > 0, None, None)
    mesh = make_mesh()
    with jax.set_mesh(mesh):
        state = start(run, mesh)
        step = jax.jit(make_step(run, make_optimizer(run.optimizer, weight_table(run.model), 1000)), donate_argnums=0)

    def one() -> None:
        nonlocal state
        with jax.set_mesh(mesh):
            state, report = step(state, batch)
            jax.block_until_ready((state, report))

    return one


def mixtral_steps():
    import torch
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(
        vocab_size=8192, hidden_size=256, intermediate_size=256, num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=1,
        head_dim=64, num_local_experts=8, num_experts_per_tok=2, tie_word_embeddings=True,
    )  # fmt: skip
    model = MixtralForCausalLM(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    tokens = torch.randint(32, config.vocab_size, (ROWS, LENGTH))

    def one() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(input_ids=tokens, labels=tokens).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return one


def serve(which: str) -> None:
    """One step for every line on standard input; its seconds on standard output."""
    one = {"pollux": pollux_steps, "mixtral": mixtral_steps}[which]()
    for _ in sys.stdin:
        began = time.perf_counter()
        one()
        print(time.perf_counter() - began, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--python", default=sys.executable, help="the Python that has torch and transformers, where it is another")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        return serve(args.serve)
    pipe = subprocess.PIPE
    sides = {"pollux": sys.executable, "mixtral": args.python}
    workers = {
        side: subprocess.Popen([python, __file__, "--serve", side], stdin=pipe, stdout=pipe, text=True, bufsize=1)
        for side, python in sides.items()
    }
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for turn in range(-2, args.turns):  # the first two turns compile and warm up
        for side, worker in workers.items():
            worker.stdin.write("\n")
            worker.stdin.flush()
            taken = float(worker.stdout.readline())
            if turn >= 0:
                seconds[side].append(taken)
    for side, worker in workers.items():
        worker.stdin.close()
        worker.wait()
        middle, turns = median(seconds[side]), [round(s, 2) for s in seconds[side]]
        print(f"{side}: median {middle:.2f} s a step, {ROWS * LENGTH / middle:,.0f} tokens/s, all {turns}")
    ratios = [m / p for p, m in zip(seconds["pollux"], seconds["mixtral"], strict=True)]
    print(f"ratio, turn by turn: median {median(ratios):.2f}, min {min(ratios):.2f}, max {max(ratios):.2f}")


if __name__ == "__main__":
    main()
