"""Google's own client and its interactions, unchanged, against a server on this machine.

    pip install google-genai        any of 2.34, 3.x
    pytest -n 0 -m slow tests/serve/interactions/test_interactions_clients.py
"""

from __future__ import annotations

import asyncio
import json

import pytest
from running import running, server_of
from stub import Stub

genai = pytest.importorskip("google.genai")
if not hasattr(genai.Client, "interactions"):
    pytest.skip("this google-genai is from before the interactions", allow_module_level=True)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "enum": [7]}}, "required": ["n"], "additionalProperties": False}
COUNT = {"type": "function", "name": "count", "description": "Counts.", "parameters": SCHEMA}


@pytest.fixture(scope="module")
def service() -> Stub:
    return Stub(pause=0.005)


@pytest.fixture(scope="module")
def client(service, tmp_path_factory):
    with running(server_of(tmp_path_factory.mktemp("data"), service)) as url:
        yield genai.Client(api_key="local", http_options={"base_url": url})


def text(told: list) -> str:
    return "".join(event.delta.text for event in told if event.event_type == "step.delta" and event.delta.type == "text")


def test_a_chain(client, service):
    first = client.interactions.create(model="stub", input="One.", system_instruction="Be brief.")
    assert first.status == "completed" and first.steps[-1].content[0].text == "One." and first.usage.total_tokens > 0
    second = client.interactions.create(model="stub", input=[{"type": "text", "text": "Two?"}], previous_interaction_id=first.id)
    assert service.asked[-1].turns == (("One.", "One."),) and second.previous_interaction_id == first.id
    got = client.interactions.get(second.id, include_input=True)
    assert got.steps == second.steps and got.input[0].content[0].text == "Two?"
    client.interactions.delete(second.id)


def test_a_stream_is_gone_on_with(client):
    told = list(client.interactions.create(model="stub", input="one two three", stream=True))
    assert text(told) == "one two three" and told[-1].event_type == "interaction.completed"
    deltas = [event for event in told if event.event_type == "step.delta"]
    identity = told[0].interaction.id
    rest = list(client.interactions.get(identity, stream=True, last_event_id=deltas[0].event_id))
    assert text(rest) == " two three"


def test_functions_and_form(client):
    made = client.interactions.create(model="stub", input="How many?", tools=[COUNT], generation_config={"tool_choice": "any"})
    (call,) = made.steps
    assert made.status == "requires_action" and call.type == "function_call" and call.arguments == {"n": 7}
    result = {"type": "function_result", "call_id": call.id, "name": call.name, "result": "seven"}
    done = client.interactions.create(model="stub", input=[result], previous_interaction_id=made.id)
    assert done.status == "completed" and "seven" in done.steps[-1].content[0].text
    form = {"type": "text", "mime_type": "application/json", "schema": SCHEMA}
    made = client.interactions.create(model="stub", input="x", response_format=form)
    assert json.loads(made.steps[-1].content[0].text) == {"n": 7}


def test_one_in_the_background(client):
    made = client.interactions.create(model="stub", input="word " * 400, background=True)
    assert made.status == "in_progress" and client.interactions.cancel(made.id).status == "cancelled"
    made = client.interactions.create(model="stub", input="one two", background=True)
    assert text(list(client.interactions.get(made.id, stream=True))) == "one two"


def test_errors(client):
    for call in (
        lambda: client.interactions.get("v1_nobody"), lambda: client.interactions.create(model="nobody", input="x"),
        lambda: client.interactions.create(model="stub", input="x", previous_interaction_id="v1_nobody"),
    ):  # fmt: skip
        with pytest.raises(Exception, match="not found") as told:
            call()
        assert told.value.status_code == 404


def test_asynchronous(client):
    async def ask() -> str:
        return text([event async for event in await client.aio.interactions.create(model="stub", input="one two", stream=True)])

    assert asyncio.run(ask()) == "one two"
