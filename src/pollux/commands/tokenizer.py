"""``pollux tokenizer``: make a vocabulary, and use one by hand."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pollux.base.errors import ConfigError
from pollux.commands.terminal import Parser, fail, printable, report

if TYPE_CHECKING:
    from pollux.tokens.vocabulary import Vocabulary

_EXAMPLES = """
pollux tokenizer count book.txt docs/
pollux tokenizer train --data texts/ --size 8192 --out vocabulary.json
echo "some text" | pollux tokenizer encode | pollux tokenizer decode
"""


def add(commands) -> None:
    about = "Make a vocabulary, and turn text into tokens and back."
    parser: Parser = commands.add_parser("tokenizer", help="make and use vocabularies", description=about, examples=_EXAMPLES)
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    made = verbs.add_parser(
        "train", help="make a vocabulary of texts", description="Learn a byte-pair vocabulary of the texts in folders.",
        examples="pollux tokenizer train --data texts/ --size 8192 --out vocabulary.json",
    )  # fmt: skip
    made.add_argument("--data", type=Path, action="append", required=True, metavar="DIR", help="a folder of texts; may be repeated")
    made.add_argument("--size", type=int, default=8192, help="number of tokens (default: 8192)")
    made.add_argument("--out", type=Path, required=True, metavar="FILE", help="where to write it")
    made.set_defaults(run=train)
    _verb(verbs, "encode", encode, "bytes to tokens", "Print the token ids of each file on a line of its own.")
    _verb(verbs, "decode", decode, "tokens to bytes", "Write the bytes that token ids, separated by blanks, stand for.")
    _verb(verbs, "count", count, "tokens of each file", "Print how many tokens each document has, and all together.")


def _verb(verbs, name: str, run, summary: str, about: str) -> None:
    examples = f"pollux tokenizer {name} FILE\npollux tokenizer {name} -"
    parser = verbs.add_parser(name, help=summary, description=about, examples=examples)
    parser.add_argument("files", nargs="*", metavar="FILE", help="what to read; - or nothing for standard input")
    parser.add_argument("--vocabulary", type=Path, metavar="FILE", help="default: Pollux's own")
    parser.set_defaults(run=run)


def train(args: argparse.Namespace) -> int:
    from pollux.media.decode import read
    from pollux.tokens.vocabulary import Vocabulary

    found = read(args.data)
    report(found.problems)
    if not found.documents:
        return fail("nothing could be read", "name a folder with text files: --data DIR")
    texts = (segment.text for document in found.documents for segment in document.segments)
    vocabulary = Vocabulary.train(texts, args.size)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    vocabulary.save(args.out)
    print(f"{vocabulary.size} tokens of {len(found.documents)} documents: {printable(str(args.out))}")
    return 0


def encode(args: argparse.Namespace) -> None:
    vocabulary = _vocabulary(args)
    for data in _bytes(args.files):
        print(*vocabulary.encode(data.decode("utf-8", "surrogateescape")))


def decode(args: argparse.Namespace) -> None:
    vocabulary = _vocabulary(args)
    for data in _bytes(args.files):
        sys.stdout.buffer.write(vocabulary.decode_bytes(map(_id_below(vocabulary.size), data.split())))
    sys.stdout.buffer.flush()


def count(args: argparse.Namespace) -> int:
    from pollux.media.decode import read

    vocabulary, files = _vocabulary(args), args.files or ["-"]
    found = read(files, stdin=sys.stdin.buffer.read() if "-" in files else None)
    report(found.problems)
    total = 0
    for document in found.documents:
        size = sum(vocabulary.encode(segment.text).size for segment in document.segments)
        total += size
        print(f"{size:>12,}  {printable(document.path)}")
    if len(found.documents) > 1:
        print(f"{total:>12,}  together")
    return 0 if found.documents else 1


def _vocabulary(args: argparse.Namespace) -> Vocabulary:
    from pollux.tokens.vocabulary import Vocabulary, shipped

    return Vocabulary.load(args.vocabulary) if args.vocabulary else shipped()


def _bytes(files: list[str]):
    for name in files or ["-"]:
        yield sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()


def _id_below(size: int):
    def one(word: bytes) -> int:
        if not word.isdigit() or int(word) >= size:
            shown = word[:20].decode("utf-8", "replace")
            raise ConfigError(f"{shown!r} is no token id", f"give numbers from 0 to {size - 1}, separated by blanks")
        return int(word)

    return one
