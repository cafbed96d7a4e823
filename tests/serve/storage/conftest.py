"""The whole server with a service without a model, asked in this process; it runs from start to stop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from stub import Stub

from pollux.serve.app import build
from pollux.serve.server import Server, Settings
from pollux.serve.storage.library import Allowance, Library

KEY = {"x-goog-api-key": "local"}


@pytest.fixture(scope="module")
def starter(tmp_path_factory) -> Callable[..., TestClient]:
    """Starts a server on a folder, a new one if none is named; one that runs on the same is stopped before."""
    with ExitStack() as stack:
        running: dict[Path, ExitStack] = {}

        def start(service=None, folder: Path | None = None, allowance: Allowance = Allowance(), **settings) -> TestClient:
            folder = folder or tmp_path_factory.mktemp("data")
            running.pop(folder, ExitStack()).close()
            own = running[folder] = stack.enter_context(ExitStack())
            library = Library.open(folder, allowance)
            own.callback(library.close)
            service = service or Stub()
            server = Server({service.card.name: service}, Settings(data=folder, **settings), library)
            client = TestClient(build(server), base_url="http://files.test:8000", headers=KEY)
            client.server, client.service = server, service
            return own.enter_context(client)

        yield start


@pytest.fixture
def begin(starter, tmp_path) -> Callable[..., TestClient]:
    """Starts a server on this test's folder."""
    return lambda service=None, **settings: starter(service, tmp_path, **settings)


@pytest.fixture(scope="module")
def client(starter) -> TestClient:
    """A server that the tests of a file share."""
    return starter()
