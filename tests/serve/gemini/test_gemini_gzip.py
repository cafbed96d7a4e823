"""Answers that are compressed, and to whom."""

import gzip

import pytest

from pollux.serve.web.compress import reads_gzip

SAID = {"contents": [{"parts": [{"text": "Which colour has the lamp?"}]}]}


@pytest.mark.parametrize("path", ["/v1beta/models", "/v1beta/tunedModels"])
def test_json_is_compressed_for_those_who_read_it(client, path):
    plain = client.get(path, headers={"accept-encoding": "identity", "x-goog-api-key": "k"})
    with client.stream("GET", path, headers={"accept-encoding": "br, gzip", "x-goog-api-key": "k"}) as packed:
        raw = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    assert gzip.decompress(raw) == plain.content and int(packed.headers["content-length"]) == len(raw)
    assert "Accept-Encoding" in packed.headers["vary"]


def test_streams_and_other_surfaces_are_not(client):
    headers = {"accept-encoding": "gzip"}
    for path in ("/v1beta/models/stub:streamGenerateContent?alt=sse", "/v1beta/models/stub:streamGenerateContent"):
        assert "content-encoding" not in client.post(path, json=SAID, headers=headers).headers
    assert "content-encoding" not in client.get("/openai/v1/models", headers=headers).headers


@pytest.mark.parametrize(
    ("accepted", "reads"),
    [("gzip", True), ("br;q=1, GZIP ; q=0.5", True), ("gzip;q=0", False), ("gzip; q=0.000", False), ("br", False), ("", False)],
)
def test_who_reads_it(accepted, reads):
    assert reads_gzip(accepted) is reads
