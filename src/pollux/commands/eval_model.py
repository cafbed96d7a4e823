"""What ``pollux eval`` measures of a model itself, without asking it anything: text, position, speed."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from zlib import crc32

from pollux.base.errors import ConfigError
from pollux.commands.terminal import counting_bar, fail

if TYPE_CHECKING:
    from pollux.data.source import Corpus
    from pollux.engine.contexts.context import ReadContext
    from pollux.engine.engine import Engine
    from pollux.eval.position import Curve
    from pollux.media.segment import Document

NAMES = ("text", "position", "speed")
# Documents of a measurement by position, and tokens that are timed one by one, where --n does not say.
_DOCUMENTS, _STEPS = 8, 32
# Where --out keeps what was measured by position, a line for each document.
_KEPT = "position.jsonl"


def run(args: argparse.Namespace, name: str) -> None:
    import pollux
    from pollux.data.source import load

    corpus, engine = load(args.data), pollux.load(args.model)
    if name == "text":
        return _text(engine, corpus)
    if name == "position":
        return _position(args, engine, corpus)
    for tokens in args.lengths or [4000]:
        _speed(engine, corpus, tokens)
    return None


def warn_if_short(corpus: Corpus, tokens: int, then: str) -> None:
    from pollux.eval.suite import CHARACTERS

    held = sum(map(len, corpus.prose)) / CHARACTERS
    if held < tokens:
        fail(f"the texts hold about {held:,.0f} tokens, {tokens:,} were asked for; {then}", kind="warning")


def _text(engine: Engine, corpus: Corpus) -> None:
    from pollux.engine.score import bits_per_byte

    runner = engine.runner
    with counting_bar("texts") as progress:
        texts = [*corpus.prose, *(source for _, source in corpus.code)]
        tick = progress or (lambda done, total: None)
        watched = (tick(i, len(texts)) or text for i, text in enumerate(texts))
        found = bits_per_byte(runner.params, runner.config, engine.vocabulary, watched)
    print(f"{found['bits_per_byte']:.4f} bits per byte ({found['nats_per_token']:.4f} nats per token, {found['tokens']:,} tokens, "
          f"{found['bytes']:,} bytes, rows of 2,048 tokens)")  # fmt: skip


def _position(args: argparse.Namespace, engine: Engine, corpus: Corpus) -> None:
    """Prose, and source code where there is some, as far as the longest length that was asked for."""
    import numpy as np

    from pollux.eval.position import draw, fit, octaves, places

    tokens, laws, told = max(args.lengths or [64_000]), [], {}
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
    sources = [source for _, source in corpus.code]
    for kind, texts in {"prose": [] if corpus.prose == sources else corpus.prose, "code": sources}.items():
        if not texts:
            continue
        count = args.n or min(_DOCUMENTS, len(texts))
        if count > len(texts):
            fail(f"{count} documents begin with one of {len(texts)} texts of {kind}; those alike tell nothing new", kind="warning")
        read, curves = _curves(args, engine, corpus, kind, tokens, count)
        at, means = places(read - 1), np.mean([c.upto for c in curves], axis=0)
        law, parts = fit(at, means), octaves(curves, read - 1)
        laws.append((kind, at, means, law))
        rows = [{name: x if math.isfinite(x) else None for name, x in part._asdict().items()} for part in parts]
        told[kind] = {"documents": count, "tokens": read, "law": law._asdict(), "octaves": rows}
        print(f"{kind}, {count} documents of {read:,} tokens: mean loss up to x tokens = "
              f"{law.a:.4g} x^{law.b:.4f} + {law.c:.4f} nats, R² {law.r2:.5f} ({at.size} points from {at[0]})")  # fmt: skip
        for part in parts:
            print(f"  tokens {part.start:>9,} to {part.stop:>10,}: {part.mean:.4f} [{part.low:.4f}, {part.high:.4f}]")
    if args.out:
        draw(args.out / "position.png", f"Loss by position, {args.model}", laws)
        (args.out / "position.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
        print(f"wrote position.png, position.json and {_KEPT} in {args.out}")


def _curves(
    args: argparse.Namespace, engine: Engine, corpus: Corpus, kind: str, tokens: int, count: int
) -> tuple[int, list[Curve]]:
    """Tokens of ``count`` documents, all cut to the same length, and the curve of each; those that were kept are not read again."""
    import numpy as np

    from pollux.engine.score import losses
    from pollux.eval.position import Curve, curve, documents
    from pollux.tokens.template import plain

    ids = [plain(engine.vocabulary, text).ids[:tokens].copy() for text in documents(corpus, kind, tokens * 6, count, args.seed)]
    shortest = min(map(len, ids))
    if shortest < 256:
        raise ConfigError(f"the {kind} holds {shortest} tokens, too few for losses by position", "name more texts: --data DIR")
    if shortest < tokens:
        fail(f"the {kind} holds {shortest:,} tokens, {tokens:,} were asked for; all of it is read", kind="warning")
    path = args.out / _KEPT if args.out else None
    kept = _kept_lines(path) if path and path.exists() else {}
    found = []
    with counting_bar(kind, "tokens") as progress:
        for number, document in enumerate(ids):
            name = f"{engine.runner.weights}/{kind}/{shortest}/{crc32(np.ascontiguousarray(document[:shortest])):08x}"
            tick = (lambda done, total, n=number: progress(n * total + done, count * total)) if progress else None
            if name not in kept:
                kept[name] = curve(losses(engine.runner, document[:shortest], tick))
                if path:
                    with path.open("a", encoding="utf-8") as file:
                        file.write(json.dumps({"of": name, **kept[name]._asdict()}) + "\n")
            found.append(Curve(*kept[name]))
    return shortest, found


def _kept_lines(path: Path) -> dict[str, Curve]:
    """The curves that were kept, by what they are of."""
    from pollux.eval.position import Curve
    from pollux.eval.results import whole_lines

    try:
        return {row["of"]: Curve(row["upto"], row["within"]) for row in map(json.loads, whole_lines(path))}
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} holds something else", "name another folder with --out, or move the file away") from error


def _speed(engine: Engine, corpus: Corpus, tokens: int) -> None:
    """Reading texts of a length, and the next token after it; everything is done once before, so that no compiling is timed."""
    warn_if_short(corpus, tokens, "they are read more than once")
    engine.read([_document(corpus, 2000)])
    began = time.monotonic()
    context = engine.read([_document(corpus, tokens)])
    seconds = time.monotonic() - began
    token = _next_token(engine, context)
    print(f"reading {len(context):,} tokens: {seconds:.2f} s, {len(context) / seconds:,.0f} tokens per second; "
          f"next token: {1000 * token:.2f} ms (median of {_STEPS}); most memory so far: {_most_memory():.2f} GiB")  # fmt: skip


def _most_memory() -> float:
    """GiB that this process has held at once, pages of files among them; not known on Windows."""
    try:
        import resource
    except ImportError:
        return math.nan
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)


def _document(corpus: Corpus, tokens: int) -> Document:
    from pollux.eval.suite import CHARACTERS
    from pollux.media.segment import Document, Text

    text, characters = "\n\n".join(corpus.prose), round(tokens * CHARACTERS)
    return Document("speed", (Text("speed", (text * math.ceil(characters / len(text)))[:characters]),))


def _next_token(engine: Engine, context: ReadContext) -> float:
    """Median seconds of a step of one token, a question having been put."""
    import numpy as np

    prompt, one, times = engine.prompt("What is said of it here?"), np.ones(1, np.int32), []
    shared = engine.runner.device_context(context)
    turn = engine.runner.start_turn(context, 1, 128)
    turn, step = engine.runner.step(turn, prompt[None], one * prompt.size, shared)
    for _ in range(_STEPS + 2):
        began = time.perf_counter()
        turn, step = engine.runner.step(turn, np.asarray(step.logits).argmax(-1).astype(np.int32)[:, None], one, shared)
        np.asarray(step.logits)
        times.append(time.perf_counter() - began)
    return median(times[2:])
