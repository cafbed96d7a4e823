"""A server with a service without a model, for a test to kill: ``killed_server.py FOLDER``.

It prints its address when it listens, and the seconds of a processor that this took, then serves until it is killed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from running import running, server_of
from stub import Stub


class Slow(Stub):
    """Takes its time to keep a context, and leaves half of a file where it is killed meanwhile."""

    def keep(self, name, ask, path, listener):
        def work(ticket):
            part = path.with_name(path.name + ".part")
            part.write_text("half")
            time.sleep(0.03)
            part.replace(path)
            Stub.keep(self, name, ask, path, listener)

        return self._start(work, ask)


if __name__ == "__main__":
    with running(server_of(Path(sys.argv[1]), Slow(pause=0.002))) as url:
        print(url, time.process_time(), flush=True)
        time.sleep(3600)
