"""How `pollux serve` does under load, with the real model: three measurements, each against a server that it starts itself.

    python benchmarks/serving.py together --data VALID --minutes 5
    python benchmarks/serving.py throughput --data VALID
    python benchmarks/serving.py cached --data VALID --tokens 1000000

together    many clients ask and ask again, most of them short questions, some about 100,000 tokens; answers are then compared, word
            for word, with what a fresh server says to the same question alone, and times to the first piece with those there
throughput  short questions, answered one after the other, and 32 at a time
cached      a long text is cached once; the time to the first piece of an answer about it, against that of the same text saved
            and reopened without a server

``VALID`` is a folder of plain texts. The clients take part of the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx
import numpy as np

from pollux.eval.report import rate

CHARACTERS = 4.4  # of English to a token, about
_FIRST_WORDS = "the serial number|the number|the password|the registration".split("|")


@dataclass
class Question:
    """One request, and what came of it: ``text`` in pieces, seconds to the first of them and to the last."""

    number: int
    long: bool
    prompt: str
    text: str = ""
    first: float = 0.0
    whole: float = 0.0
    failed: str = ""
    alone: Question | None = field(default=None, repr=False)


@contextmanager
def served(*more: str) -> Iterator[str]:
    """The address of a server of its own, with nothing read before."""
    with socket.socket() as free, tempfile.TemporaryDirectory() as data:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        free.close()
        command = [sys.executable, "-m", "pollux", "serve", "--data", data, "--port", url.rpartition(":")[2], *more]
        with open(Path(data) / "log", "w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"TMPDIR": data})
            try:
                _wait(url, process)
                yield url
            finally:
                process.terminate()
                process.wait(60)


def _wait(url: str, process: subprocess.Popen) -> None:
    for _ in range(1200):
        if process.poll() is not None:
            raise SystemExit(f"the server ended with {process.returncode}; start it by hand: pollux serve")
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.25)
    raise SystemExit("the server was not ready within five minutes")


def texts(folder: Path) -> str:
    files = sorted(folder.rglob("*.txt"))
    if not files:
        raise SystemExit(f"there are no texts (*.txt) in {folder}")
    return "\n\n".join(path.read_text(errors="replace") for path in files)


def question(book: str, number: int, long: bool) -> Question:
    """A fact in the middle of a piece of the texts, and the question for it; no two are alike."""
    rng = Random(number)
    size = int((100_000 if long else 70) * CHARACTERS)
    at = rng.randrange(len(book) - size)
    piece, middle = book[at : at + size], book.find(" ", at + rng.randrange(size // 4, size // 2)) - at
    thing, owner, value = rng.choice(_FIRST_WORDS), f"Mr. {rng.choice('ABCDEFGH')}arrow{number}", rng.randrange(10**5, 10**6)
    fact = f" {thing.capitalize()} of {owner}'s bicycle is {value}. "
    return Question(number, long, f"{piece[:middle]}{fact}{piece[middle:]}\n\nWhat is {thing} of {owner}'s bicycle?")


async def ask(client: httpx.AsyncClient, url: str, asked: Question, **more: object) -> Question:
    """Streams the answer; what fails is noted, and not asked again."""
    body = {"contents": [{"role": "user", "parts": [{"text": asked.prompt}]}], "generationConfig": {"maxOutputTokens": 64}, **more}
    began, ended = time.monotonic(), False
    try:
        async for event in _events(client, f"{url}/v1beta/models/base:streamGenerateContent?alt=sse", body):
            candidate = event["candidates"][0]
            asked.text += "".join(part.get("text", "") for part in candidate.get("content", {}).get("parts", ()))
            asked.first = asked.first or time.monotonic() - began
            ended = ended or "finishReason" in candidate
    except (httpx.HTTPError, KeyError, ValueError) as error:
        asked.failed = f"{type(error).__name__}: {error}"
    asked.whole = time.monotonic() - began
    if not ended and not asked.failed:
        asked.failed = "the stream ended without a reason"
    return asked


async def _events(client: httpx.AsyncClient, url: str, body: dict) -> AsyncIterator[dict]:
    async with client.stream("POST", url, json=body) as answer:
        if answer.status_code != 200:
            raise httpx.HTTPError(f"{answer.status_code}: {(await answer.aread())[:200]!r}")
        async for line in answer.aiter_lines():
            if line.startswith("data: ") and line != "data: [DONE]":
                yield json.loads(line[6:])


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=600, limits=httpx.Limits(max_connections=None))


async def _together(url: str, book: str, args: argparse.Namespace) -> list[Question]:
    """Each client asks its next question when it has the answer to the one before."""
    done, numbers, until = [], iter(range(10**9)), time.monotonic() + args.minutes * 60

    async def one(client: httpx.AsyncClient, long: bool) -> None:
        while time.monotonic() < until:
            done.append(await ask(client, url, question(book, next(numbers), long)))

    async with _client() as client:
        await asyncio.gather(*(one(client, number < args.long) for number in range(args.clients)))
    return done


async def _alone(url: str, book: str, done: list[Question]) -> None:
    async with _client() as client:
        await ask(client, url, question(book, -1, False))  # the first is slower
        for asked in done:
            asked.alone = await ask(client, url, question(book, asked.number, asked.long))


def together(args: argparse.Namespace) -> None:
    book = texts(args.data)
    with served() as url:
        done = asyncio.run(_together(url, book, args))
    short, long = [q for q in done if not q.long], [q for q in done if q.long]
    again = short[:: max(1, len(short) // args.checked)] + long
    with served() as url:
        asyncio.run(_alone(url, book, again))
    print(f"{args.clients} clients, {args.long} of them with long prompts, {args.minutes:g} minutes")
    print(f"answers: {len(short):,} short, {len(long):,} long; lost: {sum(bool(q.failed) for q in done)}")
    for failed in [q for q in done if q.failed][:5]:
        print(f"  {failed.failed}")
    print(rate("the same as alone, word for word", [float(q.text == q.alone.text) for q in again]))
    for name, some in (("short", short), ("long", long)):
        alone = [q.alone.first for q in some if q.alone]
        print(f"{name}: to the first piece, alone {_times(alone)}; together {_times([q.first for q in some])}")
        print(f"{name}: p95 together / p95 alone = {_p95([q.first for q in some]) / _p95(alone):.2f}")


def _p95(seconds: list[float]) -> float:
    return float(np.percentile(seconds, 95)) if seconds else float("nan")


def _times(seconds: list[float]) -> str:
    return f"median {np.median(seconds):.3f} s, p95 {_p95(seconds):.3f} s (n={len(seconds)})" if seconds else "none"


def listed(book: str, number: int) -> Question:
    """About 100 tokens, with two numbers in them, and the question for both: an answer of about 25 tokens."""
    rng = Random(-number)
    at, cities = rng.randrange(len(book) - 200), rng.sample("Paris Berlin Rome Madrid Vienna Lisbon Oslo Prague".split(), 2)
    facts = " ".join(f"The special magic {city} number is: {rng.randrange(10**6, 10**7)}." for city in cities)
    asked = f"What are the special magic numbers for {cities[0]}, and {cities[1]} mentioned in the provided text?"
    return Question(number, False, f"{book[at : at + 120]} {facts}\n\n{asked}")


async def _rates(url: str, book: str, numbers: range, at_once: int) -> tuple[float, float]:
    """Answers and characters of them for each second."""
    gate = asyncio.Semaphore(at_once)

    async def one(client: httpx.AsyncClient, number: int) -> Question:
        async with gate:
            return await ask(client, url, listed(book, number))

    began = time.monotonic()
    async with _client() as client:
        done = await asyncio.gather(*(one(client, number) for number in numbers))
    seconds = time.monotonic() - began
    if failed := [question.failed for question in done if question.failed]:
        raise SystemExit(f"{len(failed)} answers of {len(done)} failed: {failed[0]}")
    return len(done) / seconds, sum(len(question.text) for question in done) / seconds


def throughput(args: argparse.Namespace) -> None:
    book, ratios = texts(args.data), []
    with served() as url:
        for at_once in (1, 32):
            asyncio.run(_rates(url, book, range(2 * at_once), at_once))  # compiled before
        for turn in range(1, args.turns + 1):
            first = 1000 * turn
            alone, many = (
                asyncio.run(_rates(url, book, range(first, first + count), at_once)) for count, at_once in ((32, 1), (256, 32))
            )
            ratios.append(many[1] / alone[1])
            told = f"{alone[0]:.1f} answers/s one at a time, {many[0]:.1f} 32 at a time"
            print(f"turn {turn}: {told}; characters of answers: {ratios[-1]:.2f}x")
    print(f"median {np.median(ratios):.2f}x, {min(ratios):.2f} to {max(ratios):.2f}, n={len(ratios)}")


def cached(args: argparse.Namespace) -> None:
    book = texts(args.data)
    size = int(args.tokens * CHARACTERS)
    fact = " The registration of Mr. Sparrow's bicycle is 481516. "
    long = (book * (size // len(book) + 1))[:size]
    long, asked = long[: size // 3] + fact + long[size // 3 :], "What is the registration of Mr. Sparrow's bicycle?"
    here, there = _reopened(long, asked, args.turns), _from_cache(long, asked, args.turns)
    print(f"reopened without a server: first {here[0]:.2f} s, then {_times(here[1:])}")
    print(f"cached on the server: first {there[0]:.2f} s, then {_times(there[1:])}")
    later = np.median(there[1:]) / np.median(here[1:])
    print(f"ratio of the first: {there[0] / here[0]:.2f}; of the medians that follow: {later:.2f}")


def _reopened(long: str, asked: str, turns: int) -> list[float]:
    from pollux.base import models
    from pollux.base.config import prepare_jax
    from pollux.engine.contexts.context import ReadContext
    from pollux.engine.engine import Engine
    from pollux.media.segment import Document, Text

    prepare_jax()
    engine, seconds = Engine.load(models.find(models.DEFAULT)), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "saved"
        engine.read([Document("book.txt", (Text("book.txt", long),))], save=path)
        for _ in range(turns):
            began = time.monotonic()
            context = ReadContext.load(path, engine.runner.weights)
            next(iter(engine.ask(context, [asked])))
            seconds.append(time.monotonic() - began)
    return seconds


def _from_cache(long: str, asked: str, turns: int) -> list[float]:
    body = {"model": "models/base", "contents": [{"role": "user", "parts": [{"text": long}]}], "ttl": "3600s"}

    async def ask_all(url: str, name: str) -> list[Question]:
        async with _client() as client:
            return [await ask(client, url, Question(0, False, asked), cachedContent=name) for _ in range(turns)]

    with served() as url:
        made = httpx.post(f"{url}/v1beta/cachedContents", json=body, timeout=1200).raise_for_status().json()
        print(f"cached: {made['usageMetadata']['totalTokenCount']:,} tokens")
        done = asyncio.run(ask_all(url, made["name"]))
    print(f"answer: {done[0].text!r} {done[0].failed}")
    return [question.first for question in done]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("together", "throughput", "cached"))
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="plain texts")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--long", type=int, default=8, help="clients with long prompts (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=5.0)
    help_checked = "short answers that are asked for again alone (default: %(default)s)"
    parser.add_argument("--checked", type=int, default=400, metavar="N", help=help_checked)
    parser.add_argument("--tokens", type=int, default=1_000_000, help="of the text that is cached (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=5)
    args = parser.parse_args()
    measure: Callable[[argparse.Namespace], None] = {"together": together, "throughput": throughput, "cached": cached}[args.what]
    measure(args)


if __name__ == "__main__":
    main()
