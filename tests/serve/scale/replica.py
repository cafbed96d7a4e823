"""One of several replicas: a server with a service without a model on a port, ``replica.py FOLDER PORT``, until it is killed."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from running import server_of
from stub import Stub

from pollux.serve.app import build
from pollux.serve.operations.listen import bound, listener

if __name__ == "__main__":
    server, socket = server_of(Path(sys.argv[1]), Stub(pause=0.02)), bound("127.0.0.1", int(sys.argv[2]))
    listener(build(server), server, lambda: print("ready", flush=True), None, None).run(sockets=[socket])
