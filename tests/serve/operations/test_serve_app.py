"""What every request goes through: paths, pages of others, keys, limits, sizes, leaving, the log."""

import asyncio
import json
import logging
import os
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from running import running, server_of
from starlette.testclient import TestClient

from pollux.serve.app import App, build, plain, routes
from pollux.serve.operations.keys import Keys, digest, read
from pollux.serve.routing import Route
from pollux.serve.server import Server, Settings
from pollux.serve.storage.library import Library

SAID = {"contents": [{"parts": [{"text": "A secret question?"}]}]}
GENERATE = "/v1beta/models/stub:generateContent"
KEY = "k" * 24
SOURCE = Path(__file__).parents[3] / "src"


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    library = Library.open(tmp_path_factory.mktemp("library"))
    yield library
    library.close()


@pytest.fixture
def begin(stub, library):
    """Makes a client of a server with such settings."""

    def start(keys=None, base_url="http://testserver", **settings) -> TestClient:
        server = Server({"stub": stub}, Settings(**settings), library, keys or Keys(False))
        client = TestClient(build(server), base_url=base_url)
        client.server = server
        return client

    return start


def test_paths_as_clients_write_them():
    assert plain("//v1beta//models/") == "/v1beta/models" and plain("//") == "/"
    assert plain("/v1beta/upload/v1beta/files") == "/upload/v1beta/files"
    assert plain("/v1/upload/x") == "/v1/upload/x"


