"""OpenAI's own client, and libraries that speak to such servers, unchanged, against a server on this machine.

    pip install openai litellm mcp langchain-openai langchain-google-genai llama-index-llms-google-genai
    npm install openai @google/genai        and NODE_PATH=…/node_modules
    pytest -n 0 -m slow tests/serve/openai/test_openai_clients.py
"""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from running import running, server_of
from stub import Stub

pytestmark = pytest.mark.slow
QUESTION = "Where is the lamp?"
MESSAGES = [{"role": "user", "content": QUESTION}]
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "enum": [7]}}, "required": ["n"], "additionalProperties": False}
COUNT = {"type": "function", "function": {"name": "count", "description": "Counts.", "parameters": SCHEMA}}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with running(server_of(tmp_path_factory.mktemp("data"), Stub())) as url:
        yield url


class TestOpenAI:
    @pytest.fixture(params=["/v1beta/openai/", "/openai/v1", "/v1"])
    def client(self, url, request):
        openai = pytest.importorskip("openai")
        return openai.OpenAI(base_url=url + request.param, api_key="local", max_retries=0)

    def test_models(self, client):
        import openai

        assert [model.id for model in client.models.list()] == ["stub"] and client.models.retrieve("stub").id == "stub"
        with pytest.raises(openai.NotFoundError, match="nobody"):
            client.models.retrieve("nobody")

    def test_chat(self, client):
        answer = client.chat.completions.create(model="stub", messages=MESSAGES, seed=-5, n=2, logprobs=True, top_logprobs=1)
        assert [choice.message.content for choice in answer.choices] == [QUESTION] * 2
        assert answer.usage.prompt_tokens_details.cached_tokens == 0 and answer.choices[0].logprobs.content[0].top_logprobs

    def test_where_it_was_found(self, client):
        data = "data:text/plain;base64," + base64.b64encode(b"The lamp is green.").decode()
        content = [{"type": "file", "file": {"filename": "lamp.txt", "file_data": data}}, {"type": "text", "text": QUESTION}]
        message = client.chat.completions.create(model="stub", messages=[{"role": "user", "content": content}]).choices[0].message
        assert message.evidence[0]["path"] == "lamp.txt" and message.evidence[0]["line"] == 1

    def test_stream(self, client):
        asked = {"model": "stub", "messages": MESSAGES}
        chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == QUESTION
        assert chunks[-1].usage.total_tokens > 0 and len(chunks) > 4
        with client.chat.completions.stream(**asked) as stream:
            kinds = {event.type for event in stream}
            final = stream.get_final_completion()
        assert {"content.delta", "content.done"} <= kinds and final.choices[0].message.content == QUESTION

    def test_parse(self, client):
        pydantic = pytest.importorskip("pydantic")
        model = pydantic.create_model("Count", n=(int, ...))
        parsed = client.chat.completions.parse(model="stub", messages=MESSAGES, response_format=model)
        assert isinstance(parsed.choices[0].message.parsed, model)

    def test_tools(self, client):
        import openai

        answer = client.chat.completions.create(model="stub", messages=MESSAGES, tools=[COUNT], tool_choice="required")
        (call,) = answer.choices[0].message.tool_calls
        result = {"role": "tool", "tool_call_id": call.id, "content": "seven"}
        again = [*MESSAGES, answer.choices[0].message, result]
        assert "seven" in client.chat.completions.create(model="stub", messages=again).choices[0].message.content
        with client.chat.completions.stream(model="stub", messages=MESSAGES, tools=[COUNT], tool_choice="required") as stream:
            final = stream.get_final_completion()
        assert final.choices[0].message.tool_calls[0].function.arguments.replace(" ", "") == '{"n":7}'
        with pytest.raises(openai.BadRequestError, match="nobody"):
            choice = {"type": "function", "function": {"name": "nobody"}}
            client.chat.completions.create(model="stub", messages=MESSAGES, tools=[COUNT], tool_choice=choice)

    def test_plain_and_embeddings(self, client):
        assert client.completions.create(model="stub", prompt=QUESTION).choices[0].text == QUESTION
        stream = client.completions.create(model="stub", prompt=QUESTION, stream=True)
        assert "".join(chunk.choices[0].text for chunk in stream) == QUESTION
        found = client.embeddings.create(model="stub", input=["a", "bc"], dimensions=8)
        assert [len(each.embedding) for each in found.data] == [8, 8]

    def test_errors(self, client):
        import openai

        for call in (client.files.list, lambda: client.responses.create(model="stub", input="Hi")):
            with pytest.raises(openai.APIStatusError) as told:
                call()
            assert told.value.status_code == 404
        with pytest.raises(openai.BadRequestError) as told:
            client.chat.completions.create(model="stub", messages=MESSAGES, temperature=3)
        assert told.value.param == "temperature"

    def test_asynchronous(self, url):
        openai = pytest.importorskip("openai")

        async def ask() -> str:
            async with openai.AsyncOpenAI(base_url=url + "/v1", api_key="local") as client:
                stream = await client.chat.completions.create(model="stub", messages=MESSAGES, stream=True)
                return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        assert asyncio.run(ask()) == QUESTION


