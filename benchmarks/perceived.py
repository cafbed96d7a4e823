"""How fast the shipped model sees and hears, end to end from the file: seconds of a film (one frame each) and of sound a second.

    python benchmarks/perceived.py film.mp4 talk.wav

Each file is perceived twice; the first time may hold what is compiled. Reading alone is what `benchmarks/media.py` measures.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from pollux.base import models
from pollux.base.config import prepare_jax
from pollux.engine.engine import Engine
from pollux.media.decode import Senses, read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--model", default=models.DEFAULT)
    args = parser.parse_args()
    prepare_jax()
    engine = Engine.load(models.find(args.model))
    for path in args.files:
        for turn in ("first", "again"):
            described = read([path], senses=Senses()).documents
            began = time.perf_counter()
            engine.perception.documents(described)
            spent, played = time.perf_counter() - began, sum(getattr(part, "seconds", 0) for part in described[0].segments)
            print(f"{path} {turn}: {played:.0f} s in {spent:.2f} s, {played / spent:.1f} of its seconds a second")


if __name__ == "__main__":
    main()
