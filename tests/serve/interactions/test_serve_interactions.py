"""Interactions: what is given as steps, what comes back, streams that go on, and what is kept."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import time

import pytest
from running import running, server_of
from starlette.testclient import TestClient
from stub import Stub

from pollux.serve.app import build
from pollux.serve.errors import ApiError
from pollux.serve.interactions.events import START, events, position
from pollux.serve.interactions.record import Record
from pollux.serve.interactions.request import body
from pollux.serve.interactions.run import Run, fold
from pollux.serve.interactions.steps import contents, steps
from pollux.serve.web.fields import Fields

BASE = "/v1beta/interactions"
COUNT = {
    "type": "function", "name": "count", "description": "Counts.",
    "parameters": {
        "type": "object", "properties": {"n": {"type": "integer", "enum": [7]}}, "required": ["n"], "additionalProperties": False,
    },
}  # fmt: skip


@pytest.fixture
def client(stub, tmp_path):
    return TestClient(build(server_of(tmp_path, stub)))


def created(client: TestClient, given, **fields) -> dict:
    reply = client.post(BASE, json={"model": "stub", "input": given, **fields})
    assert reply.status_code == 200, reply.text
    return reply.json()


def document(text: str, question: str) -> list[dict]:
    """A question about a file."""
    data = base64.b64encode(text.encode()).decode()
    return [{"type": "document", "data": data, "mime_type": "text/plain"}, {"type": "text", "text": question}]


def refused(client: TestClient, **fields) -> str:
    reply = client.post(BASE, json={"model": "stub", "input": "Hi", **fields})
    assert reply.status_code == 400, reply.text
    return reply.json()["error"]["message"]


def heard(text: str) -> list[dict]:
    """The events of a stream; checks its form (contract §9)."""
    *blocks, last, empty = text.split("\n\n")
    assert last == "event: done\ndata: [DONE]" and not empty
    found = []
    for block in blocks:
        kind, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert kind == f"event: {found[-1]['event_type']}"
    return found


def answer(told: list[dict]) -> str:
    return "".join(event["delta"]["text"] for event in told if event["event_type"] == "step.delta" and "text" in event["delta"])


class TestSteps:
    def made(self, given) -> list[dict]:
        return steps(Fields({"input": given}))

    def test_every_form_of_input(self):
        text = {"type": "text", "text": "Hi"}
        one = [{"type": "user_input", "content": [text]}]
        assert self.made("Hi") == self.made(text) == self.made([text]) == self.made(one) == one
        assert self.made([{"role": "user", "content": "Hi"}]) == one
        assert self.made([text, text]) == [{"type": "user_input", "content": [text, text]}]
        said = {"type": "model_output", "content": [text]}
        assert self.made([*one, said, *one]) == [*one, said, *one]

    @pytest.mark.parametrize(
        ("given", "where"),
        [
            (None, "input"), ([], "input"), (3, "input"), ([3], "input[0]"), ([{"type": "smell"}], "input[0].type"),
            ([{"type": "text"}], "input[0].text"), ([{"type": "document"}], "input[0].data"),
            ({"type": "text", "text": 3}, "input.text"),
            ([{"role": "cook", "content": "x"}], "input[0].role"), ([{"type": "function_call"}], "input[0].name"),
            ([{"type": "function_result", "call_id": "a"}], "input[0].result"),
            ([{"type": "user_input", "content": [{"type": "text", "text": 1}]}], "input[0].content[0].text"),
        ],
    )  # fmt: skip
    def test_what_is_malformed_is_named(self, given, where):
        with pytest.raises(ApiError) as told:
            self.made(given)
        assert told.value.code == 400 and told.value.message.startswith(where + ":")

    def test_calls_and_results_become_parts(self):
        call = {"type": "function_call", "id": "c1", "name": "count", "arguments": {"n": 7}}
        results = ["seven", {"n": 7}, [{"type": "text", "text": "seven"}]]
        given = [call] + [{"type": "function_result", "call_id": "c1", "result": result} for result in results]
        made = contents(self.made([*given, {**given[1], "is_error": True}, {"type": "thought"}]))
        assert made[0] == {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "count", "args": {"n": 7}}}]}
        responses = [content["parts"][0]["functionResponse"] for content in made[1:]]
        assert [each["response"] for each in responses] == [{"result": "seven"}, {"n": 7}, {"result": "seven"}, {"error": "seven"}]
        assert {each["name"] for each in responses} == {"count"} and {content["role"] for content in made[1:]} == {"user"}


class TestRequest:
    def test_settings_tools_and_form(self):
        config = {
            "temperature": 0.5, "top_p": 0.9, "max_output_tokens": 5, "seed": -1, "stop_sequences": ["x"], "thinking_level": "low",
            "tool_choice": {"allowed_tools": {"mode": "any", "tools": ["count"]}},
        }  # fmt: skip
        request = Fields({"generation_config": config, "tools": [COUNT], "system_instruction": "Be brief.", "input": "Hi"})
        made = body(request, steps(request))
        assert made["generationConfig"] == {
            "temperature": 0.5, "topP": 0.9, "maxOutputTokens": 5, "seed": 0x7FFFFFFF, "stopSequences": ["x"]
        }  # fmt: skip
        assert made["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"] == COUNT["parameters"]
        assert made["toolConfig"]["functionCallingConfig"] == {"mode": "ANY", "allowedFunctionNames": ["count"]}
        assert made["systemInstruction"] == {"parts": [{"text": "Be brief."}]}

    @pytest.mark.parametrize(
        "form",
        [
            {"type": "text", "mime_type": "application/json", "schema": {"type": "object"}},
            [{"type": "text", "schema": {"type": "object"}}], {"type": "object"},
        ],
    )  # fmt: skip
    def test_every_form_of_a_schema(self, form):
        config = body(Fields({"response_format": form}), [])["generationConfig"]
        assert config == {"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}}

    @pytest.mark.parametrize(
        "fields",
        [
            {"agent": "deep-research"}, {"environment": "remote"}, {"webhook_config": {"uri": "x"}}, {"stream": "yes"},
            {"response_modalities": ["audio"]}, {"tools": [{"type": "google_search"}]}, {"generation_config": {"temperature": 3}},
            {"generation_config": {"tool_choice": "maybe"}, "tools": [COUNT]}, {"response_format": {"type": "image"}},
            {"background": True, "store": False},
            {"input": [{"type": "image", "data": "AAAA", "mime_type": "image/png"}]}, {"model": 3},
        ],
    )  # fmt: skip
    def test_what_is_not_there_is_refused(self, client, fields):
        assert refused(client, **fields)


class TestAnswers:
    def test_one(self, client):
        made = created(client, "Where is the lamp?", system_instruction="Be brief.", labels={"a": "b"})
        assert (made["object"], made["status"], made["model"]) == ("interaction", "completed", "stub")
        assert made["system_instruction"] == "Be brief." and made["labels"] == {"a": "b"} and made["id"].startswith("v1_")
        (step,) = made["steps"]
        assert step["type"] == "model_output" and step["content"][0]["text"] == "Where is the lamp?"
        usage = made["usage"]
        assert usage["total_tokens"] == usage["total_input_tokens"] + usage["total_output_tokens"]
        assert sum(each["tokens"] for each in usage["input_tokens_by_modality"]) == usage["total_input_tokens"]

    def test_where_it_was_found_is_an_annotation(self, client):
        made = created(client, document("Es regnete früh.", "Wann, früh?"))
        (cited,) = made["steps"][0]["content"][0]["annotations"]
        assert cited["type"] == "file_citation" and cited["source"] == "Es regnete früh." and cited["custom_metadata"]["line"] == 1
        assert (cited["start_index"], cited["end_index"]) == (0, len("Wann, früh?".encode()))

    def test_an_answer_that_was_cut_is_incomplete(self, client):
        assert created(client, "one two three", generation_config={"max_output_tokens": 1})["status"] == "incomplete"

    def test_a_chain_is_a_conversation(self, client, stub):
        first = created(client, "One.", system_instruction="Be brief.")
        second = created(client, "Two.", previous_interaction_id=first["id"])
        third = created(client, "Three?", previous_interaction_id=second["id"])
        assert stub.asked[-1].turns == (("One.", "One."), ("Two.", "Two."))
        assert stub.asked[-1].documents == ()  # an instruction is for one interaction
        assert third["previous_interaction_id"] == second["id"]

    def test_functions(self, client, stub):
        fields = {"tools": [COUNT], "generation_config": {"tool_choice": "any"}}
        made = created(client, "How many?", **fields)
        call = made["steps"][-1]
        assert made["status"] == "requires_action" and call["type"] == "function_call"
        assert (call["name"], call["arguments"]) == ("count", {"n": 7})
        result = [{"type": "function_result", "call_id": call["id"], "result": {"count": 7}}]
        done = created(client, result, previous_interaction_id=made["id"])
        assert done["status"] == "completed" and "7" in stub.asked[-1].question
        told = heard(client.post(BASE, json={"model": "stub", "input": "How many?", "stream": True, **fields}).text)
        (delta,) = [event["delta"] for event in told if event["event_type"] == "step.delta"]
        assert delta["type"] == "arguments_delta" and json.loads(delta["arguments"]) == {"n": 7}
        assert told[-1]["interaction"]["status"] == "requires_action"

    def test_a_schema(self, client):
        schema = {"type": "object", "properties": {"n": {"enum": [7]}}, "required": ["n"], "additionalProperties": False}
        made = created(client, "Which?", response_format={"type": "text", "mime_type": "application/json", "schema": schema})
        assert json.loads(made["steps"][0]["content"][0]["text"]) == {"n": 7}

    def test_a_failure_is_told_in_googles_form_and_kept(self, tmp_path):
        client = TestClient(build(server_of(tmp_path, Stub(room=0))))
        reply = client.post(BASE, json={"model": "stub", "input": "Hi"})
        assert reply.status_code == 429 and reply.json()["error"]["status"] == "RESOURCE_EXHAUSTED"
        assert client.post(BASE, json={"model": "stub", "input": "Hi", "stream": True}).status_code == 429
        assert client.post(BASE, json={"model": "nobody", "input": "Hi"}).status_code == 404


class TestStreams:
    def test_the_events_in_order(self, client):
        told = heard(client.post(BASE, json={"model": "stub", "input": "one two three", "stream": True}).text)
        kinds = [event["event_type"] for event in told]
        assert kinds[:3] == ["interaction.created", "interaction.status_update", "step.start"]
        assert kinds[-2:] == ["step.stop", "interaction.completed"] and set(kinds[3:-2]) == {"step.delta"}
        assert answer(told) == "one two three" and told[-1]["interaction"]["usage"]["total_output_tokens"] == 3
        assert len({event["event_id"] for event in told}) == len(told)

    def test_every_event_can_be_gone_on_behind(self, client):
        given = document("Rain.", "What fell?")
        told = heard(client.post(BASE, json={"model": "stub", "input": given, "stream": True}).text)
        assert any(event.get("delta", {}).get("type") == "text_annotation_delta" for event in told)
        path = f"{BASE}/{told[0]['interaction']['id']}?stream=true&last_event_id="
        for number, event in enumerate(told):
            rest = heard(client.get(path + event["event_id"]).text)
            assert answer(told[: number + 1]) + answer(rest) == "What fell?"
            others = [event["event_type"] for event in told[number + 1 :] if event["event_type"] != "step.delta"]
            assert [event["event_type"] for event in rest if event["event_type"] != "step.delta"] == others
        assert client.get(path + "soon").status_code == 400

    def test_one_that_grows_is_told_once(self):
        record, told, after = Record("v1_a", "stub", "", ""), [], START
        call = {"functionCall": {"id": "c", "name": "f", "args": {"a": 1}}}
        for part in ({"text": "Ü"}, {"text": ""}, {"text": "ber"}, call, {"text": "end"}):
            fold(record, {"candidates": [{"content": {"parts": [part]}}]})
            for place, event in events(record, after):
                told.append(event)
                after = place
        record.status = "completed"
        told += [event for _, event in events(record, after)]
        whole = [event for _, event in events(record, START)]
        texts = [event for event in told if event.get("delta", {}).get("type") == "text"]
        assert [event["delta"]["text"] for event in texts] == ["Ü", "ber", "end"]
        assert [event for event in told if event not in texts] == [event for event in whole if "text" not in event.get("delta", {})]
        assert answer(told) == answer(whole) == "Überend"
        assert [event["index"] for event in told if event["event_type"] == "step.start"] == [0, 1, 2]

    def test_a_slow_listener_misses_nothing(self):
        async def chunks():
            for text in ("one", " two", " three"):
                yield {"candidates": [{"content": {"parts": [{"text": text}]}}]}
                await asyncio.sleep(0.01)

        async def listen() -> list[bytes]:
            run, told = Run(Record("v1_a", "stub", "", ""), chunks(), lambda record: None), []
            async for event in run.follow(START):
                told.append(event)
                await asyncio.sleep(0.015)
            return told

        told = heard(b"".join(asyncio.run(listen())).decode())
        assert answer(told) == "one two three"
        kinds = [event["event_type"] for event in told if event["event_type"] != "step.delta"]
        assert kinds == ["interaction.created", "interaction.status_update", "step.start", "step.stop", "interaction.completed"]

    @pytest.mark.parametrize("event_id", ["x", "1", "1.", ".1", "-1.0", "1.0.0", "9" * 30 + ".0"])
    def test_a_wrong_id_is_refused(self, event_id):
        with pytest.raises(ApiError):
            position(event_id)


class TestKept:
    def test_one_can_be_got_and_deleted(self, client):
        made = created(client, "Hi")
        assert client.get(f"{BASE}/{made['id']}").json() == made
        whole = client.get(f"{BASE}/{made['id']}?include_input=true").json()
        assert whole["input"] == [{"type": "user_input", "content": [{"type": "text", "text": "Hi"}]}]
        assert client.delete(f"{BASE}/{made['id']}").json() == {}
        assert client.get(f"{BASE}/{made['id']}").status_code == client.delete(f"{BASE}/{made['id']}").status_code == 404

    def test_what_is_not_to_be_stored_is_not(self, client):
        made = created(client, "Hi", store=False)
        assert client.get(f"{BASE}/{made['id']}").status_code == 404

    def test_a_chain_with_a_gap_is_refused(self, client):
        first = created(client, "One.")
        second = created(client, "Two.", previous_interaction_id=first["id"])
        client.delete(f"{BASE}/{first['id']}")
        for previous in (first["id"], second["id"], "v1_never"):
            reply = client.post(BASE, json={"model": "stub", "input": "Three?", "previous_interaction_id": previous})
            assert reply.status_code == 404, previous

    def test_a_restart_forgets_nothing(self, tmp_path):
        server = server_of(tmp_path, Stub())
        made = created(TestClient(build(server)), "One.")
        server.library.interactions.add(Record("v1_cut", "stub", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", input=[]))
        server.library.close()
        stub = Stub()
        client = TestClient(build(server_of(tmp_path, stub)))
        assert client.get(f"{BASE}/{made['id']}").json() == made
        created(client, "Two?", previous_interaction_id=made["id"])
        assert stub.asked[-1].turns == (("One.", "One."),)
        cut = client.get(f"{BASE}/v1_cut").json()
        assert cut["status"] == "failed" and cut["errors"][0]["code"] == "503"

    def test_steps_are_rows(self, stub, tmp_path):
        server = server_of(tmp_path, stub)
        turns = [{"role": role, "content": text} for role, text in (("user", "a"), ("model", "b"), ("user", "c"))]
        created(TestClient(build(server)), turns)
        (row,) = server.library.database.rows("SELECT count(*) AS count FROM interaction_steps")
        assert row["count"] == 4


class TestBackground:
    @pytest.fixture
    def client(self, tmp_path):
        with TestClient(build(server_of(tmp_path, Stub(pause=0.02)))) as client:
            yield client

    def test_one_goes_on_by_itself_and_can_be_followed(self, client):
        made = created(client, "one two three", background=True)
        assert made["status"] == "in_progress"
        told = heard(client.get(f"{BASE}/{made['id']}?stream=true").text)
        assert answer(told) == "one two three" and told[-1]["interaction"]["status"] == "completed"
        assert client.get(f"{BASE}/{made['id']}").json()["status"] == "completed"

    def test_one_can_be_cancelled_once(self, client):
        made = created(client, "word " * 200, background=True)
        time.sleep(0.2)
        for _ in range(2):
            assert client.post(f"{BASE}/{made['id']}/cancel").json()["status"] == "cancelled"
        kept = client.get(f"{BASE}/{made['id']}").json()
        assert kept["status"] == "cancelled" and kept["steps"][0]["content"][0]["text"].startswith("word")
        assert client.post(f"{BASE}/{created(client, 'Hi')['id']}/cancel").status_code == 400

    def test_one_that_is_still_answered_is_not_gone_on_from(self, client):
        made = created(client, "word " * 200, background=True)
        assert "still" in refused(client, previous_interaction_id=made["id"])
        assert client.delete(f"{BASE}/{made['id']}").json() == {}
        assert client.get(f"{BASE}/{made['id']}").status_code == 404


@pytest.mark.parametrize("stream", [False, True])
def test_the_engine_is_told_when_the_client_leaves(stream, tmp_path):
    stub = Stub(pause=0.05)
    with running(server_of(tmp_path, stub)) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        connection.request("POST", BASE, json.dumps({"model": "stub", "input": "word " * 200, "stream": stream}))
        time.sleep(0.4)
        assert stub.load().answering == 1
        if stream:
            connection.getresponse().fp.read(10)
        connection.sock.close() if connection.sock else None
        connection.close()
        deadline = time.monotonic() + 3
        while stub.load().answering and time.monotonic() < deadline:
            time.sleep(0.02)
        assert stub.load().answering == 0
