"""Where OpenAI's clients find us, what is not there, who may ask; and embeddings."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from running import server_of
from starlette.testclient import TestClient
from stub import Stub

from pollux.serve.app import build
from pollux.serve.operations.keys import Keys, digest

MESSAGES = [{"role": "user", "content": "Where is the lamp?"}]


@pytest.fixture
def client(stub, tmp_path):
    return TestClient(build(server_of(tmp_path, stub)))


class TestPlaces:
    @pytest.mark.parametrize("place", ["/v1", "/v1beta/openai", "/v1/openai", "/openai/v1"])
    def test_everything_is_at_each(self, client, place):
        assert client.get(f"{place}/models").json()["data"][0]["id"] == "stub"
        assert client.get(f"{place}/models/stub").json()["object"] == "model"
        assert client.post(f"{place}/chat/completions", json={"model": "stub", "messages": MESSAGES}).json()["choices"]
        reply = client.get(f"{place}/models/nobody")
        assert reply.status_code == 404 and "stub" in reply.json()["error"]["message"]

    def test_colliding_paths_are_told_apart_by_the_caller(self, client):
        assert "models" in client.get("/v1/models", headers={"x-goog-api-key": "k"}).json()
        assert "data" in client.get("/v1/models", headers={"authorization": "Bearer k"}).json()

    @pytest.mark.parametrize("path", ["/v1/files", "/v1/batches", "/v1/responses", "/openai/v1/files/file-1", "/v1/moderations"])
    def test_what_is_not_there_says_what_is(self, client, path):
        reply = client.get(path, headers={"authorization": "Bearer k"})
        assert reply.status_code == 404 and reply.json()["error"]["message"].startswith(path.split("/v1")[1][:6])

    def test_a_wrong_key_is_401(self, stub, tmp_path):
        client = TestClient(build(server_of(tmp_path, stub, keys=Keys(True, {digest("good"): "me"}))))
        for headers in ({}, {"authorization": "Bearer bad"}):
            reply = client.get("/v1/models", headers=headers)
            assert reply.status_code == 401 and reply.json()["error"]["code"] == "invalid_api_key"
        assert client.get("/v1/models", headers={"authorization": "Bearer good"}).status_code == 200


class TestEmbeddings:
    @pytest.mark.parametrize("form", ["float", "base64", None])
    def test_every_form_is_the_same_vector(self, client, form):
        body = {"model": "stub", "input": ["a", "bc"], "dimensions": 8} | ({"encoding_format": form} if form else {})
        reply = client.post("/v1/embeddings", json=body).json()
        assert [each["index"] for each in reply["data"]] == [0, 1]
        assert reply["usage"]["prompt_tokens"] == reply["usage"]["total_tokens"] > 0
        values = [each["embedding"] for each in reply["data"]]
        rows = np.array([np.frombuffer(base64.b64decode(v), "<f4") for v in values] if form == "base64" else values, np.float32)
        whole = Stub().embed(["a", "bc"])[:, :8]
        np.testing.assert_allclose(rows, whole / np.linalg.norm(whole, axis=1, keepdims=True), rtol=1e-6)

    def test_tokens_are_read(self, client, stub):
        tokens = stub.vocabulary.encode("abc").tolist()
        replies = [client.post("/v1/embeddings", json={"model": "stub", "input": given}) for given in ("abc", tokens, [tokens])]
        first, *others = [reply.json()["data"] for reply in replies]
        assert others == [first, first]

    @pytest.mark.parametrize(
        ("param", "value"),
        [("input", None), ("input", []), ("input", " "), ("input", 3), ("dimensions", 99), ("encoding_format", "x")],
    )
    def test_what_is_wrong_is_named(self, client, param, value):
        reply = client.post("/v1/embeddings", json={"model": "stub", "input": "a"} | {param: value})
        assert reply.status_code == 400 and reply.json()["error"]["param"].startswith(param)
