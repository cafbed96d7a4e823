"""chat/completions and completions: what is asked, what comes back, whole and in chunks, and how errors are told."""

from __future__ import annotations

import base64
import json

import pytest
from running import server_of
from starlette.testclient import TestClient
from stub import Stub

from pollux.serve.app import build
from pollux.serve.errors import ApiError
from pollux.serve.openai.messages import contents
from pollux.serve.web.fields import Fields

CHAT, PLAIN = "/v1beta/openai/chat/completions", "/v1/completions"
QUESTION = "Where is the lamp?"
SCHEMA = {"type": "object", "properties": {"n": {"enum": [7]}}, "required": ["n"], "additionalProperties": False}
COUNT = {"type": "function", "function": {"name": "count", "description": "Counts.", "parameters": SCHEMA}}
PDF = b"%PDF-1.4 and no more"
LINK = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}


@pytest.fixture
def client(stub, tmp_path):
    return TestClient(build(server_of(tmp_path, stub)))


def asked(client: TestClient, *parts, path: str = CHAT, **fields) -> dict:
    """The answer to a question; ``parts`` in place of its text."""
    content = list(parts) or QUESTION
    messages = {"prompt": QUESTION} if path == PLAIN else {"messages": [{"role": "user", "content": content}]}
    reply = client.post(path, json={"model": "stub", **messages, **fields})
    assert reply.status_code == 200, reply.text
    return reply.json()


def refused(client: TestClient, path: str = CHAT, **fields) -> dict:
    """What is told of a request that is refused."""
    body = {"model": "stub", **({"prompt": "Hi"} if path == PLAIN else {"messages": [{"role": "user", "content": "Hi"}]}), **fields}
    reply = client.post(path, json=body)
    assert reply.status_code == 400, reply.text
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["type"] == "invalid_request_error"
    return error


def chunks(client: TestClient, path: str = CHAT, **fields) -> list[dict]:
    """The chunks of a stream; checks its form."""
    body = {"prompt": QUESTION} if path == PLAIN else {"messages": [{"role": "user", "content": QUESTION}]}
    reply = client.post(path, json={"model": "stub", "stream": True, **body, **fields})
    assert reply.status_code == 200 and reply.headers["content-type"].startswith("text/event-stream"), reply.text
    *lines, last, empty = reply.text.split("\n\n")
    assert last == "data: [DONE]" and not empty
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def file_of(data: bytes, name: str, mime: str) -> dict:
    url = f"data:{mime};base64,{base64.b64encode(data).decode()}"
    return {"type": "file", "file": {"filename": name, "file_data": url}}


def call(arguments: str) -> dict:
    return {"id": "c1", "type": "function", "function": {"name": "count", "arguments": arguments}}