class TestLibraries:
    def test_litellm(self, url, monkeypatch):
        monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # it would fetch a list of prices
        litellm = pytest.importorskip("litellm")
        for model, base in (("openai/stub", "/openai/v1"), ("gemini/stub", "/v1beta")):
            known = {"model": model, "api_base": url + base, "api_key": "local"}
            assert litellm.completion(messages=MESSAGES, **known).choices[0].message.content == QUESTION
            chunks = litellm.completion(messages=MESSAGES, stream=True, **known)
            assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == QUESTION
            answer = litellm.completion(messages=MESSAGES, tools=[COUNT], tool_choice="required", **known)
            assert answer.choices[0].message.tool_calls[0].function.name == "count"
        found = litellm.embedding(model="openai/stub", input=["a"], api_base=url + "/openai/v1", api_key="local")
        assert len(found.data[0]["embedding"]) == 16

    def test_langchain_openai(self, url):
        chains = pytest.importorskip("langchain_openai")
        pydantic = pytest.importorskip("pydantic")
        model = chains.ChatOpenAI(model="stub", base_url=url + "/v1", api_key="local")
        assert model.invoke(QUESTION).content == QUESTION
        assert "".join(chunk.content for chunk in model.stream(QUESTION)) == QUESTION
        form = pydantic.create_model("Count", n=(int, ...))
        assert isinstance(model.with_structured_output(form).invoke(QUESTION), form)
        assert model.bind_tools([COUNT], tool_choice="required").invoke(QUESTION).tool_calls[0]["args"] == {"n": 7}
        vectors = chains.OpenAIEmbeddings(model="stub", base_url=url + "/v1", api_key="local", check_embedding_ctx_length=False)
        assert len(vectors.embed_query("a")) == 16

    def test_langchain_google(self, url):
        chains = pytest.importorskip("langchain_google_genai")
        model = chains.ChatGoogleGenerativeAI(model="stub", base_url=url, api_key="local")
        assert model.invoke(QUESTION).text == QUESTION
        assert "".join(chunk.text for chunk in model.stream(QUESTION)) == QUESTION
        schema = {"type": "object", "properties": {"n": {"type": "string", "enum": ["seven"]}}, "required": ["n"]}
        function = {"name": "count", "description": "Counts.", "parameters": schema}
        assert model.bind_tools([function], tool_choice="any").invoke(QUESTION).tool_calls[0]["name"] == "count"

    def test_llama_index(self, url):
        index = pytest.importorskip("llama_index.llms.google_genai")
        from llama_index.core.llms import ChatMessage

        known = {"model": "stub", "api_key": "local", "http_options": {"base_url": url}}
        model = index.GoogleGenAI(**known, context_window=1000, max_tokens=100)
        assert model.complete(QUESTION).text == QUESTION
        assert model.chat([ChatMessage(role="user", content=QUESTION)]).message.content == QUESTION
        assert "".join(chunk.delta for chunk in model.stream_complete(QUESTION)) == QUESTION


def test_javascript(url):
    """`clients.mjs`, where node is, and the clients are in NODE_PATH."""
    node, modules = shutil.which("node"), os.environ.get("NODE_PATH", "")
    if not node or not Path(modules, "@google", "genai").is_dir() or not Path(modules, "openai").is_dir():
        pytest.skip("node, or @google/genai and openai in NODE_PATH, are not there")
    script = Path(__file__).with_name("clients.mjs")
    done = subprocess.run([node, script], env=os.environ | {"POLLUX_URL": url}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.rstrip().endswith("calls"), done.stdout + done.stderr
