"""Google's own client, unchanged, against a server on this machine: synchronous and not.

    pip install google-genai        any of 1.75, 2.34, 3.x
    pytest -n 0 -m slow tests/serve/gemini/test_google_clients.py
"""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest
from running import running, server_of
from stub import Stub

pydantic = pytest.importorskip("pydantic")
genai = pytest.importorskip("google.genai")
from google.genai import errors, types  # noqa: E402

pytestmark = pytest.mark.slow
QUESTION = "Which colour has the lamp at the quay?"
MODEL = "stub"


@pytest.fixture(scope="module")
def service() -> Stub:
    return Stub()


@pytest.fixture(scope="module")
def url(service, tmp_path_factory):
    with running(server_of(tmp_path_factory.mktemp("data"), service, requests=0)) as url:
        yield url


@pytest.fixture(params=["", "v1", "v1beta", "v1alpha"])
def client(url, request):
    options = types.HttpOptions(base_url=url, **({"api_version": request.param} if request.param else {}))
    return genai.Client(api_key="local", http_options=options)


@pytest.fixture
def plain(url):
    return genai.Client(api_key="local", http_options=types.HttpOptions(base_url=url))


class TestEveryVersion:
    def test_models(self, client):
        (model,) = client.models.list()
        assert model.name == "models/stub" and "generateContent" in model.supported_actions and model.input_token_limit == 1_000_000
        assert client.models.get(model=MODEL).name == "models/stub"
        assert client.models.get(model="gemini-2.5-flash").name == "models/gemini-2.5-flash"

    def test_generate(self, client):
        answer = client.models.generate_content(model=MODEL, contents=QUESTION)
        assert answer.text == QUESTION and answer.model_version == "stub" and answer.response_id
        assert answer.candidates[0].finish_reason == types.FinishReason.STOP
        usage = answer.usage_metadata
        assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count
        assert sum(each.token_count for each in usage.prompt_tokens_details) == usage.prompt_token_count

    def test_stream(self, client):
        chunks = list(client.models.generate_content_stream(model=MODEL, contents=QUESTION))
        assert "".join(chunk.text for chunk in chunks) == QUESTION and len(chunks) > 3
        assert [bool(chunk.candidates[0].finish_reason) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
        assert len({chunk.response_id for chunk in chunks}) == 1
        assert all(chunk.usage_metadata.prompt_token_count == chunks[0].usage_metadata.prompt_token_count for chunk in chunks)

    def test_chat(self, client, service):
        chat = client.chats.create(model=MODEL)
        assert chat.send_message("One bell.").text == "One bell."
        assert "".join(chunk.text for chunk in chat.send_message_stream("Two bells, later.")) == "Two bells, later."
        assert chat.send_message("Three?").text == "Three?"
        assert service.asked[-1].turns == (("One bell.", "One bell."), ("Two bells, later.", "Two bells, later."))

    def test_count(self, client):
        counted = client.models.count_tokens(model=MODEL, contents=["A book.", QUESTION])
        answer = client.models.generate_content(model=MODEL, contents=["A book.", QUESTION])
        assert counted.total_tokens == answer.usage_metadata.prompt_token_count

    def test_embed(self, client):
        found = client.models.embed_content(model=MODEL, contents=["one", "three"], config={"output_dimensionality": 4})
        assert [len(each.values) for each in found.embeddings] == [4, 4]
        assert all(abs(sum(x * x for x in each.values) - 1) < 1e-5 for each in found.embeddings)
        (one,) = client.models.embed_content(model=MODEL, contents="one").embeddings
        assert len(one.values) == 16


class TestSettings:
    def test_all_that_is_honoured(self, plain, service):
        config = types.GenerateContentConfig(
            system_instruction="Be brief.", temperature=0.5, top_p=0.9, top_k=40, seed=-7, max_output_tokens=5,
            stop_sequences=["lamp"], response_logprobs=True, logprobs=2, candidate_count=2, media_resolution="MEDIA_RESOLUTION_LOW",
            safety_settings=[types.SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_ONLY_HIGH")],
            thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=64), response_modalities=["TEXT"],
        )  # fmt: skip
        answer = plain.models.generate_content(model=MODEL, contents=QUESTION, config=config)
        asked = service.asked[-2:]
        assert {ask.sampling.temperature for ask in asked} == {0.5} and {ask.sampling.top_k for ask in asked} == {40}
        assert sorted(ask.sampling.seed for ask in asked) == [(-7) % 2**32, (-7) % 2**32 + 1]
        assert asked[0].sampling.stop == ("lamp",) and asked[0].documents[0].segments[0].text == "Be brief."
        assert [each.index or 0 for each in answer.candidates] == [0, 1]
        first = answer.candidates[0]
        assert first.finish_reason == types.FinishReason.MAX_TOKENS and first.token_count == 5
        assert len(first.logprobs_result.chosen_candidates) == len(first.logprobs_result.top_candidates) == 5
        (rating,) = first.safety_ratings
        assert rating.probability == types.HarmProbability.HARM_PROBABILITY_UNSPECIFIED and not rating.blocked

    def test_text_html_and_code_are_read_from_bytes(self, plain, service):
        pages = {"text/html": b"<html><p>The lamp is green.</p></html>", "text/plain": "Ü\n".encode(), "text/x-python": b"x = 1\n"}
        parts = [types.Part.from_bytes(data=data, mime_type=mime) for mime, data in pages.items()]
        answer = plain.models.generate_content(model=MODEL, contents=[*parts, QUESTION])
        texts = [document.segments[0].text.strip() for document in service.asked[-1].documents]
        assert texts == ["The lamp is green.", "Ü", "x = 1"] and answer.text == QUESTION

    def test_where_an_answer_stands(self, plain):
        book = types.Part.from_bytes(data=b"The lamp is green.\n" * 5, mime_type="text/plain")
        (candidate,) = plain.models.generate_content(model=MODEL, contents=[book, QUESTION]).candidates
        (chunk,), (support,) = candidate.grounding_metadata.grounding_chunks, candidate.grounding_metadata.grounding_supports
        assert chunk.retrieved_context.uri.endswith("#line=1&char=0,1") and "The lamp" in chunk.retrieved_context.text
        assert support.segment.end_index == len(QUESTION) and support.grounding_chunk_indices == [0]
        assert candidate.citation_metadata.citations[0].uri == chunk.retrieved_context.uri

    def test_a_timeout_is_kept(self, url, service):
        slow = genai.Client(api_key="local", http_options=types.HttpOptions(base_url=url, timeout=1000))
        service.pause = 0.4
        try:
            with pytest.raises((errors.ServerError, Exception)) as told:
                slow.models.generate_content(model=MODEL, contents=QUESTION)
        finally:
            service.pause = 0.0
        assert not isinstance(told.value, AssertionError) and service.asked[-1].deadline is not None


class TestForms:
    """The stub says what is allowed first, so that this shows what an answer is held to, not what a model makes of it."""

    def test_a_schema(self, plain):
        class Lamp(pydantic.BaseModel):
            colour: Literal["green", "red"]
            hangs: bool
            seen_by: list[Literal["Silas"]] = pydantic.Field(max_length=1)

        for given in ({"response_schema": Lamp}, {"response_json_schema": Lamp.model_json_schema()}):
            config = types.GenerateContentConfig(response_mime_type="application/json", max_output_tokens=200, **given)
            answer = plain.models.generate_content(model=MODEL, contents=QUESTION, config=config)
            assert Lamp.model_validate_json(answer.text)
            assert "response_schema" not in given or isinstance(answer.parsed, Lamp)
            chunks = list(plain.models.generate_content_stream(model=MODEL, contents=QUESTION, config=config))
            assert Lamp.model_validate_json("".join(chunk.text or "" for chunk in chunks))

    def test_one_of_some_names(self, plain):
        config = {"response_mime_type": "text/x.enum", "response_schema": {"type": "STRING", "enum": ["green", "red"]}}
        assert plain.models.generate_content(model=MODEL, contents=QUESTION, config=config).text in ("green", "red")

    def test_a_schema_that_cannot_be(self, plain):
        config = {"response_mime_type": "application/json", "response_json_schema": {"type": "string", "pattern": "("}}
        with pytest.raises(errors.ClientError, match="pattern") as told:
            plain.models.generate_content(model=MODEL, contents=QUESTION, config=config)
        assert told.value.code == 400

    def test_calls_of_functions(self, plain, service):
        def lamp_colour(place: Literal["quay"], lit: bool) -> str:
            """Looks."""
            return "green"

        config = types.GenerateContentConfig(
            tools=[lamp_colour], max_output_tokens=200,
            tool_config={"function_calling_config": {"mode": "ANY", "allowed_function_names": ["lamp_colour"]}},
            automatic_function_calling={"disable": True},
        )  # fmt: skip
        answer = plain.models.generate_content(model=MODEL, contents=QUESTION, config=config)
        call = answer.function_calls[0]
        assert call.name == "lamp_colour" and call.args["place"] == "quay" and isinstance(call.args["lit"], bool) and call.id
        (chunk,) = plain.models.generate_content_stream(model=MODEL, contents=QUESTION, config=config)
        assert chunk.function_calls[0].name == "lamp_colour"
        back = types.Part.from_function_response(name="lamp_colour", response={"result": "green"})
        contents = [types.UserContent(QUESTION), answer.candidates[0].content, types.UserContent([back, types.Part(text="Well?")])]
        assert plain.models.generate_content(model=MODEL, contents=contents).text
        assert '"place":"quay"' in service.asked[-1].turns[0][1] and "green" in service.asked[-1].question


class TestErrors:
    @pytest.mark.parametrize(
        ("config", "words"),
        [
            ({"temperature": 3}, "temperature"), ({"top_p": 2}, "top_p"), ({"candidate_count": 0}, "candidate_count"),
            ({"max_output_tokens": 0}, "max_output_tokens"), ({"logprobs": 2}, "response_logprobs is true"),
            ({"stop_sequences": list("abcdef")}, "stop_sequences"), ({"response_mime_type": "image/png"}, "mimetypes"),
            ({"presence_penalty": 3}, "presence_penalty"), ({"response_modalities": ["IMAGE"]}, "modalities"),
            ({"tools": [{"google_search": {}}]}, "Tool not available"), ({"cached_content": "caches/x"}, "cached content name"),
        ],
    )  # fmt: skip
    def test_refused(self, plain, config, words):
        with pytest.raises(errors.ClientError, match=words) as told:
            plain.models.generate_content(model=MODEL, contents=QUESTION, config=config)
        assert told.value.code == 400 and told.value.status == "INVALID_ARGUMENT"

    def test_what_is_not_there(self, plain):
        with pytest.raises(errors.ClientError, match="is not found for API version") as told:
            plain.models.generate_content(model="nobody", contents=QUESTION)
        assert told.value.code == 404 and told.value.status == "NOT_FOUND"
        with pytest.raises(errors.ClientError) as told:
            plain.caches.get(name="cachedContents/nothing")
        assert told.value.code == 403

    def test_media_that_are_not_read(self, plain):
        with pytest.raises(errors.ClientError, match="Unsupported MIME type: image/png"):
            plain.models.generate_content(
                model=MODEL, contents=[types.Part.from_bytes(data=b"\x89PNG\r\n\x1a\n", mime_type="image/png"), QUESTION]
            )
        with pytest.raises(errors.ClientError, match="file uri"):
            plain.models.generate_content(model=MODEL, contents=[types.Part.from_uri(file_uri="gs://b/c", mime_type="text/plain")])

    def test_full(self, plain, service):
        room, service.room = service.room, 0
        try:
            with pytest.raises(errors.ClientError) as told:
                plain.models.generate_content(model=MODEL, contents=QUESTION)
            assert told.value.code == 429 and "RetryInfo" in str(told.value.details)
            with pytest.raises(errors.ClientError):
                list(plain.models.generate_content_stream(model=MODEL, contents=QUESTION))
        finally:
            service.room = room


class TestAsynchronous:
    def test_everything(self, url):
        async def work() -> None:
            client = genai.Client(api_key="local", http_options=types.HttpOptions(base_url=url)).aio
            assert [model.name async for model in await client.models.list()] == ["models/stub"]
            answer = await client.models.generate_content(model=MODEL, contents=QUESTION)
            stream = await client.models.generate_content_stream(model=MODEL, contents=QUESTION)
            assert answer.text == QUESTION == "".join([chunk.text async for chunk in stream])
            counted = await client.models.count_tokens(model=MODEL, contents=QUESTION)
            assert counted.total_tokens == answer.usage_metadata.prompt_token_count
            found = await client.models.embed_content(model=MODEL, contents=["a", "b"])
            assert len(found.embeddings) == 2
            chat = client.chats.create(model=MODEL)
            assert (await chat.send_message("One?")).text == "One?"
            assert [chunk.text async for chunk in await chat.send_message_stream("Two?")]
            many = await asyncio.gather(*(client.models.generate_content(model=MODEL, contents=f"Number {n}?") for n in range(32)))
            assert [each.text for each in many] == [f"Number {n}?" for n in range(32)]
            with pytest.raises(errors.ClientError):
                await client.models.generate_content(model=MODEL, contents=QUESTION, config={"top_k": -1})

        asyncio.run(work())
