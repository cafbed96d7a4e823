"""Forms of answers through the whole application: schemas, enums and functions as requests have them."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from pollux.serve.app import build
from pollux.serve.server import Server, Settings
from pollux.serve.storage.library import Library

_LETTER = {"type": "object", "properties": {"first_letter": {"enum": ["K"]}}, "required": ["first_letter"]}
CITY = {"name": "get_city", "parametersJsonSchema": _LETTER}
SCHEMA = {
    "type": "object",
    "properties": {
        "some_name": {"type": "string", "maxLength": 3},
        "count": {"$ref": "#/$defs/Count"},
        "of": {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 3},
    },
    "required": ["some_name", "count", "of"],
    "$defs": {"Count": {"type": "integer", "minimum": 12, "maximum": 99}},
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    library = Library.open(tmp_path_factory.mktemp("library"))
    yield library
    library.close()


@pytest.fixture
def post(stub, library):
    client = TestClient(build(Server({"stub": stub}, Settings(data=library.folder), library)))

    def send(verb="generateContent", **more):
        body = {"contents": [{"parts": [{"text": "Which?"}]}], **more}
        return client.post(f"/v1beta/models/stub:{verb}", json=body)

    return send


def json_of(schema, key="responseJsonSchema") -> dict:
    return {"generationConfig": {"responseMimeType": "application/json", key: schema, "maxOutputTokens": 200}}


def text(reply: dict) -> str:
    return "".join(part["text"] for part in reply["candidates"][0]["content"]["parts"])


@pytest.mark.parametrize("key", ["responseJsonSchema", "response_json_schema"])
def test_json_by_a_schema(post, key):
    reply = post(**json_of(SCHEMA, key)).json()
    value = json.loads(text(reply))
    Draft202012Validator(SCHEMA).validate(value)
    assert list(value) == ["some_name", "count", "of"]
    assert reply["candidates"][0]["finishReason"] == "STOP"


def test_a_stream_is_the_same_text(post):
    events = post("streamGenerateContent?alt=sse", **json_of(SCHEMA)).text.split("\n\n")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events if event]
    assert "".join(map(text, chunks)) == text(post(**json_of(SCHEMA)).json()) and len(chunks) > 2


def test_googles_schema_in_either_spelling(post):
    schema = {
        "type": "OBJECT",
        "properties": {"a_b": {"type": "STRING", "enum": ["x_y"]}, "n": {"type": "INTEGER", "minimum": 1, "maximum": 1}},
        "property_ordering": ["n", "a_b"],
        "required": ["a_b", "n"],
    }
    reply = post(**json_of(schema, "response_schema")).json()
    assert text(reply) == '{"n":1,"a_b":"x_y"}'


def test_any_json_and_an_enum(post):
    cut = post(generationConfig={"responseMimeType": "application/json", "maxOutputTokens": 20}).json()
    assert text(cut).startswith('"') and cut["candidates"][0]["finishReason"] == "MAX_TOKENS"
    form = {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["blue sky", "red"]}}
    assert text(post(generationConfig=form).json()) in ("blue sky", "red")


def test_a_call_is_one_whole_part(post):
    wanted = {"tools": [{"function_declarations": [CITY]}], "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}
    (part,) = post(**wanted).json()["candidates"][0]["content"]["parts"]
    assert part["functionCall"].pop("id")
    assert part["functionCall"] == {"name": "get_city", "args": {"first_letter": "K"}}
    events = post("streamGenerateContent?alt=sse", **wanted).text.split("\n\n")
    parts = [part for event in events if event for part in json.loads(event[6:])["candidates"][0]["content"]["parts"]]
    assert [part["functionCall"]["name"] for part in parts if "functionCall" in part] == ["get_city"]
    assert not "".join(part.get("text", "") for part in parts)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (json_of({"type": "object", "properties": {"a_b": {"not": {}, "uniqueItems": True}}}), "properties.a_b.uniqueItems"),
        (json_of({"type": "string", "pattern": "(?=a)b"}), "pattern"),
        (json_of({"$ref": "#/$defs/None"}), "$ref"),
        ({"tools": [{"functionDeclarations": [CITY, CITY]}]}, "declared twice"),
        ({"tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object", "if": {}}}]}]}, "if"),
    ],
)
def test_what_cannot_be_held_to_is_a_bad_request(post, more, words):
    reply = post(**more)
    assert reply.status_code == 400 and words in reply.json()["error"]["message"]
