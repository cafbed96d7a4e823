"""A client of the application in this process."""

import pytest
from starlette.testclient import TestClient

from pollux.serve.app import build
from pollux.serve.server import Server, Settings
from pollux.serve.storage.library import Library


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    library = Library.open(tmp_path_factory.mktemp("library"))
    yield library
    library.close()


@pytest.fixture
def server(stub, library):
    return Server({"stub": stub}, Settings(data=library.folder), library)


@pytest.fixture
def client(server):
    return TestClient(build(server))
