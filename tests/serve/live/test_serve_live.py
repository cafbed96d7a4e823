"""Live sessions: setup, turns, interruption, functions, tokens, and how a session is refused or ends."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from running import running, server_of
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from stub import Stub
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from pollux.serve.app import build
from pollux.serve.operations.keys import Keys, digest

PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
SETUP = {"setup": {"model": "models/stub", "generationConfig": {"responseModalities": ["TEXT"]}}}
COUNT = {
    "name": "count", "description": "Counts.",
    "parametersJsonSchema": {
        "type": "object", "properties": {"n": {"type": "integer", "enum": [7]}}, "required": ["n"], "additionalProperties": False,
    },
}  # fmt: skip


@pytest.fixture
def server(stub, tmp_path):
    return server_of(tmp_path, stub)


@pytest.fixture
def client(server):
    return TestClient(build(server))


def said(text: str, *, done: bool = True) -> dict:
    return {"clientContent": {"turns": [{"role": "user", "parts": [{"text": text}]}], "turnComplete": done}}


def begun(client: TestClient, setup: dict = SETUP, path: str = PATH):
    """A session behind its setup."""
    socket = client.websocket_connect("ws://testserver" + path).__enter__()
    socket.send_json(setup)
    assert json.loads(socket.receive_bytes())["setupComplete"]["sessionId"]
    return socket


def turn(socket) -> list[dict]:
    """What comes up to the end of a turn, or up to a call of a function."""
    messages = []
    while not messages or not (messages[-1].get("serverContent", {}).get("turnComplete") or "toolCall" in messages[-1]):
        messages.append(json.loads(socket.receive_bytes()))
    return messages


def text(messages: list[dict]) -> str:
    contents = [message.get("serverContent", {}) for message in messages]
    return "".join(part["text"] for content in contents for part in content.get("modelTurn", {}).get("parts", []))


def closed(client: TestClient, *messages: dict, path: str = PATH) -> tuple[int, str]:
    """How a session is closed after these messages."""
    with client.websocket_connect("ws://testserver" + path) as socket, pytest.raises(WebSocketDisconnect) as told:
        for message in messages:
            socket.send_json(message)
        while True:
            socket.receive_bytes()
    return told.value.code, told.value.reason


class TestTurns:
    def test_an_answer_comes_in_pieces_and_ends_with_the_counts(self, client):
        socket = begun(client)
        socket.send_json(said("Hello you there"))
        messages = turn(socket)
        assert text(messages) == "Hello you there" and len(messages) > 4
        assert messages[-2] == {"serverContent": {"generationComplete": True}}
        counts = messages[-1]["usageMetadata"]
        assert counts["totalTokenCount"] == counts["promptTokenCount"] + counts["responseTokenCount"]
        assert not any(name.startswith("candidates") for name in counts)

    def test_both_spellings_binary_frames_and_double_slashes_are_taken(self, client, stub):
        socket = client.websocket_connect("ws://testserver/" + PATH.replace("v1beta", "v1alpha")).__enter__()
        setup = {"setup": {"model": "stub", "system_instruction": {"parts": [{"text": "Be brief."}]}}}
        socket.send_bytes(json.dumps(setup).encode())
        assert "setupComplete" in json.loads(socket.receive_bytes())
        socket.send_json({"client_content": {"turns": [{"parts": [{"text": "Hi there"}]}], "turn_complete": True}})
        assert text(turn(socket)) == "Hi there"
        assert stub.asked[-1].documents[0].segments[0].text == "Be brief."

    def test_turns_follow_each_other_and_may_come_in_parts(self, client, stub):
        socket = begun(client)
        socket.send_json(said("One."))
        turn(socket)
        socket.send_json(said("It rained.", done=False))
        socket.send_json({"clientContent": {"turnComplete": False}})
        socket.send_json(said("Why?"))
        assert text(turn(socket)) == "It rained.\nWhy?"
        assert stub.asked[-1].turns == (("One.", "One."),)

    def test_typed_text_is_answered_at_once(self, client):
        socket = begun(client)
        socket.send_json({"realtimeInput": {"text": "Typed?"}})
        assert text(turn(socket)) == "Typed?"

    def test_where_the_client_marks_when_it_speaks_the_end_is_waited_for(self, client):
        manual = {"realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}}}
        socket = begun(client, {"setup": SETUP["setup"] | manual})
        for message in ({"activityStart": {}}, {"text": "One"}, {"text": "two?"}, {"activityEnd": {}}):
            socket.send_json({"realtimeInput": message})
        assert text(turn(socket)) == "One\ntwo?"


    def test_what_was_said_before_is_remembered_and_not_answered(self, client, stub):
        socket = begun(client, {"setup": SETUP["setup"] | {"history_config": {"initial_history_in_client_content": True}}})
        turns = [{"role": "user", "parts": [{"text": "One."}]}, {"role": "model", "parts": [{"text": "Two."}]}]
        socket.send_json({"clientContent": {"turns": turns, "turnComplete": True}})
        socket.send_json({"contextUpdate": {"systemInstruction": {"parts": [{"text": "Be brief."}]}}})
        socket.send_json({"realtimeInput": {"text": "Three?"}})
        assert text(turn(socket)) == "Three?" and len(stub.asked) == 1
        assert stub.asked[0].turns == (("One.", "Two."),) and stub.asked[0].documents[0].segments[0].text == "Be brief."


class TestInterruption:
    def test_what_is_said_anew_cuts_an_answer_short(self, tmp_path):
        stub = Stub(pause=0.05)
        socket = begun(TestClient(build(server_of(tmp_path, stub))))
        socket.send_json(said("one two three four five six seven eight nine ten"))
        first = text([json.loads(socket.receive_bytes())])
        socket.send_json(said("Again?"))
        cut = turn(socket)
        assert cut[-2:] == [{"serverContent": {"interrupted": True}}, {"serverContent": {"turnComplete": True}}]
        assert text(turn(socket)) == "Again?"
        ((asked, answered),) = stub.asked[-1].turns
        assert asked.startswith("one two three") and answered == (first + text(cut)).strip() and not answered.endswith("ten")

    def test_a_client_that_waits_is_answered_in_turn(self, tmp_path):
        patient = {"realtimeInputConfig": {"activityHandling": "NO_INTERRUPTION"}}
        socket = begun(TestClient(build(server_of(tmp_path, Stub(pause=0.02)))), {"setup": SETUP["setup"] | patient})
        socket.send_json(said("one two three four"))
        socket.send_json(said("Again?"))
        assert [text(turn(socket)), text(turn(socket))] == ["one two three four", "Again?"]

    def test_the_engine_is_told_when_the_client_leaves(self, tmp_path):
        stub = Stub(pause=0.05)
        with TestClient(build(server_of(tmp_path, stub))) as client, client.websocket_connect(PATH) as socket:
            socket.send_json(SETUP)
            socket.send_json(said("word " * 200))
            socket.receive_bytes(), socket.receive_bytes()
            assert stub.load().answering == 1
            socket.close()
            stub.close(1.0)
            assert stub.load().answering == 0


class TestFunctions:
    @pytest.fixture
    def socket(self, client):
        calling = {"tools": [{"functionDeclarations": [COUNT]}], "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}
        return begun(client, {"setup": SETUP["setup"] | calling})

    def test_a_call_leaves_the_turn_open_and_its_result_goes_on(self, socket, stub):
        socket.send_json(said("How many?"))
        message = turn(socket)[-1]
        (call,) = message["toolCall"]["functionCalls"]
        assert call["name"] == "count" and call["args"] == {"n": 7} and call["id"]
        socket.send_json({"toolResponse": {"functionResponses": [{"id": call["id"], "response": {"result": 7}}]}})
        assert "toolCall" in turn(socket)[-1]
        assert '7' in stub.asked[-1].question

    def test_something_new_takes_a_call_back(self, socket):
        socket.send_json(said("How many?"))
        (call,) = turn(socket)[-1]["toolCall"]["functionCalls"]
        socket.send_json(said("Never mind."))
        assert json.loads(socket.receive_bytes()) == {"toolCallCancellation": {"ids": [call["id"]]}}

    def test_a_result_of_no_call_is_refused(self, client):
        code, reason = closed(client, SETUP, {"toolResponse": {"functionResponses": [{"id": "x", "response": {}}]}})
        assert code == 1007 and "'x'" in reason


class TestRefusals:
    @pytest.mark.parametrize("first", [said("Hi"), {"setup": {"model": "stub"}, **said("Hi")}, {}, {"unheard": 1}])
    def test_setup_comes_first(self, client, first):
        assert closed(client, first)[0] == 1007

    @pytest.mark.parametrize(
        ("more", "part"),
        [
            ({"model": "models/nobody"}, "models/nobody is not found"),
            ({"generationConfig": {"responseModalities": ["AUDIO"]}}, "AUDIO"),
            ({"realtimeInputConfig": {"automaticActivityDetection": 3}}, "automaticActivityDetection"),
            ({"tools": [{"googleSearch": {}}]}, "googleSearch"),
        ],
    )
    def test_what_is_not_there_is_refused(self, client, more, part):
        code, reason = closed(client, {"setup": SETUP["setup"] | more}, said("Hi"))
        assert code == 1007 and part in reason

    @pytest.mark.parametrize("kind", ["audio", "video", "mediaChunks"])
    def test_sound_and_pictures_are_refused(self, client, kind):
        blob = {"mimeType": "audio/pcm;rate=16000", "data": "AAAA"}
        code, reason = closed(client, SETUP, {"realtimeInput": {kind: blob}})
        assert code == 1007 and kind in reason and "text" in reason

    @pytest.mark.parametrize("message", [SETUP, {}, {"clientContent": {}, "realtimeInput": {}}, {"clientContent": {"turns": 3}}])
    def test_other_messages_are_refused(self, client, message):
        assert closed(client, SETUP, message)[0] == 1007

    def test_a_full_queue_is_told_as_such(self, tmp_path):
        assert closed(TestClient(build(server_of(tmp_path, Stub(room=0)))), SETUP, said("Hi"))[0] == 1013

    def test_a_wrong_key(self, stub, tmp_path):
        client = TestClient(build(server_of(tmp_path, stub, keys=Keys(True, {digest("good"): "me"}))))
        assert closed(client, path=PATH + "?key=bad") == (1008, "API key not valid. Please pass a valid API key.")
        assert closed(client, path=PATH)[0] == 1008
        begun(client, path=PATH + "?key=good")


class TestResumption:
    def test_a_conversation_is_gone_on_with(self, client, stub):
        setup = {"setup": SETUP["setup"] | {"sessionResumption": {}}}
        socket = begun(client, setup)
        socket.send_json(said("One."))
        (update,) = [message["sessionResumptionUpdate"] for message in turn(socket) if "sessionResumptionUpdate" in message]
        socket.close()
        again = begun(client, {"setup": SETUP["setup"] | {"sessionResumption": {"handle": update["newHandle"]}}})
        again.send_json(said("Two?"))
        turn(again)
        assert update["resumable"] and stub.asked[-1].turns == (("One.", "One."),)

    def test_an_unknown_handle_is_refused(self, client):
        assert closed(client, {"setup": SETUP["setup"] | {"sessionResumption": {"handle": "x"}}})[0] == 1008


class TestTokens:
    @pytest.fixture
    def keyed(self, stub, tmp_path):
        return TestClient(build(server_of(tmp_path, stub, keys=Keys(True, {digest("good"): "me"}))))

    def made(self, keyed, **body) -> str:
        reply = keyed.post("/v1alpha/auth_tokens", json=body, headers={"x-goog-api-key": "good"})
        assert reply.status_code == 200, reply.text
        return reply.json()["name"]

    def test_one_is_good_for_its_uses_and_for_nothing_else(self, keyed):
        name = self.made(keyed, uses=2)
        for _ in range(2):
            begun(keyed, path=f"{PATH}Constrained?access_token={name}")
        assert closed(keyed, SETUP, path=f"{PATH}Constrained?access_token={name}")[0] == 1008
        assert closed(keyed, path=f"{PATH}?access_token={name}")[0] == 1008
        assert keyed.get("/v1beta/models", headers={"x-goog-api-key": name}).status_code == 400

    def test_one_that_fixes_the_setup_is_obeyed(self, keyed, stub):
        fixed = {"model": "models/stub", "system_instruction": {"parts": [{"text": "Fixed."}]}}
        socket = begun(
            keyed, {"setup": {"model": "models/nobody", "systemInstruction": {"parts": [{"text": "Mine."}]}}},
            f"{PATH}Constrained?access_token={self.made(keyed, bidi_generate_content_setup=fixed)}",
        )  # fmt: skip
        socket.send_json(said("Hi"))
        turn(socket)
        assert stub.asked[-1].documents[0].segments[0].text == "Fixed."

    def test_one_that_fixes_some_fields_leaves_the_others(self, keyed, stub):
        fixed = {"model": "models/stub", "generationConfig": {"temperature": 0.5}}
        mask = "model,generationConfig.temperature,generation_config.top_k"
        name = self.made(keyed, bidiGenerateContentSetup=fixed, fieldMask=mask)
        setup = {"model": "models/nobody", "generationConfig": {"temperature": 1.5, "topK": 3, "topP": 0.5}}
        socket = begun(keyed, {"setup": setup}, f"{PATH}Constrained?access_token={name}")
        socket.send_json(said("Hi"))
        turn(socket)
        sampling = stub.asked[-1].sampling
        assert (sampling.temperature, sampling.top_k, sampling.top_p) == (0.5, 0, 0.5)

    def test_one_expires(self, keyed):
        soon = (datetime.now(UTC) + timedelta(seconds=0.4)).isoformat().replace("+00:00", "Z")
        name = self.made(keyed, uses=0, newSessionExpireTime=soon)
        begun(keyed, path=f"{PATH}Constrained?access_token={name}")
        threading.Event().wait(0.5)
        assert closed(keyed, SETUP, path=f"{PATH}Constrained?access_token={name}")[0] == 1008

    @pytest.mark.parametrize(
        "body", [{"uses": -1}, {"expireTime": "2020-01-01T00:00:00Z"}, {"fieldMask": "model"}, {"expireTime": "soon"}]
    )
    def test_a_wrong_request_is_refused(self, keyed, body):
        assert keyed.post("/v1alpha/auth_tokens", json=body, headers={"x-goog-api-key": "good"}).status_code == 400


def test_a_server_that_stops_says_so_and_lets_the_answer_end(tmp_path):
    messages, begin = [], threading.Event()
    with running(server_of(tmp_path, Stub(pause=0.05), close_seconds=5.0)) as url:

        def talk() -> None:
            with connect(url.replace("http", "ws") + PATH) as socket:
                socket.send(json.dumps(SETUP))
                socket.send(json.dumps(said("one two three four five six")))
                try:
                    while True:
                        messages.append(json.loads(socket.recv(10)))
                        begin.set()
                except ConnectionClosed as end:
                    messages.append(end.rcvd.code)

        thread = threading.Thread(target=talk)
        thread.start()
        assert begin.wait(5)
    thread.join(10)
    assert {"goAway": {"timeLeft": "5s"}} in messages and messages[-1] == 1001
    assert text([message for message in messages if isinstance(message, dict)]) == "one two three four five six"
