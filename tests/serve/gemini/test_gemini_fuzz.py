"""Bodies drawn from our own table of messages, sound and not: none of them is a bug.

    pytest -n 0 -m slow tests/serve/gemini/test_gemini_fuzz.py     hundreds of each kind
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from stub import Stub

from pollux.serve.app import build
from pollux.serve.gemini.messages.enums import ENUMS
from pollux.serve.gemini.wire import MESSAGES
from pollux.serve.server import Server, Settings

WAYS = {
    "models/stub:generateContent": "GenerateContentRequest", "models/stub:streamGenerateContent": "GenerateContentRequest",
    "models/stub:countTokens": "CountTokensRequest", "models/stub:embedContent": "EmbedContentRequest",
    "models/stub:batchEmbedContents": "BatchEmbedContentsRequest", "cachedContents": "CachedContent",
}  # fmt: skip
WORDS = [
    "", "Who?", "A lamp.\n\nWhich?", "files/abc", "user", "model", "application/json", "text/x.enum", "object", "f", "date-time",
    "(a|b)+", "\u2028\x00", "YQ==", "1s", "cachedContents/x",
]  # fmt: skip
TEXTS = st.sampled_from(WORDS) | st.text(max_size=5)
KEYS = st.sampled_from(["type", "properties", "items", "enum", "anyOf", "$ref", "required", "x"])
TIMES = ["2090-01-01T00:00:00Z", "2001-01-01T00:00:00Z"]
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=4,
)
SCALARS = {
    "string": TEXTS, "bytes": st.sampled_from(["", "YQ==", "-_-_", "*", "JVBERi0="]), "bool": st.booleans(),
    "number": st.sampled_from([0, 0.5, 1, 2, -1, "1.5", 1e300]), "int": st.integers(-2, 30) | st.sampled_from(["4", 2**40, 1.0]),
    "duration": st.sampled_from(["1s", "300s", "1.5s"]), "timestamp": st.sampled_from(TIMES), "any": ANY,
}  # fmt: skip


def value(kind: str | list | dict, deep: int) -> st.SearchStrategy:
    if isinstance(kind, list):
        return st.lists(value(kind[0], deep), max_size=2 if deep > 1 else 1)
    if isinstance(kind, dict):
        return st.dictionaries(st.sampled_from(["a", "b_c"]), value(kind["*"], deep), max_size=2)
    if kind in ENUMS:
        return st.sampled_from(ENUMS[kind]) | st.integers(0, 12)
    return SCALARS[kind] if kind in SCALARS else message(kind, deep - 1)


def message(kind: str, deep: int) -> st.SearchStrategy:
    """Messages of a kind with some of their fields; below a depth, none."""
    if deep <= 0:
        return st.just({})
    fields = MESSAGES[kind]
    if kind == "Part":  # one of its kinds, as most of what is sent has
        return st.one_of([st.fixed_dictionaries({name: value(each, deep)}) for name, each in fields.items()])
    return st.lists(st.sampled_from(sorted(fields)), max_size=4, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: value(fields[name], deep) for name in names})
    )


SOUND = st.sampled_from([{"role": "user", "parts": [{"text": "Which colour has the lamp?"}]}])


@st.composite
def request(draw, kind: str) -> dict:
    """A body, often with sound contents, so that what stands beside them is reached."""
    body = draw(message(kind, 6))
    sound = draw(SOUND)
    if draw(st.integers(0, 3)):
        match kind:
            case "EmbedContentRequest":
                body["content"] = sound
            case "BatchEmbedContentsRequest":
                body["requests"] = [{"content": sound}]
            case _:
                body["contents"] = [sound]
    if kind == "CachedContent":
        body["model"] = "models/stub"
    return body


class Short(Stub):
    """Ends every answer soon: what is asked for here may go on for ever."""

    def submit(self, ask, listener):
        from dataclasses import replace

        return super().submit(replace(ask, sampling=replace(ask.sampling, limit=min(ask.sampling.limit, 12))), listener)


@pytest.fixture(scope="module")
def asked(library):
    return TestClient(build(Server({"stub": Short()}, Settings(), library)), raise_server_exceptions=False)


def check(client: TestClient, way: str, body: dict) -> None:
    response = client.post(f"/v1beta/{way}", json=body)
    assert response.status_code in (200, 400, 403, 404), (response.status_code, body)
    assert response.json()


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_some(asked, way, data):
    check(asked, way, data.draw(request(WAYS[way])))


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_many(asked, way, data):
    check(asked, way, data.draw(request(WAYS[way])))
