"""The whole server with the stub for a model: asked in this process, and on a port for a browser."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

sys.path.insert(0, str(Path(__file__).parents[1]))  # what all rooms' tests share

from running import running, server_of
from stub import Stub

from pollux.serve.app import build


@pytest.fixture
def client(stub, tmp_path) -> Iterator[TestClient]:
    server = server_of(tmp_path / "data", stub)
    with TestClient(build(server), base_url="http://studio.test") as client:
        client.server = server
        yield client


@pytest.fixture
def upload(client):
    """Store a file; gives its name, files/…"""

    def send(data: bytes, name: str, mime: str = "text/plain") -> str:
        start = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
        about = {"file": {"displayName": name, "mimeType": mime}}
        address = client.post("/upload/v1beta/files", json=about, headers=start).headers["x-goog-upload-url"]
        command = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
        done = client.post(address, content=data, headers=command)
        assert done.status_code == 200, done.text
        return done.json()["file"]["name"]

    return send


@pytest.fixture(scope="module")
def service() -> Stub:
    return Stub()


@pytest.fixture(scope="module")
def server(service, tmp_path_factory):
    return server_of(tmp_path_factory.mktemp("data"), service)


@pytest.fixture(scope="module")
def url(server) -> Iterator[str]:
    with running(server) as url:
        yield url


@pytest.fixture(scope="module")
def browser():
    from using import CHROMIUM, api

    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def faults() -> list[str]:
    """What the browser complains of; a test that means to provoke it empties the list."""
    return []


@pytest.fixture
def page(browser, url, faults, service):
    """The studio, opened; the service at its usual speed."""
    from using import SECONDS, expect

    service.pause, service.room = 0.0, 1000
    rights = ["clipboard-read", "clipboard-write"]
    context = browser.new_context(viewport={"width": 1400, "height": 900}, color_scheme="light", permissions=rights)
    context.set_default_timeout(SECONDS)
    page = context.new_page()
    page.on("console", lambda said: faults.append(f"{said.text} {said.location}") if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(url + "/studio/")
    expect(page.locator("#model option")).to_have_count(1, timeout=SECONDS)  # before the models are known nothing can be asked
    yield page
    context.close()
    assert not faults, faults
