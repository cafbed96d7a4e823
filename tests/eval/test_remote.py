"""Models behind HTTP, against a server that speaks as theirs do."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pollux.base.errors import ConfigError, RemoteError
from pollux.eval import remote
from pollux.eval.remote import Remote
from pollux.tasks.task import Example, Question

EXAMPLE = Example("A bell.", (Question("What?", "a bell"), Question("Who?", "nobody")))
NAMED = replace(EXAMPLE, files=((0, "a.txt"),))


@contextmanager
def server(*replies):
    """A server that gives (status, JSON) in turn and keeps what it was asked: path, headers, body."""
    asked, left = [], list(replies)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            status, reply, *headers = left.pop(0)
            self.send_response(status)
            for header in headers:
                self.send_header(*header)
            self.end_headers()
            self.wfile.write(reply if isinstance(reply, bytes) else json.dumps(reply).encode())

        def log_message(self, *words):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}", asked
        http.shutdown()


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for dialect in remote.DIALECTS.values():
        for name in dialect.keys:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(remote, "_WAITS", (0, 0))


BLOCKED = {"promptFeedback": {"blockReason": "SAFETY"}}


def gemini(text):
    parts = [{"text": "hm", "thought": True}, {"text": text[:2]}, {"text": text[2:]}]
    return {"candidates": [{"content": {"parts": parts}}], "usageMetadata": {"promptTokenCount": 7}}


def openai(text):
    choice = {"message": {"content": text}, "finish_reason": "stop" if text else "length"}
    return {"choices": [choice], "usage": {"prompt_tokens": 5}}


def test_gemini(monkeypatch):
    monkeypatch.setenv("GOOGLE_API_KEY", "secret\n")
    with server((200, gemini("a bell")), (503, {}), (200, BLOCKED)) as (url, asked):
        tokens, replies = Remote("gemini", "gemini-pro", url).ask([EXAMPLE])
    assert tokens == 7 and [(reply.text, reply.end) for reply in replies] == [("a bell", "end"), ("", "SAFETY")]
    path, headers, body = asked[0]
    assert path == "/v1beta/models/gemini-pro:generateContent" and headers["x-goog-api-key"] == "secret"
    assert body["contents"] == [{"role": "user", "parts": [{"text": "A bell.\nWhat?"}]}]
    assert body["generationConfig"]["temperature"] == 0


def test_openai():
    with server((200, openai("a bell")), (200, openai(None))) as (url, asked):
        tokens, replies = Remote("openai", "m", url + "/v1/", instruction=" Briefly.").ask([NAMED])
    assert tokens == 5 and [reply.text for reply in replies] == ["a bell", ""] and not any(reply.places for reply in replies)
    assert [reply.end for reply in replies] == ["end", "length"]
    path, headers, body = asked[1]
    assert path == "/v1/chat/completions" and "authorization" not in headers
    assert (body["model"], body["messages"]) == ("m", [{"role": "user", "content": "a.txt\nA bell.\nWho? Briefly."}])


def test_a_busy_server_is_left_alone_for_as_long_as_it_says(monkeypatch):
    waits = []
    monkeypatch.setattr(remote.time, "sleep", waits.append)
    busy = [(429, {}, ("Retry-After", wait)) for wait in ("7", "99999")]
    with server(*busy, *[(200, openai("x"))] * 2) as (url, asked):
        Remote("openai", "m", url, temperature=None).ask([EXAMPLE])
    assert waits == [7, 600] and not any("temperature" in body for *_, body in asked)


def test_failures_are_told():
    failures = {"too long": (400, {"error": "too long"}), "no JSON": (200, b"<html>"), "none of openai": (200, {})}
    for message, reply in failures.items():
        with server(reply) as (url, _), pytest.raises(RemoteError, match=message):
            Remote("openai", "m", url).ask([EXAMPLE])
    with server(*[(429, {})] * 3) as (url, asked), pytest.raises(RemoteError, match="429"):
        Remote("openai", "m", url).ask([EXAMPLE])
    assert len(asked) == 3
    for wrong in (("bard", "m"), ("openai", ""), ("gemini", "m"), ("openai", "m", "localhost:8000/v1")):
        with pytest.raises(ConfigError):
            Remote(*wrong)
