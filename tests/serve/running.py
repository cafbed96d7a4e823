"""The server on a port of this machine, in a thread, for clients that need one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pollux.engine.many.service import Service
from pollux.serve.app import build
from pollux.serve.operations.keys import Keys
from pollux.serve.operations.listen import bound, listener
from pollux.serve.server import Server, Settings
from pollux.serve.storage.library import Library


def server_of(folder: Path, *services: Service, keys: Keys | None = None, **settings) -> Server:
    """A server of these models that keeps what it keeps in a folder."""
    named = {service.card.name: service for service in services}
    return Server(named, Settings(data=folder, **settings), Library.open(folder), keys or Keys(False))


@contextmanager
def running(server: Server, certfile: str | None = None, keyfile: str | None = None) -> Iterator[str]:
    """The address of a server while it runs."""
    ready, socket = threading.Event(), bound("127.0.0.1", 0)
    port = socket.getsockname()[1]
    listening = listener(build(server), server, ready.set, certfile, keyfile)
    thread = threading.Thread(target=listening.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    assert ready.wait(20), "the server did not start"
    try:
        yield f"{'https' if certfile else 'http'}://127.0.0.1:{port}"
    finally:
        listening.should_exit = True
        thread.join(30)
