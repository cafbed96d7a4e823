"""JSON as clients write it, in one form."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pollux.serve.errors import ApiError
from pollux.serve.gemini import wire


def read(data, kind="GenerateContentRequest"):
    return wire.read(json.dumps(data).encode(), kind)


def refused(data, kind="GenerateContentRequest") -> str:
    with pytest.raises(ApiError) as told:
        read(data, kind)
    assert told.value.code == 400
    return told.value.message


def test_both_spellings_at_every_level():
    mixed = {
        "contents": [{"parts": [{"fileData": {"file_uri": "a", "mime_type": "b"}, "video_metadata": {"start_offset": "1s"}}]}],
        "generation_config": {"thinkingConfig": {"include_thoughts": True}, "response_schema": {"property_ordering": ["a_b"]}},
        "tools": [{"function_declarations": [{"name": "f", "parameters_json_schema": {"additional_properties": 1}}]}],
    }  # fmt: skip
    found = read(mixed)
    part = found["contents"][0]["parts"][0]
    assert part == {"fileData": {"fileUri": "a", "mimeType": "b"}, "videoMetadata": {"startOffset": "1s"}}
    assert found["generationConfig"]["responseSchema"] == {"propertyOrdering": ["a_b"]}
    assert found["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"] == {"additional_properties": 1}


def test_users_keys_keep_their_spelling():
    properties = {"snake_case": {"type": "string", "min_length": "1"}, "camelCase": {"type": 1}}
    call = {"name": "f", "args": {"mime_type": {"file_uri": 1}}}
    config = {"responseSchema": {"properties": properties}}
    found = read({"contents": {"parts": {"functionCall": call}}, "generationConfig": config})
    assert found["contents"][0]["parts"][0]["functionCall"] == call
    assert found["generationConfig"]["responseSchema"]["properties"] == {
        "snake_case": {"type": "STRING", "minLength": 1}, "camelCase": {"type": "STRING"},
    }  # fmt: skip


def test_numbers_and_names_in_every_form():
    config = read({"generationConfig": {"topK": 64.0, "seed": "-5", "temperature": "0.5", "responseModalities": [1, "text"]}})
    assert config["generationConfig"] == {"topK": 64.0, "seed": -5, "temperature": 0.5, "responseModalities": ["TEXT", "TEXT"]}
    assert isinstance(config["generationConfig"]["seed"], int)
    (setting,) = read({"safetySettings": [{"category": 7, "threshold": 3}]})["safetySettings"]
    assert setting == {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}


def test_null_is_not_there():
    assert read({"contents": None, "labels": {"a": None}}) == {"labels": {"a": None}}
    assert wire.read(b"", "File") == wire.read(b"  ", "File") == {}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "GenerateContentRequest"), ({"content": []}, 'Unknown name "content"'), ({"contents": "x"}, "contents[0]"),
        ({"contents": [{"parts": [{"text": 1}]}]}, "contents[0].parts[0].text"), ({"store": "yes"}, "TYPE_BOOL"),
        ({"generationConfig": {"topK": True}}, "generationConfig.topK"), ({"generationConfig": {"seed": 1.5}}, "TYPE_INT64"),
        ({"generationConfig": {"temperature": "NaN"}}, "TYPE_FLOAT"), ({"safetySettings": [{"category": "X"}]}, "HarmCategory"),
        ({"safetySettings": [{"category": 99}]}, "HarmCategory"), ({"generationConfig": {"seed": "1e999"}}, "TYPE_INT64"),
        ({"contents": [{"parts": [{"text": "", "videoMetadata": {"startOffset": "1"}}]}]}, "Duration"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_with_its_place(data, words):
    assert words in refused(data)


def test_times():
    for good in ("2026-11-22T00:00:00Z", "2026-11-22T01:00:00.123456789+01:00"):
        assert wire.time_of(read({"expireTime": good}, "CachedContent")["expireTime"]).isoformat().startswith("2026-11-22T00:00:00")
    for bad in ("2026-13-01T00:00:00Z", "tomorrow", 5, "2026-11-22", "0001-01-01T00:00:00+23:59"):
        assert "Timestamp" in refused({"expireTime": bad}, "CachedContent")
    assert wire.seconds_of(read({"ttl": "1.5s"}, "CachedContent")["ttl"]) == 1.5
    assert "Duration" in refused({"ttl": "-1s"}, "CachedContent")


def test_deep_bodies_are_refused_not_followed():
    schema: dict = {"type": "STRING"}
    for _ in range(200):
        schema = {"type": "ARRAY", "items": schema}
    assert "deep" in refused({"generationConfig": {"responseSchema": schema}})
    with pytest.raises(ApiError):
        wire.read(b"[" * 100_000, "GenerateContentRequest")


NAMES = st.sampled_from(["contents", "parts", "text", "role", "generationConfig", "topK", "tools", "x"])
SCALARS = st.none() | st.booleans() | st.floats() | st.integers() | st.text()


@settings(max_examples=60, deadline=None)
@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=12))
def test_any_json_is_read_or_refused(data):
    try:
        wire.message(data, "GenerateContentRequest")
    except ApiError as error:
        assert error.code == 400 and json.loads(wire.dumps(error.google()))


@pytest.mark.parametrize("text", ["-_-_", "+/+/", "+/+/+w==", "-_-_-w", "+/+/\n+w=="])
def test_base64_in_both_alphabets(text):
    assert wire.bytes_of(text)[:3] == b"\xfb\xff\xbf"


@pytest.mark.parametrize("text", ["ä", "a", "a b", "####"])
def test_what_is_no_base64(text):
    with pytest.raises(ApiError) as told:
        wire.bytes_of(text, "contents[0].parts[0].inlineData.data")
    assert "inlineData.data" in told.value.message


def test_an_event_is_one_line():
    event = wire.sse({"text": "a\nb\u2028c\u2029d\u0085e ü \udcff"})
    assert event == b'data: {"text":"a\\nb\\u2028c\\u2029d\\u0085e \xc3\xbc \xef\xbf\xbd"}\n\n'
    assert len(event.decode().splitlines()) == 2