class TestWays:
    def test_nowhere(self, begin):
        client = begin()
        error = client.get("/nowhere").json()["error"]
        assert (error["code"], error["status"]) == (404, "NOT_FOUND")
        assert client.put(GENERATE).status_code == 405
        assert client.get("/v1/openai/nowhere").json()["error"]["type"] == "not_found_error"

    def test_the_caller_chooses_between_two_surfaces(self, stub, tmp_path):
        async def told(request):
            from pollux.serve.gemini.wire import reply

            return reply({"surface": "openai"})

        server = server_of(tmp_path, stub)
        client = TestClient(App(server, [*routes(server), Route("GET", "/v1/models", told, openai=True)]))
        assert client.get("/v1/models", headers={"authorization": "Bearer x"}).json() != {}
        for ours in ({"headers": {"x-goog-api-key": "x"}}, {"headers": {"x-goog-api-client": "x"}}, {"params": {"key": "x"}}):
            assert "models" in client.get("/v1/models", **ours).json()
        assert "models" not in client.get("/v1/models").json()
        server.library.close()

    def test_a_bug_is_told_without_its_words(self, stub, tmp_path, caplog):
        async def broken(request):
            raise KeyError("A secret question?")

        server = server_of(tmp_path, stub)
        client = TestClient(App(server, [Route("GET", "/x", broken)]))
        response = client.get("/x")
        assert response.status_code == 500 and "secret" not in response.text
        server.library.close()

    def test_ids(self, begin):
        client = begin()
        assert client.get("/healthz", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
        assert client.get("/healthz", headers={"x-request-id": "a b\t"}).headers["x-request-id"] != "a b\t"

    def test_a_message_to_a_socket_that_is_not_there(self, begin):
        from starlette.websockets import WebSocketDisconnect

        with pytest.raises(WebSocketDisconnect), begin().websocket_connect("/nowhere"):
            pass

    def test_the_document_names_every_way(self, begin):
        document = begin().get("/openapi.json").json()
        assert document["openapi"].startswith("3.1") and "/{v}/models/{model}:generateContent" in document["paths"]
        references = {part for part in json.dumps(document).split('"') if part.startswith("#/components/schemas/")}
        assert {each.rpartition("/")[2] for each in references} <= set(document["components"]["schemas"])
        body = document["paths"]["/{v}/models/{model}:generateContent"]["post"]["requestBody"]["content"]["application/json"]
        assert body["schema"]["$ref"].endswith("/GenerateContentRequest")


class TestKeys:
    @pytest.fixture
    def client(self, begin):
        return begin(Keys(True, {digest(KEY): "anna"}))

    def test_in_every_place(self, client, stub):
        headers = ({"x-goog-api-key": KEY}, {"authorization": f"Bearer {KEY}"})
        assert [client.post(GENERATE, json=SAID, headers=each).status_code for each in headers] == [200, 200]
        assert client.post(GENERATE, json=SAID, params={"key": KEY}).status_code == 200
        assert {ask.client for ask in stub.asked} == {"anna"}

    def test_none_and_a_wrong_one(self, client):
        none = client.post(GENERATE, json=SAID)
        assert none.status_code == 403 and "unregistered callers" in none.json()["error"]["message"]
        wrong = client.post(GENERATE, json=SAID, headers={"x-goog-api-key": "x"}).json()["error"]
        assert wrong["code"] == 400 and wrong["details"][0]["reason"] == "API_KEY_INVALID"
        openai = client.post("/v1/chat/completions", json={}, headers={"authorization": "Bearer x"})
        assert openai.status_code == 401 and openai.json()["error"]["code"] == "invalid_api_key"

    def test_what_needs_none(self, client):
        assert client.get("/healthz").json() == {"status": "ok"} and client.get("/openapi.json").status_code == 200
        assert client.get("/metrics").status_code == 403

    def test_keys_that_are_drawn(self, begin):
        client = begin()
        keys = client.server.keys = Keys(True, database=client.server.library.database)
        key = keys.draw("ben")
        ask = lambda: client.get("/v1beta/models", headers={"x-goog-api-key": key}).status_code  # noqa: E731
        assert ask() == 200 and keys.drawn() == ["ben"]
        stored = client.server.library.database.rows("SELECT * FROM keys")
        assert key not in str([tuple(row) for row in stored])
        keys.delete("ben")
        assert ask() == 400

    def test_a_file_of_them(self, tmp_path):
        path = tmp_path / "keys"
        path.write_text(f"# ours\nanna {KEY}\n\n{KEY[::-1]}x # of nobody\n")
        assert sorted(read(path).values()) == ["anna", "key 4"]
        for wrong in ("", "short\n", f"a b {KEY}\n"):
            path.write_text(wrong)
            with pytest.raises(Exception, match="key"):
                read(path)


class TestLimits:
    def test_requests(self, begin):
        client = begin(requests=2)
        codes = [client.get("/v1beta/models").status_code for _ in range(3)]
        refused = client.get("/v1beta/models")
        assert codes == [200, 200, 429] and int(refused.headers["retry-after"]) in range(25, 31)
        kinds = [each["@type"].rpartition(".")[2] for each in refused.json()["error"]["details"]]
        assert kinds == ["QuotaFailure", "RetryInfo"] and client.get("/healthz").status_code == 200

    def test_tokens(self, begin):
        client = begin(tokens=5)
        assert [client.post(GENERATE, json=SAID).status_code for _ in range(2)] == [200, 429]

    def test_sizes(self, begin):
        client = begin(body_bytes=1000)
        long = {"contents": [{"parts": [{"text": "x" * 2000}]}]}
        assert client.post(GENERATE, json=long).status_code == 413

        def pieces():
            for _ in range(20):
                yield b"x" * 100

        assert client.post(GENERATE, content=pieces()).status_code == 413


class TestPages:
    """Of web sites, which a browser lets send simple requests to any address."""

    def test_of_others(self, begin):
        client = begin()
        assert client.post(GENERATE, json=SAID, headers={"origin": "https://evil.example"}).status_code == 403
        assert client.post(GENERATE, json=SAID, headers={"origin": "http://testserver"}).status_code == 200
        response = client.options(GENERATE, headers={"origin": "https://evil.example", "access-control-request-method": "POST"})
        assert response.status_code == 403 and "access-control-allow-origin" not in response.headers

    def test_that_may(self, begin):
        client, origin = begin(origins=("https://page.example/",)), {"origin": "https://page.example"}
        asked = {"access-control-request-method": "POST", "access-control-request-headers": "x-goog-api-key, x-stainless-lang"}
        before = client.options("/upload/v1/files", headers=origin | asked)
        assert before.status_code == 200 and before.headers["access-control-allow-origin"] == "https://page.example"
        assert {"x-goog-upload-command", "x-stainless-lang"} <= set(before.headers["access-control-allow-headers"].split(", "))
        after = client.post(GENERATE, json=SAID, headers=origin)
        assert after.status_code == 200 and "X-Goog-Upload-URL" in after.headers["access-control-expose-headers"]
        assert client.post(GENERATE, json={}, headers=origin).headers["access-control-allow-origin"] == "https://page.example"

    def test_names_that_lead_here(self, begin):
        client = begin(hosts=("localhost", "127.0.0.1"), base_url="http://localhost:8756")
        assert client.get("/v1beta/models").status_code == 200
        assert client.get("/v1beta/models", headers={"host": "evil.example:8756"}).status_code == 403


class TestLeaving:
    @pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent"])
    def test_the_engine_stops_at_once(self, begin, stub, verb):
        """The client leaves in the middle of an answer that would go on for minutes."""
        stub.pause = 0.05
        app = begin().app

        async def work() -> list[dict]:
            sent: list[dict] = []
            left = asyncio.Event()
            body = json.dumps({"contents": [{"parts": [{"text": "word " * 300}]}]}).encode()
            messages = iter([{"type": "http.request", "body": body, "more_body": False}])

            async def receive():
                for message in messages:
                    return message
                await left.wait()
                return {"type": "http.disconnect"}

            async def send(message):
                sent.append(message)

            scope = {"type": "http", "method": "POST", "path": f"/v1/models/stub:{verb}", "query_string": b"alt=sse", "headers": []}
            scope |= {"client": ("127.0.0.1", 1), "scheme": "http", "server": ("testserver", 80), "root_path": ""}
            task = asyncio.ensure_future(app(scope, receive, send))
            while not stub.asked:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
            left.set()
            await asyncio.wait_for(task, 5)
            for _ in range(100):
                if not stub.load().answering:
                    return sent
                await asyncio.sleep(0.01)
            raise AssertionError("the engine goes on")

        sent = asyncio.run(work())
        assert not any(message["type"] == "http.response.body" and not message.get("more_body") for message in sent), sent


def certificate(folder) -> tuple[str, str]:
    """A certificate for this machine, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "here")]), datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(pem))
    form = serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    return str(folder / "cert.pem"), str(folder / "key.pem")


class TestOnAPort:
    def test_https(self, stub, tmp_path):
        files = certificate(tmp_path)
        with running(server_of(tmp_path / "data", stub), *files) as url:
            trusting = ssl.create_default_context(cafile=files[0])
            with urllib.request.urlopen(f"{url}/v1beta/models", context=trusting) as response:
                assert url.startswith("https://") and json.load(response)["models"][0]["name"] == "models/stub"

    def test_curl_asks_before_it_sends_much(self, stub, tmp_path):
        """``Expect: 100-continue``, a body in chunks, and a second request on the same connection."""
        with running(server_of(tmp_path, stub)) as url, connected(url) as line:
            body = json.dumps(SAID).encode()
            head = f"POST {GENERATE} HTTP/1.1\r\nhost: x\r\n".encode()
            line.sendall(head + f"expect: 100-continue\r\ncontent-length: {len(body)}\r\n\r\n".encode())
            assert line.recv(100).startswith(b"HTTP/1.1 100 Continue")
            line.sendall(body)
            assert answered(line).startswith(b"HTTP/1.1 200")
            pieces = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:9], body[9:])) + b"0\r\n\r\n"
            line.sendall(head + b"transfer-encoding: chunked\r\n\r\n" + pieces)
            assert answered(line).startswith(b"HTTP/1.1 200")


def connected(url: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))


def answered(line: socket.socket) -> bytes:
    """A response, up to the last byte that it announces."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += line.recv(4096)
    head, _, rest = data.partition(b"\r\n\r\n")
    length = next(int(row.split(b":")[1]) for row in head.split(b"\r\n") if row.lower().startswith(b"content-length"))
    while len(rest) < length:
        rest += line.recv(4096)
    return data


class TestOperations:
    def test_the_log_holds_no_words(self, begin):
        client, lines = begin(), []
        handler = logging.Handler()
        handler.emit = lambda record: lines.append(record)
        log = logging.getLogger("pollux.serve")
        log.addHandler(handler)
        level = log.level
        log.setLevel(logging.INFO)
        try:
            client.post(GENERATE + "?key=sesame", json=SAID)
        finally:
            log.removeHandler(handler)
            log.setLevel(level)
        from pollux.serve.operations.logs import Lines

        (line,) = (json.loads(Lines().format(record)) for record in lines)
        assert line["status"] == 200 and line["route"] == "/{v}/models/{model}:generateContent" and line["milliseconds"] >= 0
        assert "secret" not in str(line) and "sesame" not in str(line)

    def test_of_an_error_only_its_place(self):
        from pollux.serve.operations.logs import Lines

        try:
            raise KeyError("A secret")
        except KeyError as error:
            record = logging.LogRecord("x", 40, "", 0, "a bug", (), (KeyError, error, error.__traceback__))
        line = json.loads(Lines().format(record))
        assert line["error"] == "KeyError" and "test_serve_app.py" in line["at"][0] and "secret" not in str(line)

    def test_metrics(self, begin):
        client = begin()
        client.post(GENERATE, json=SAID)
        client.get("/nowhere")
        text = client.get("/metrics").text
        assert 'pollux_requests_total{method="POST",route="/{v}/models/{model}:generateContent",status="200"} 1.0' in text
        assert 'pollux_first_token_seconds_count{model="stub"} 1.0' in text
        assert 'pollux_tokens_total{kind="produced",model="stub"} 4.0' in text and 'pollux_engine_waiting{model="stub"} 0.0' in text
        assert "nowhere" not in text

    def test_readiness(self, begin):
        client = begin()
        assert client.get("/readyz").json() == {"status": "ready"}
        for service in client.server.services.values():
            service.ready = False
        assert client.get("/readyz").status_code == 503 and client.get("/readyz").json() == {"status": "warming up"}
        client.server.ready = False
        assert client.get("/readyz").json() == {"status": "stopping"}

    def test_a_stream_that_is_under_way_when_it_goes_away(self, begin, stub):
        client, stub.pause = begin(), 0.02
        threading.Timer(0.3, stub.close).start()
        said = {"contents": [{"parts": [{"text": "word " * 200}]}]}
        events = client.post(GENERATE.replace("generate", "streamGenerate"), params={"alt": "sse"}, json=said).text
        last = json.loads(events.strip().splitlines()[-1].removeprefix("data: "))
        assert '"text"' in events and last["error"]["code"] == 503 and last["error"]["status"] == "UNAVAILABLE"
        refused = client.post(GENERATE, json=SAID)
        assert refused.status_code == 503 and "retry-after" in refused.headers

    def test_start_and_stop(self, stub, tmp_path):
        server, said = server_of(tmp_path, stub), []
        client = TestClient(build(server))
        client.server = server

        async def opened() -> None:
            said.append("opened")

        client.server.opening.append(opened)
        with client:
            assert client.get("/readyz").status_code == 200
        assert said == ["opened"] and not client.server.ready and stub._closed


def test_the_server_never_imports_jax():
    code = "import sys, pollux.serve.app; assert not {'jax', 'pollux.engine.engine'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(SOURCE)})
