"""Two replicas behind the proxy of ``deploy/haproxy.cfg``: one is killed under load, and every request that can be asked again is
answered; who asks about the same material finds the replica that has it; what one keeps is found there."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

import pytest

import pollux

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="needs haproxy: apt install haproxy"),
]
SCRIPT, CONFIG = Path(__file__).with_name("replica.py"), Path(__file__).parents[3] / "deploy" / "haproxy.cfg"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Replicas:
    """Two, and the proxy before them, with the addresses of the configuration exchanged for free ones."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ports = folder, {"one": free_port(), "two": free_port()}
        config, port = CONFIG.read_text(), free_port()
        for address, own in ((":8756", f"127.0.0.1:{port}"), ("127.0.0.1:8757", f"127.0.0.1:{self.ports['one']}"),
                             ("127.0.0.1:8758", f"127.0.0.1:{self.ports['two']}")):  # fmt: skip
            config = re.sub(rf"(?<= ){re.escape(address)}$", own, config, flags=re.MULTILINE)
        config = config.replace("frontend pollux\n", "frontend pollux\n    http-response set-header x-replica %s\n")
        (folder / "haproxy.cfg").write_text(config)
        self.processes: dict[str, subprocess.Popen] = {}
        self.url = f"http://127.0.0.1:{port}"

    def __enter__(self) -> Replicas:
        for name in self.ports:
            self.start(name)
        self.processes["proxy"] = subprocess.Popen(["haproxy", "-db", "-f", str(self.folder / "haproxy.cfg")])
        self.until(self._both_answer)
        return self

    def __exit__(self, *error) -> None:
        for process in self.processes.values():
            process.kill()
            process.communicate()

    def _both_answer(self) -> bool:
        try:
            return len({self.ask(f"question {n}")[1]["x-replica"] for n in range(20)}) == 2
        except OSError:  # the proxy is not there yet
            return False

    def start(self, name: str) -> None:
        environment = os.environ | {"PYTHONPATH": str(Path(next(iter(pollux.__path__))).parent)}
        command = [sys.executable, str(SCRIPT), str(self.folder / name), str(self.ports[name])]
        self.processes[name] = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
        assert self.processes[name].stdout.readline() == b"ready\n"

    def kill(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].communicate()

    def call(self, method: str, path: str, body=None, client="local", **headers):
        """Status, headers and body of an answer; ConnectionError where it breaks off."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {"x-goog-api-key": client, "content-type": "application/json"} | headers
        url = path if path.startswith("http") else self.url + path
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def ask(self, text: str, verb="generateContent", **fields):
        body = {"contents": [{"parts": [{"text": text}]}], **fields}
        return self.call("POST", f"/v1beta/models/stub:{verb}", body)

    @staticmethod
    def until(fine, seconds=30.0) -> None:
        last = time.monotonic() + seconds
        while not fine():
            assert time.monotonic() < last
            time.sleep(0.1)


@pytest.fixture
def replicas(tmp_path):
    with Replicas(tmp_path) as found:
        yield found


def said(body: bytes) -> str:
    return json.loads(body)["candidates"][0]["content"]["parts"][0]["text"]


class Crowd:
    """Clients that ask until they are told to stop, every third time for a stream, and note what became of each request. A stream
    that breaks off is asked for again, as whoever reads it would."""

    def __init__(self, replicas: Replicas, clients: int) -> None:
        self.replicas, self.over = replicas, threading.Event()
        self.answered, self.again, self.wrong = [], [], []
        self.threads = [threading.Thread(target=self._work, args=(number,)) for number in range(clients)]
        for thread in self.threads:
            thread.start()

    def join(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(60)

    def _work(self, client: int) -> None:
        number = 0
        while not self.over.is_set():
            number += 1
            self._one(f"client {client} asks number {number} of its questions", stream=number % 3 == 0)

    def _one(self, text: str, *, stream: bool) -> None:
        try:
            if not stream:
                status, headers, body = self.replicas.ask(text)
                heard = said(body) if status == 200 else body
            else:
                status, headers, heard = self._stream(text)
        except (OSError, ValueError, EOFError, HTTPException) as error:
            self.wrong.append((text, repr(error)))
            return
        if status != 200 or heard != text:
            self.wrong.append((text, status, heard))
        else:
            self.answered.append((time.monotonic(), headers["x-replica"]))

    def _stream(self, text: str):
        for _ in range(3):
            try:
                status, headers, body = self.replicas.ask(text, "streamGenerateContent?alt=sse")
            except (HTTPException, ConnectionError):  # broken off after its first event
                self.again.append(text)
                continue
            chunks = [json.loads(line[6:]) for line in body.decode().split("\n") if line.startswith("data: ")]
            if status == 200 and chunks and chunks[-1].get("candidates", [{}])[0].get("finishReason"):
                parts = [part["text"] for chunk in chunks for part in chunk["candidates"][0]["content"].get("parts", ())]
                return status, headers, "".join(parts)
            self.again.append(text)
        raise EOFError("a stream broke off three times")


def test_a_replica_is_lost_under_load_and_no_request_with_it(replicas):
    crowd = Crowd(replicas, 12)
    time.sleep(2)
    replicas.kill("one")
    lost = time.monotonic()
    time.sleep(3)
    replicas.start("one")
    replicas.until(lambda: any(at > lost + 3 and replica == "one" for at, replica in crowd.answered))
    crowd.join()
    assert not crowd.wrong, crowd.wrong[:3]
    before = {replica for at, replica in crowd.answered if at < lost}
    meanwhile = {replica for at, replica in crowd.answered if lost + 1 < at < lost + 3}
    assert before == {"one", "two"} and meanwhile == {"two"}
    assert len(crowd.again) <= 12  # those streams alone that were under way there
    print(f"{len(crowd.answered)} answers, {len(crowd.again)} streams asked for again")


def test_who_asks_about_the_same_finds_the_replica_that_has_read_it(replicas):
    where = {}
    for book in range(12):
        text = f"Chapter {book}. " + f"It rained on day {book}. " * 200
        where[book] = {replicas.ask(f"{text}\n\nWhat about {n}?")[1]["x-replica"] for n in range(4)}
    assert all(len(found) == 1 for found in where.values()) and len(set.union(*where.values())) == 2


def test_what_a_replica_keeps_is_found_there(replicas):
    for client in ("anna", "bert", "carl", "dora"):
        told = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
        _, headers, _ = replicas.call("POST", "/upload/v1beta/files", {}, client, **told)
        go_on = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0", "x-goog-api-key": ""}
        # Python's client sends no key along with the contents
        status, _, body = replicas.call("POST", headers["X-Goog-Upload-URL"], b"It rained.", client="", **go_on)
        assert status == 200, body
        file = json.loads(body)["file"]
        assert replicas.call("GET", f"/v1beta/{file['name']}", client=client)[0] == 200
        contents = [{"role": "user", "parts": [{"fileData": {"fileUri": file["uri"], "mimeType": "text/plain"}}]}]
        status, _, body = replicas.call("POST", "/v1beta/cachedContents", {"model": "models/stub", "contents": contents}, client)
        assert status == 200, body
        question = {"contents": [{"parts": [{"text": "Did it?"}]}], "cachedContent": json.loads(body)["name"]}
        status, _, body = replicas.call("POST", "/v1beta/models/stub:generateContent", question, client)
        assert status == 200 and said(body) == "Did it?", body
