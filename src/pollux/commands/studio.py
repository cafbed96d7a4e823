"""``pollux studio``: the server, and its web page in the browser."""

from __future__ import annotations

import argparse
import sys
import threading
import webbrowser
from typing import TYPE_CHECKING

from pollux.commands import serve
from pollux.commands.terminal import Parser

if TYPE_CHECKING:
    from pollux.serve.server import Server

_ABOUT = """
Open the studio: a web page to ask models about files, with the place of every answer.
It is served as by 'pollux serve', and takes the same options.
"""
_EXAMPLES = """
pollux studio
pollux studio --model runs/laptop --port 9000
pollux studio --data /srv/pollux --no-browser
"""


def add(commands) -> None:
    parser: Parser = commands.add_parser("studio", help="a web page to ask in", description=_ABOUT, examples=_EXAMPLES)
    serve.options(parser)
    parser.add_argument("--no-browser", action="store_true", help="print the page's address, and open nothing")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    def tell(server: Server, url: str) -> None:
        page = f"{url}/studio/"
        print(f"the studio is at {page}  (Ctrl-C stops)", file=sys.stderr, flush=True)
        if not args.no_browser:  # some systems wait for their browser
            threading.Thread(target=webbrowser.open, args=(page,), daemon=True).start()

    args.tell = tell
    return serve.run(args)