class TestMessages:
    def made(self, *messages: dict) -> dict:
        return contents(Fields({"messages": list(messages)}))

    def test_every_role(self):
        made = self.made(
            {"role": "system", "content": "A."}, {"role": "developer", "content": [{"type": "text", "text": "B."}]},
            {"role": "user", "content": "How many?", "name": "me"},
            {"role": "assistant", "content": None, "tool_calls": [call('{"n": 7}')]},
            {"role": "tool", "tool_call_id": "c1", "content": "seven"}, {"role": "assistant", "content": "Seven."},
        )  # fmt: skip
        assert [part["text"] for part in made["systemInstruction"]["parts"]] == ["A.", "B."]
        assert [content["role"] for content in made["contents"]] == ["user", "model", "user", "model"]
        assert made["contents"][1]["parts"] == [{"functionCall": {"id": "c1", "name": "count", "args": {"n": 7}}}]
        result = made["contents"][2]["parts"][0]["functionResponse"]
        assert result == {"id": "c1", "name": "count", "response": {"result": "seven"}}

    @pytest.mark.parametrize(
        ("message", "param"),
        [
            ({"content": "x"}, "role"), ({"role": "cook", "content": "x"}, "role"), ({"role": "user"}, "content"),
            ({"role": "user", "content": 3}, "content"), ({"role": "user", "content": [3]}, "content[0]"),
            ({"role": "user", "content": [{"type": "smell"}]}, "content[0].type"),
            ({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}, "content[0].input_audio.data"),
            ({"role": "user", "content": [LINK]}, "content[0].image_url.url"),
            ({"role": "user", "content": [{"type": "file", "file": {}}]}, "content[0].file.file_data"),
            ({"role": "user", "content": [{"type": "file", "file": {"file_data": "data:x"}}]}, "content[0].file.file_data"),
            ({"role": "tool", "tool_call_id": "c9", "content": "x"}, "tool_call_id"),
            ({"role": "assistant", "tool_calls": [call("{")]}, "tool_calls[0].function.arguments"),
            ({"role": "assistant", "tool_calls": [call("3")]}, "tool_calls[0].function.arguments"),
        ],
    )  # fmt: skip
    def test_what_is_malformed_is_named(self, message, param):
        with pytest.raises(ApiError) as told:
            self.made(message)
        assert told.value.code == 400 and told.value.param == f"messages[0].{param}"

    def test_files_are_read_from_messages_and_from_uploads(self, client, stub):
        upload = {"x-goog-api-key": "k", "content-type": "text/plain", "x-goog-upload-protocol": "raw"}
        stored = client.post("/upload/v1/files?uploadType=media", content=b"It rained.", headers=upload).json()["file"]
        parts = [file_of(b"Green.", "lamp.txt", "text/plain"), {"type": "file", "file": {"file_id": stored["name"]}}]
        answer = asked(client, *parts, {"type": "text", "text": "What?"})
        assert [document.segments[0].text for document in stub.asked[-1].documents] == ["Green.", "It rained."]
        (found,) = answer["choices"][0]["message"]["evidence"]
        assert (found["path"], found["line"], found["text"]) == ("lamp.txt", 1, "Green.") and found["share"] > 0

    def test_pictures_and_sound_are_passed_on_and_refused_where_the_model_has_no_senses(self, client):
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}}
        sound = {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}}
        made = self.made({"role": "user", "content": [picture, sound]})["contents"][0]["parts"]
        assert made == [
            {"inlineData": {"mimeType": "image/png", "data": "aGk="}, "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}},
            {"inlineData": {"mimeType": "audio/mp3", "data": "aGk="}},
        ]
        assert "Unsupported MIME type: image/png" in refused(client, messages=[{"role": "user", "content": [picture]}])["message"]

    def test_a_pdf_is_read_also_where_it_comes_as_an_image(self, client):
        link = {"type": "image_url", "image_url": {"url": f"data:application/pdf;base64,{base64.b64encode(PDF).decode()}"}}
        message = refused(client, messages=[{"role": "user", "content": [link]}])["message"]
        assert "PDF" in message and "cannot be read: this model" not in message  # it was tried: this one is broken


class TestSettings:
    def test_all_that_is_honoured(self, client, stub):
        fields = {"temperature": 0.5, "top_p": 0.9, "max_completion_tokens": 2, "seed": -1, "stop": "x", "user": "me"}
        answer = asked(client, **fields, store=True, presence_penalty=0.5, frequency_penalty=-1, reasoning_effort="low")
        sampling = stub.asked[-1].sampling
        assert (sampling.temperature, sampling.top_p, sampling.limit, sampling.stop) == (0.5, 0.9, 2, ("x",))
        assert (sampling.presence, sampling.frequency) == (0.5, -1)
        assert sampling.seed == 0x7FFFFFFF and answer["choices"][0]["finish_reason"] == "length"

    @pytest.mark.parametrize(
        ("param", "value"),
        [
            ("temperature", 3), ("temperature", "warm"), ("temperature", True), ("top_p", -1), ("n", 0), ("n", 9), ("n", 1.5),
            ("max_tokens", 0), ("stop", [3]), ("stop", ["a"] * 6), ("presence_penalty", 3), ("frequency_penalty", -2.5),
            ("logit_bias", {"5": 1}), ("top_logprobs", 3), ("modalities", ["audio"]), ("functions", [{}]), ("stream", 1),
            ("seed", 0.5), ("audio", {"voice": "x"}), ("model", 3), ("messages", []), ("messages", "Hi"), ("messages", None),
            ("tools", 3), ("tool_choice", "maybe"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_named(self, client, param, value):
        assert refused(client, **{param: value})["param"] == param

    def test_no_json_is_told(self, client):
        for body in (b"{", b"[]", b"", b"3"):
            reply = client.post(CHAT, content=body)
            assert reply.status_code == 400 and reply.json()["error"]["message"]

    def test_cached_content_is_named_beside(self, client):
        google = {"google": {"cached_content": "cachedContents/x"}}
        for fields in (google, {"extra_body": google}):
            reply = client.post(CHAT, json={"model": "stub", "messages": [{"role": "user", "content": "Hi"}], **fields})
            assert reply.status_code == 403 and "CachedContent not found" in reply.json()["error"]["message"]


class TestAnswers:
    def test_one(self, client):
        answer = asked(client)
        (choice,) = answer["choices"]
        assert answer["object"] == "chat.completion" and answer["model"] == "stub" and answer["id"].startswith("chatcmpl-")
        assert choice["message"] == {"role": "assistant", "content": QUESTION, "refusal": None}
        assert choice["finish_reason"] == "stop" and choice["logprobs"] is None
        usage = answer["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        assert usage["prompt_tokens_details"] == {"cached_tokens": 0}

    def test_several_with_probabilities(self, client, stub):
        choices = asked(client, n=3, logprobs=True, top_logprobs=1)["choices"]
        assert [choice["index"] for choice in choices] == [0, 1, 2] and len({ask.sampling.seed for ask in stub.asked}) == 3
        tokens = choices[2]["logprobs"]["content"]
        assert b"".join(bytes(token["bytes"]) for token in tokens).decode().strip() == QUESTION
        assert all(len(token["top_logprobs"]) == 1 and token["logprob"] <= 0 for token in tokens)
        assert all(token["top_logprobs"] == [] for token in asked(client, logprobs=True)["choices"][0]["logprobs"]["content"])

    def test_json(self, client):
        form = {"type": "json_schema", "json_schema": {"name": "count", "strict": True, "schema": SCHEMA}}
        assert json.loads(asked(client, response_format=form)["choices"][0]["message"]["content"]) == {"n": 7}
        for wrong in ({}, {"json_schema": {"schema": {"type": "smell"}}}):
            assert refused(client, response_format={"type": "json_schema", **wrong})["message"]
        assert refused(client, response_format={"type": "xml"})["param"] == "response_format.type"

    def test_a_function_is_called_and_its_result_answered(self, client, stub):
        choice = asked(client, tools=[COUNT], tool_choice="required")["choices"][0]
        (call,) = choice["message"]["tool_calls"]
        assert choice["finish_reason"] == "tool_calls" and choice["message"]["content"] is None
        assert call["type"] == "function" and call["function"]["name"] == "count"
        assert json.loads(call["function"]["arguments"]) == {"n": 7}
        messages = [
            {"role": "user", "content": "How many?"}, choice["message"],
            {"role": "tool", "tool_call_id": call["id"], "content": "seven"},
        ]  # fmt: skip
        reply = client.post(CHAT, json={"model": "stub", "messages": messages, "tools": [COUNT], "tool_choice": "none"})
        assert reply.status_code == 200 and "seven" in stub.asked[-1].question

    @pytest.mark.parametrize(
        "choice",
        [
            {"type": "function", "function": {"name": "count"}},
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [COUNT]}},
        ],
    )
    def test_one_function_is_chosen_among_others(self, client, choice):
        other = {"type": "function", "function": {"name": "another"}}
        (call,) = asked(client, tools=[other, COUNT], tool_choice=choice)["choices"][0]["message"]["tool_calls"]
        assert call["function"]["name"] == "count"
        unknown = {"type": "function", "function": {"name": "nobody"}}
        assert "nobody" in refused(client, tools=[COUNT], tool_choice=unknown)["message"]


class TestChunks:
    def test_text(self, client):
        told = chunks(client, stream_options={"include_usage": True})
        first, *between, last, counts = told
        assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
        assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in between) == QUESTION
        assert [chunk["choices"][0]["finish_reason"] for chunk in (first, *between, last)] == [None] * (len(told) - 2) + ["stop"]
        assert counts["choices"] == [] and counts["usage"]["completion_tokens"] > 0 and first["usage"] is None
        assert len({chunk["id"] for chunk in told}) == 1 and {chunk["object"] for chunk in told} == {"chat.completion.chunk"}
        assert "usage" not in chunks(client)[0]

    def test_several(self, client):
        choices = [chunk["choices"][0] for chunk in chunks(client, n=2)]
        for number in range(2):
            mine = [choice for choice in choices if choice["index"] == number]
            assert "".join(choice["delta"].get("content", "") for choice in mine) == QUESTION
            assert mine[0]["delta"]["role"] == "assistant" and mine[-1]["finish_reason"] == "stop"

    def test_a_call_of_a_function(self, client):
        deltas = [chunk["choices"][0] for chunk in chunks(client, tools=[COUNT], tool_choice="required", parallel_tool_calls=False)]
        calls = [delta["delta"]["tool_calls"][0] for delta in deltas if "tool_calls" in delta["delta"]]
        assert calls[0]["id"] and calls[0]["function"] == {"name": "count", "arguments": ""} and calls[0]["index"] == 0
        assert json.loads("".join(call["function"]["arguments"] for call in calls)) == {"n": 7}
        assert deltas[-1]["finish_reason"] == "tool_calls"

    def test_probabilities(self, client):
        told = chunks(client, logprobs=True)
        tokens = [token for chunk in told for token in (chunk["choices"][0]["logprobs"] or {"content": []})["content"]]
        assert b"".join(bytes(token["bytes"]) for token in tokens).decode().strip() == QUESTION

    def test_what_fails_at_once_is_no_stream(self, tmp_path):
        client = TestClient(build(server_of(tmp_path, Stub(room=0))))
        for stream in (False, True):
            reply = client.post(CHAT, json={"model": "stub", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]})
            assert reply.status_code == 429 and reply.headers["retry-after"] and reply.json()["error"]["type"] == "rate_limit_error"


class TestPlain:
    def test_one(self, client, stub):
        answer = asked(client, path=PLAIN)
        assert answer["object"] == "text_completion" and stub.asked[-1].sampling.limit == 16
        assert answer["choices"] == [{"text": QUESTION, "index": 0, "logprobs": None, "finish_reason": "stop"}]

    def test_several_prompts_and_answers(self, client, stub):
        tokens = stub.vocabulary.encode("Three here").tolist()
        answer = asked(client, path=PLAIN, prompt=["One", tokens], n=2)
        assert [choice["text"] for choice in answer["choices"]] == ["One", "One", "Three here", "Three here"]
        assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
        assert answer["usage"]["prompt_tokens"] == sum(stub.vocabulary.encode(text).size for text in ("One", "Three here"))
        told = chunks(client, path=PLAIN, prompt=["One", "Two too"], n=2, stream_options={"include_usage": True})
        texts = ["".join(c["choices"][0]["text"] for c in told[:-1] if c["choices"][0]["index"] == number) for number in range(4)]
        assert texts == ["One", "One", "Two too", "Two too"]
        assert told[-1]["usage"]["prompt_tokens"] == sum(stub.vocabulary.encode(text).size for text in ("One", "Two too"))

    def test_probabilities(self, client):
        found = asked(client, path=PLAIN, logprobs=1)["choices"][0]["logprobs"]
        assert "".join(found["tokens"]).strip() == QUESTION and len(found["top_logprobs"]) == len(found["tokens"])
        for token, offset in zip(found["tokens"], found["text_offset"], strict=True):
            assert QUESTION[offset:].startswith(token.lstrip() if offset == 0 else token)

    @pytest.mark.parametrize(
        ("param", "value"),
        [
            ("echo", True), ("suffix", "x"), ("best_of", 3), ("logprobs", 21), ("prompt", None), ("prompt", [[1, "a"]]),
            ("prompt", [[-1]]),
        ],
    )  # fmt: skip
    def test_what_is_not_there_is_refused(self, client, param, value):
        assert refused(client, PLAIN, **{param: value})["param"].startswith(param)
