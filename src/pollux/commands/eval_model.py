"""What ``pollux eval`` measures of a model itself, without asking it anything: text, position, speed."""

from __future__ import annotations

import argparse
import math
import sys
import time
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from pollux.base.errors import ConfigError
from pollux.commands.terminal import counting_bar, fail

if TYPE_CHECKING:
    from pollux.data.source import Corpus
    from pollux.engine.context import ReadContext
    from pollux.engine.engine import Engine
    from pollux.media.segment import Document

NAMES = ("text", "position", "speed")
# Documents of a measurement by position, and tokens that are timed one by one, where --n does not say.
_DOCUMENTS, _STEPS = 8, 32


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
    from pollux.eval.position import cumulative, draw, fit, octaves

    tokens, curves = max(args.lengths or [64_000]), []
    sources = [source for _, source in corpus.code]
    for kind, texts in {"prose": [] if corpus.prose == sources else corpus.prose, "code": sources}.items():
        if not texts:
            continue
        count = args.n or min(_DOCUMENTS, len(texts))
        if count > len(texts):
            fail(f"{count} documents begin with one of {len(texts)} texts of {kind}; those alike tell nothing new", kind="warning")
        nll_NT = _losses(engine, corpus, kind, tokens, count, args.seed)
        places, means = cumulative(nll_NT)
        law = fit(places, means)
        curves.append((kind, places, means, law))
        print(f"{kind}, {len(nll_NT)} documents of {nll_NT.shape[1] + 1:,} tokens: mean loss up to x tokens = "
              f"{law.a:.4g} x^{law.b:.4f} + {law.c:.4f} nats, R² {law.r2:.5f} ({len(places)} points from {places[0]})")  # fmt: skip
        for part in octaves(nll_NT):
            print(f"  tokens {part.start:>9,} to {part.stop:>10,}: {part.mean:.4f} [{part.low:.4f}, {part.high:.4f}]")
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        draw(args.out / "position.png", f"Loss by position, {args.model}", curves)
        print(f"wrote position.png in {args.out}")


def _losses(engine: Engine, corpus: Corpus, kind: str, tokens: int, count: int, seed: int) -> np.ndarray:
    """The losses of ``count`` documents [N, T], each cut to the same length."""
    from pollux.engine.score import losses
    from pollux.eval.position import documents
    from pollux.tokens.template import plain

    found = []
    with counting_bar(kind, "tokens") as progress:
        for number, text in enumerate(documents(corpus, kind, tokens * 6, count, seed)):
            ids = plain(engine.vocabulary, text).ids[:tokens]
            tick = (lambda done, total, n=number: progress(n * total + done, count * total)) if progress else None
            found.append(losses(engine.runner, ids, tick))
    shortest = min(map(len, found))
    if shortest < 256:
        raise ConfigError(f"the {kind} holds {shortest + 1} tokens, too few for losses by position", "name more texts: --data DIR")
    if shortest + 1 < tokens:
        fail(f"the {kind} holds {shortest + 1:,} tokens, {tokens:,} were asked for; all of it is read", kind="warning")
    return np.stack([nll[:shortest] for nll in found])


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
