"""``pollux info``: what there is to run on, which models there are, and what reading takes."""

from __future__ import annotations

import argparse
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pollux
from pollux.base import models
from pollux.base.errors import CheckpointError
from pollux.commands.terminal import Parser, printable

if TYPE_CHECKING:
    from pollux.model.sizes import ModelConfig

_ABOUT = "Show devices, the model's weights, the family of sizes, and how much memory reading takes."
_EXAMPLES = """
pollux info
pollux info --length 10M
pollux info --model runs/laptop --length 128k
"""
_UNITS = {"": 1, "k": 1000, "m": 1_000_000, "g": 1_000_000_000}
# A token's place: its id, segment, start and end (int32).
_PLACE_BYTES = 16


def add(commands) -> None:
    parser: Parser = commands.add_parser("info", help="devices, models, memory", description=_ABOUT, examples=_EXAMPLES)
    parser.add_argument("--model", metavar="NAME|PATH", help="a model that comes with Pollux, or a weights file (default: base)")
    help_length = "how much is read, such as 128k, 1M, 10_000_000 (default: 1M)"
    parser.add_argument("--length", type=length, default=1_000_000, metavar="TOKENS", help=help_length)
    parser.set_defaults(run=run)


def length(text: str) -> int:
    """Parse ``128k``, ``1.5M`` or ``10_000_000``."""
    match = re.fullmatch(r"(\d[\d_,]*(?:\.\d+)?)([kmg]?)", text.strip().lower())
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no length; give one such as 128k, 1M or 10_000_000")
    size = float(match[1].replace("_", "").replace(",", "")) * _UNITS[match[2]]
    if size < 1:
        raise argparse.ArgumentTypeError("a length is 1 token or more")
    return round(size)


def run(args: argparse.Namespace) -> None:
    path = _find(args.model)
    about = header(path) if path else {}
    from pollux.base.config import prepare_jax

    prepare_jax()
    import jax

    devices = ", ".join(f"{device.platform}:{device.id} {device.device_kind}" for device in jax.devices())
    print(f"pollux {pollux.__version__}, jax {jax.__version__}, {os.cpu_count()} cores")
    print(f"devices   {devices}")
    if path:
        _print_weights(path, about, args.length)
    else:
        print(f"weights   none: {models.folder()} is empty, train a model with 'pollux train'")
    _print_family()


def _find(model: str | None) -> Path | None:
    """The weights; None where no model was named and none comes with Pollux."""
    try:
        return models.find(model or models.DEFAULT)
    except CheckpointError:
        if model:
            raise
        return None


def header(path: Path) -> dict:
    """What a weights file says of itself, without its arrays."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            return json.loads((file.metadata() or {})["pollux"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is not a sound Pollux weights file: {error}", "fetch or train it again") from error


def _print_weights(path: Path, about: dict, tokens: int) -> None:
    from pollux.base.checkpoint import fingerprint
    from pollux.engine.engine import config_from

    config = config_from(about, path)
    size = path.stat().st_size
    total, active = parameters(config)
    print(f"weights   {printable(str(path))}, {_bytes(size)}, fingerprint {fingerprint(path)}")
    print(f"          recipe {about.get('run', 'unknown')}, {about.get('step', 'unknown')} steps")
    print(f"          {_count(total)} parameters, of which a token meets {_count(active)}")
    print(f"          {len(config.layers)} layers of width {config.width}, of which {len(_retrieval(config))} retrieve")
    print(f"reading   {tokens:,} tokens take about {_bytes(sum(memory(config, tokens, size).values()))}:")
    for name, need in memory(config, tokens, size).items():
        print(f"          {_bytes(need):>10}  {name}")


def memory(config: ModelConfig, tokens: int, weights: int) -> dict[str, int]:
    """Bytes that a read context of ``tokens`` tokens needs, by what for; arrays grow in steps (`engine.store.capacity`)."""
    from pollux.engine.contexts.store import Store, capacity, nbytes
    from pollux.model.cache import store_sizes

    sizes = [store_sizes(layer, config) for layer in _retrieval(config)]
    each = sum(nbytes(spec) for size in sizes for spec in Store.specs(*size, 1).values())
    cache = each * capacity(tokens)
    return {
        "weights": weights,
        f"keys and values, {each} bytes a token": cache,
        "the same on an accelerator, where there is one, while questions are answered": cache,
        "the text and the place of every token": (_PLACE_BYTES + 4) * tokens,
    }


def _retrieval(config: ModelConfig) -> list:
    from pollux.model.sizes import RETRIEVAL

    return [layer for layer in config.layers if layer.reach == RETRIEVAL]


def parameters(config: ModelConfig) -> tuple[int, int]:
    """How many parameters a model has and how many of them a token meets, from the weight table; nothing is allocated."""
    from pollux.base.weights import count
    from pollux.model.transformer import weight_table

    table = weight_table(config)
    total, idle = count(table), 0
    for i, layer in enumerate(config.layers):
        if layer.experts:
            rows = table["layers"][str(i)]["feed_forward"]
            every = count({name: rows[name] for name in ("gate", "up", "down")})
            idle += every - every * layer.active // layer.experts
    return total, total - idle


def _print_family() -> None:
    from pollux.model.sizes import family

    print("family    name            parameters      active   layers   width")
    for name, config in family().items():
        total, active = parameters(config)
        print(f"          {name:14} {_count(total):>11} {_count(active):>11} {len(config.layers):>8} {config.width:>7,}")


def _count(number: int) -> str:
    for unit, scale in (("T", 10**12), ("B", 10**9), ("M", 10**6)):
        if number >= scale:
            return f"{number / scale:.2f}{unit}"
    return f"{number:,}"


def _bytes(number: int) -> str:
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if number >= scale:
            return f"{number / scale:.1f} {unit}"
    return f"{number} bytes"
