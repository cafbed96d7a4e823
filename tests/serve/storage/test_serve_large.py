"""A file as large as any that is taken never sits in the server's memory, on its way in or out."""

from __future__ import annotations

import http.client
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from test_serve_killed import Process

pytestmark = pytest.mark.slow
CHUNK = b"The lamp at the quay was green.\n" * (1 << 18)  # 8 MiB
CHUNKS = 256


def most_memory(server) -> int:
    """MiB that the process has taken at most."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) >> 10


@pytest.fixture
def server(tmp_path):
    server = Process(tmp_path)
    yield server
    server.kill()


def asked(server, method, path, body=None, **headers):
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    connection.request(method, path, body, {"x-goog-api-key": "local"} | {k.replace("_", "-"): v for k, v in headers.items()})
    return connection.getresponse()


def size_of_download(server, name) -> int:
    answer, size = asked(server, "GET", f"/v1beta/{name}:download?alt=media"), 0
    while block := answer.read(1 << 22):
        size += len(block)
    return size


def test_in_chunks_and_in_one_body(server):
    before = most_memory(server)
    told = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
    url = asked(server, "POST", "/upload/v1beta/files", b"{}", **told).headers["x-goog-upload-url"]
    path = url.removeprefix(server.url)
    for number in range(CHUNKS):
        command = "upload, finalize" if number == CHUNKS - 1 else "upload"
        told = {"x-goog-upload-command": command, "x-goog-upload-offset": str(number * len(CHUNK))}
        answer = asked(server, "POST", path, CHUNK, **told)
    file = json.loads(answer.read())["file"]
    assert int(file["sizeBytes"]) == CHUNKS * len(CHUNK) == size_of_download(server, file["name"])
    asked(server, "DELETE", f"/v1beta/{file['name']}")
    pieces = (CHUNK for _ in range(CHUNKS))
    path = "/upload/v1beta/files?uploadType=media"
    whole = {"content-type": "text/plain", "content-length": str(CHUNKS * len(CHUNK))}
    again = json.loads(asked(server, "POST", path, pieces, **whole).read())["file"]
    assert again["sha256Hash"] == file["sha256Hash"]
    assert most_memory(server) - before < 100, "MiB"
