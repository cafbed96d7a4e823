"""``pollux serve`` as an operator runs it, in a process of its own, with a service without a model in place of the engine."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from pollux.cli import main
from pollux.commands import serve

TESTS = Path(__file__).parents[1]
CODE = """
import sys
from stub import Stub
from pollux.commands import serve
desk = Stub(pause=float(sys.argv.pop(1)))
serve._desks = lambda args: [desk]
from pollux.cli import main
sys.exit(main())
"""


@pytest.fixture
def command(tmp_path):
    paths = os.pathsep.join([str(TESTS), str(TESTS.parents[1] / "src")])
    env = {**os.environ, "PYTHONPATH": paths, "PYTHONUTF8": "1"}

    def words(*more: str, pause: float = 0.0) -> dict:
        return {"args": [sys.executable, "-c", CODE, str(pause), "serve", "--data", str(tmp_path / "data"), *more], "env": env}

    return words


@pytest.fixture
def started(command):
    """Starts a server on a free port; gives the process, its address and its lines on stderr so far."""
    running: list[subprocess.Popen] = []

    def start(*more: str, pause: float = 0.0) -> tuple[subprocess.Popen, str, list[str]]:
        process = subprocess.Popen(
            **command("--port", "0", *more, pause=pause), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        running.append(process)
        lines: list[str] = []
        for line in process.stderr:
            lines.append(line)
            if "OpenAI(" in line:
                url = re.search(r"(http\S+)  \(Ctrl-C", "".join(lines))[1]
                threading.Thread(target=lambda: lines.extend(process.stderr), daemon=True).start()
                return process, url, lines
        raise AssertionError("".join(lines))

    yield start
    for process in running:
        process.kill()
        process.wait()


def ask(url: str, text: str, verb: str = "generateContent", **headers: str):
    body = json.dumps({"contents": [{"parts": [{"text": text}]}]}).encode()
    request = urllib.request.Request(f"{url}/v1beta/models/stub:{verb}", body, {"content-type": "application/json", **headers})
    return urllib.request.urlopen(request, timeout=30)


def test_start_ask_and_stop(started):
    process, url, lines = started()
    told = "".join(lines)
    assert f"curl {url}/v1beta/models/stub:generateContent" in told and 'genai.Client(api_key="local"' in told
    assert json.load(ask(url, "One bell?"))["candidates"][0]["content"]["parts"][0]["text"] == "One bell?"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) in (-signal.SIGTERM, 0)
    requests = [json.loads(line) for line in lines if line.startswith("{")]
    assert [line["status"] for line in requests if line["message"] == "request"] == [200] and "bell" not in str(requests)


def test_a_stop_lets_an_answer_come_to_its_end(started):
    process, url, _ = started(pause=0.1)
    response = ask(url, "one two three four five six seven eight", "streamGenerateContent?alt=sse")
    first = response.readline()
    process.send_signal(signal.SIGTERM)
    rest = response.read().decode()
    assert b"data: {" in first and '"finishReason":"STOP"' in rest and "eight" in rest
    process.wait(20)
    with pytest.raises(OSError):
        ask(url, "Too late?")


def test_keys(started, tmp_path, capsys):
    change = lambda *words: main(["serve", "--data", str(tmp_path / "data"), *words])  # noqa: E731
    assert change("--new-key", "anna") == 0
    key = capsys.readouterr().out.strip()
    assert key.startswith("pollux-") and "\n" not in key
    _, url, lines = started("--host", "0.0.0.0")
    assert "x-goog-api-key: YOUR_KEY" in "".join(lines)
    with pytest.raises(urllib.error.HTTPError) as told:
        ask(url, "Who?")
    assert told.value.code == 403 and ask(url, "Who?", **{"x-goog-api-key": key}).status == 200
    assert change("--delete-key", "anna") == 0, "while the server runs"
    with pytest.raises(urllib.error.HTTPError) as told:
        ask(url, "Who?", **{"x-goog-api-key": key})
    assert told.value.code == 400


@pytest.mark.parametrize(
    ("words", "status", "parts"),
    [
        (["--host", "0.0.0.0"], 1, ["there are no keys", "--new-key"]), (["--alias", "x"], 2, ["is no alias"]),
        (["--alias", "gpt-*=large"], 1, ["large", "served are: stub"]), (["--max-queue", "0"], 2, ["1 or more"]),
        (["--host", "192.0.2.1", "--api-key-file", "KEYS"], 1, ["cannot listen", "--port"]),
        (["--certfile", "none.pem"], 1, ["certificate"]), (["--api-key-file", "none"], 1, ["cannot be read"]),
        (["--delete-key", "nobody"], 1, ["no key nobody"]), (["--model", "no-such"], 1, ["no model no-such"]),
    ],
)  # fmt: skip
def test_what_cannot_start(stub, tmp_path, monkeypatch, capsys, words, status, parts):
    monkeypatch.setattr(serve, "_desks", lambda args: [stub])
    (tmp_path / "KEYS").write_text("k" * 24)
    words = [str(tmp_path / word) if word == "KEYS" else word for word in words]
    try:
        found = main(["serve", "--data", str(tmp_path / "data"), "--port", "0", *words])
    except SystemExit as stop:
        found = stop.code
    err = capsys.readouterr().err
    assert found == status and "error: " in err and "\n\nhint: " in err and all(part in err for part in parts), err
