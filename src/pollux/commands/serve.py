"""``pollux serve``: models behind Google's API and OpenAI's, and the studio."""

from __future__ import annotations

import argparse
import ipaddress
import re
import sys
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pollux.base import models
from pollux.base.errors import ConfigError
from pollux.commands.terminal import Parser, fail

if TYPE_CHECKING:
    import socket

    from pollux.engine.many.desk import Desk
    from pollux.serve.operations.keys import Keys
    from pollux.serve.server import Server, Settings
    from pollux.serve.storage.library import Library

_ABOUT = """
Serve models: clients of Google's Gemini API and of OpenAI's need another address, and nothing else.
Only this machine may ask, unless --host says otherwise; then keys are needed.
"""
_EXAMPLES = """
pollux serve
pollux serve --port 9000 --alias "gpt-*=base"
pollux serve --model base --model runs/laptop --data /srv/pollux
pollux serve --data /srv/pollux --new-key anna
pollux serve --data /srv/pollux --host 0.0.0.0 --certfile cert.pem --keyfile key.pem
"""
_READY = """
{models} at {url}  (Ctrl-C stops)

  curl {url}/v1beta/models/{model}:generateContent -H 'content-type: application/json'{header} \\
    -d '{{"contents": [{{"parts": [{{"text": "The quay is of granite. What is the quay of?"}}]}}]}}'

  from google import genai
  client = genai.Client(api_key="{key}", http_options={{"base_url": "{url}"}})
  print(client.models.generate_content(model="{model}", contents="The quay is of granite. What is the quay of?").text)

  from openai import OpenAI
  client = OpenAI(api_key="{key}", base_url="{url}/v1")
"""
_MIB, _GIB = 1 << 20, 1 << 30


def add(commands) -> None:
    parser: Parser = commands.add_parser("serve", help="answer over HTTP", description=_ABOUT, examples=_EXAMPLES)
    options(parser)
    parser.set_defaults(run=run, parser=parser, tell=_tell)


def options(parser: Parser) -> None:
    """What a server is started with."""
    help_model = "a model that comes with Pollux, a weights file, or a training folder; may be repeated, the first is the default"
    parser.add_argument("--model", action="append", metavar="NAME|PATH", help=f"{help_model} (default: {models.DEFAULT})")
    help_alias = "names that stand for a model, as in 'gpt-*=base'; gemini-* stands for the default"
    parser.add_argument("--alias", action="append", default=[], type=_alias, metavar="PATTERN=NAME", help=help_alias)
    help_data = "where files, cached contents and keys are kept (default: %(default)s)"
    parser.add_argument("--data", type=Path, default=Path("pollux-data"), metavar="DIR", help=help_data)
    _add_where(parser)
    _add_who(parser)
    _add_bounds(parser)


def _add_where(parser: Parser) -> None:
    group = parser.add_argument_group("where it listens")
    group.add_argument("--host", default="127.0.0.1", help="0.0.0.0 is every address of this machine (default: %(default)s)")
    group.add_argument("--port", type=int, default=8756, help="0 takes one that is free (default: %(default)s)")
    group.add_argument("--certfile", metavar="FILE", help="the certificate for https and wss, as PEM")
    group.add_argument("--keyfile", metavar="FILE", help="its private key, where it is not in the same file")


def _add_who(parser: Parser) -> None:
    group = parser.add_argument_group("who may ask")
    group.add_argument("--api-key-file", type=Path, metavar="FILE", help="keys, one on a line: KEY, or NAME KEY")
    group.add_argument("--new-key", metavar="NAME", help="draw a key, print it, and keep its hash; nothing is served")
    group.add_argument("--delete-key", metavar="NAME", help="delete a key that was drawn; nothing is served")
    group.add_argument("--cors", action="append", default=[], metavar="ORIGIN", help="a web page that may ask, as in https://example.org")
    group.add_argument("--requests-per-minute", type=_count, default=0, metavar="N", help="of one client (default: no limit)")
    group.add_argument("--tokens-per-minute", type=_count, default=0, metavar="N", help="of one client (default: no limit)")


