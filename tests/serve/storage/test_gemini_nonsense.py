"""Whatever is sent, it is never the server's fault: no request to files, cached contents and batches is answered with a 5xx."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

NAMES = (
    "file", "name", "displayName", "mime_type", "size_bytes", "model", "contents", "parts", "text", "role", "ttl", "expireTime",
    "systemInstruction", "tools", "toolConfig", "batch", "inputConfig", "fileName", "requests", "request", "metadata", "priority",
    "fileData", "file_uri", "inlineData", "data", "functionDeclarations", "usageMetadata",
)  # fmt: skip
VALUES = (
    "models/stub", "files/x", "user", "0s", "1.5s", "9999999999999s", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "-1",
    "\0", "é", "x" * 3000, "9223372036854775807", "text/plain", "a/b; c", "data:,[//", "",
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(VALUES) | st.text(max_size=5)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)),
    max_leaves=12,
)
PATHS = (
    ("POST", "/v1beta/cachedContents"), ("POST", "/v1beta/models/stub:batchGenerateContent"), ("PUT", "/upload/v1beta/files"),
    ("POST", "/upload/v1beta/files"), ("POST", "/v1beta/models/stub:asyncBatchEmbedContent"), ("DELETE", "/v1/batches/%20"),
    ("GET", "/v1beta/files"), ("GET", "/v1beta/cachedContents"), ("GET", "/v1beta/batches"), ("PATCH", "/v1beta/cachedContents/x"),
    ("GET", "/v1beta/files/%00"), ("DELETE", "/v1beta/files/%ff%fe"), ("GET", "/v1beta/files/a:download"),
    ("POST", "/v1/batches/x:cancel"), ("GET", "/v1/cachedContents/%F0%9F%98%80"),
)  # fmt: skip
QUERIES = ("pageSize", "pageToken", "updateMask", "uploadType", "upload_id", "upload_protocol", "alt")
HEADERS = (
    "x-goog-upload-command", "x-goog-upload-protocol", "x-goog-upload-offset", "x-goog-upload-header-content-length",
    "x-goog-upload-header-content-type", "x-goog-upload-file-name", "x-forwarded-host", "x-forwarded-prefix", "content-type",
)  # fmt: skip
WORDS = ("start", "upload", "upload, finalize", "resumable", "multipart", "media", "0", "-1", "9" * 30, "ff", "text/plain", "é", "")
words = st.sampled_from(WORDS)
queries, headings = (st.dictionaries(st.sampled_from(names), words) for names in (QUERIES, HEADERS))
START = {"x-goog-upload-command": "start", "x-goog-upload-protocol": "resumable"}


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(PATHS), JSON, queries, headings)
@example(PATHS[3], {"file": {"display_name": "\0", "mime_type": "a/b", "name": "é"}}, {}, START)
@example(PATHS[0], {"model": "models/stub", "contents": [{"parts": [{"text": "x"}]}], "expireTime": "9999-12-31T23:59:59Z"}, {}, {})
@example(PATHS[3], {"file": {}}, {}, START | {"x-goog-upload-file-name": "data:,[//é"})
def test_nonsense_is_the_callers(client, path, body, query, headers):
    sent = {"content-type": "application/json"} | {name: value.encode() for name, value in headers.items()}
    answer = client.request(*path, content=json.dumps(body).encode(), params=query, headers=sent)
    assert answer.status_code < 500, answer.text
    if answer.status_code != 200:
        assert set(answer.json()["error"]) >= {"code", "message", "status"}