def _add_bounds(parser: Parser) -> None:
    group = parser.add_argument_group("bounds")
    for name, default, unit, about in (
        ("--max-queue", 256, "N", "requests that may wait; more are told to come again"),
        ("--max-body", 128, "MIB", "the longest request"),
        ("--max-upload", 2048, "MIB", "the largest file"),
        ("--max-files", 20, "GIB", "all files together"),
        ("--file-hours", 48, "H", "a file is deleted after so long"),
        ("--timeout", 3600, "S", "an answer is given up after so long"),
        ("--grace", 30, "S", "when it is stopped, it waits so long for answers"),
    ):
        group.add_argument(name, type=_count, default=default, metavar=unit, help=f"{about} (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    _need_serve()
    if args.new_key or args.delete_key:
        return _change(args)
    from pollux.serve.operations.keys import Keys, read
    from pollux.serve.operations.listen import bound
    from pollux.serve.storage.library import Allowance, Library

    for name in args.model or [models.DEFAULT]:
        models.find(name)  # a wrong name is told before anything is loaded
    names = read(args.api_key_file) if args.api_key_file else {}
    allowance = Allowance(args.file_hours * 3600.0, args.max_upload * _MIB, args.max_files * _GIB)
    with closing(Library.open(args.data, allowance)) as library:
        keys = Keys(False, names, library.database)
        keys.needed = bool(names or keys.drawn())
        if not keys.needed and not _is_loopback(args.host):
            told = f"{args.host} can be reached from other machines, and there are no keys"
            return fail(told, "draw one with --new-key NAME, or give a file with --api-key-file; or leave out --host")
        _serve(args, library, keys, bound(args.host, args.port))
    return 0


def _serve(args: argparse.Namespace, library: Library, keys: Keys, listening: socket.socket) -> None:
    from pollux.serve.app import build
    from pollux.serve.operations.listen import listener
    from pollux.serve.operations.logs import configure
    from pollux.serve.server import Server

    _called(args.model or [models.DEFAULT])
    print("loading …", file=sys.stderr)
    desks = _desks(args)
    server = Server({desk.card.name: desk for desk in desks}, _settings(args, keys.needed), library, keys)
    _check_aliases(server)
    configure()
    url = f"{'https' if args.certfile else 'http'}://{_reached(args.host)}:{listening.getsockname()[1]}"
    listener(build(server), server, lambda: args.tell(server, url), args.certfile, args.keyfile).run(sockets=[listening])


def _desks(args: argparse.Namespace) -> list[Desk]:
    import pollux
    from pollux.engine.many.desk import Desk, Limits

    limits = Limits(waiting=args.max_queue)
    return [Desk(pollux.load(model), name, limits, warm=True) for name, model in _called(args.model or [models.DEFAULT]).items()]


def _called(given: list[str]) -> dict[str, str]:
    """What models are called on the wire: after the file, or the training folder. Raises ConfigError where two are called alike."""
    names: dict[str, str] = {}
    for model in given:
        path = Path(model).resolve()
        found = path.parent.name if path.name == "model.safetensors" else path.stem if path.is_file() else path.name
        name = re.sub(r"[^\w.-]", "-", found, flags=re.ASCII)
        if name in names:
            raise ConfigError(f"{names[name]} and {model} would both be called {name}", "give one of the files another name")
        names[name] = model
    return names


def _need_serve() -> None:
    """Raises ConfigError where the libraries of the server are not installed."""
    missing = [name for name in ("starlette", "uvicorn", "orjson", "prometheus_client") if find_spec(name) is None]
    if missing:
        raise ConfigError(f"the server's libraries are not installed: {', '.join(missing)}", "pip install 'pollux-lm[serve]'")


def _settings(args: argparse.Namespace, keyed: bool) -> Settings:
    from pollux.serve.server import Settings

    hosts = () if keyed else ("localhost", "127.0.0.1", "::1", args.host)
    return Settings(
        data=args.data, aliases=(*args.alias, *Settings.aliases), origins=tuple(args.cors), hosts=hosts,
        body_bytes=args.max_body * _MIB, upload_bytes=args.max_upload * _MIB, requests=args.requests_per_minute,
        tokens=args.tokens_per_minute, seconds=float(args.timeout), close_seconds=float(args.grace),
    )  # fmt: skip


def _change(args: argparse.Namespace) -> int:
    """Draw or delete a key; a server that uses the folder may go on, and minds it at once."""
    from pollux.serve.operations.keys import Keys
    from pollux.serve.storage.database import Database

    args.data.mkdir(parents=True, exist_ok=True)
    with closing(Database(args.data / "library.sqlite")) as database:
        keys = Keys(True, database=database)
        if args.delete_key:
            keys.delete(args.delete_key)
        if args.new_key:
            print(keys.draw(args.new_key))
            print("this key is not shown again", file=sys.stderr)
    return 0


def _check_aliases(server: Server) -> None:
    for pattern, name in server.settings.aliases:
        if name and name not in server.services:
            served = ", ".join(server.services)
            raise ConfigError(f"the alias {pattern} stands for {name}, which is not served", f"served are: {served}")


def _tell(server: Server, url: str) -> None:
    """What to paste, for who has started it by hand."""
    keyed = server.keys.needed
    key, header = ("YOUR_KEY", " -H 'x-goog-api-key: YOUR_KEY'") if keyed else ("local", "")
    names = list(server.services)
    print(_READY.format(models=", ".join(names), model=names[0], url=url, key=key, header=header), file=sys.stderr, flush=True)


def _reached(host: str) -> str:
    """A host as it is called from this machine."""
    known = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
    return known.get(host, f"[{host}]" if ":" in host else host)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _alias(text: str) -> tuple[str, str]:
    pattern, equals, name = text.rpartition("=")
    if not equals or not pattern or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is no alias; give one such as 'gpt-*=base'")
    return pattern, name


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 or more")
    return int(text)
