"""generateContent, whole and in pieces, countTokens and the embeddings."""

import base64
import json

import numpy as np
import pytest

from pollux.engine.request import Answer, Evidence, Produced, Progress, Usage
from pollux.media.segment import Document, Text
from pollux.serve.gemini.generation.candidate import Finished, details
from pollux.serve.gemini.generation.usage import usage_metadata

QUESTION = "Which colour has the lamp?"
BASE = "/v1beta/models/stub:"


def said(text: str = QUESTION, **more) -> dict:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


def refused(response, code: int = 400, status: str = "INVALID_ARGUMENT") -> str:
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["status"]) == (code, code, status)
    return error["message"]


class TestWhole:
    @pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
    def test_an_answer(self, client, version):
        whole = client.post(f"/{version}/models/stub:generateContent", json=said()).json()
        (candidate,) = whole["candidates"]
        assert candidate["content"] == {"parts": [{"text": QUESTION}], "role": "model"} and candidate["finishReason"] == "STOP"
        usage = whole["usageMetadata"]
        assert usage["totalTokenCount"] == usage["promptTokenCount"] + usage["candidatesTokenCount"]
        assert whole["modelVersion"] == "stub" and whole["responseId"]

    def test_settings_reach_the_engine(self, client, stub):
        config = {"temperature": 0.5, "topP": 0, "topK": 40.0, "seed": -1, "max_output_tokens": 100_000, "stopSequences": ["x"],
                  "presencePenalty": 0.5, "frequency_penalty": -2}
        client.post(BASE + "generateContent", json=said(generationConfig=config))
        sampling = stub.asked[-1].sampling
        assert (sampling.temperature, sampling.top_k, sampling.seed, sampling.stop) == (0.5, 40, 2**32 - 1, ("x",))
        assert 0 < sampling.top_p < 1e-6 and sampling.limit == 8192
        assert (sampling.presence, sampling.frequency) == (0.5, -2.0)
        assert stub.asked[-1].client == "testclient" and stub.asked[-1].deadline

    def test_candidates_differ_by_their_seeds(self, client, stub):
        config = {"candidateCount": 3, "seed": 2**31 - 1, "temperature": 1}
        whole = client.post(BASE + "generateContent", json=said(generationConfig=config)).json()
        assert [each["index"] for each in whole["candidates"]] == [0, 1, 2]
        assert len({ask.sampling.seed for ask in stub.asked}) == 3
        assert whole["usageMetadata"]["candidatesTokenCount"] == 3 * whole["candidates"][0]["tokenCount"]

    def test_log_probabilities(self, client):
        config = {"responseLogprobs": True, "logprobs": 1, "maxOutputTokens": 4}
        (candidate,) = client.post(BASE + "generateContent", json=said(generationConfig=config)).json()["candidates"]
        result = candidate["logprobsResult"]
        assert candidate["finishReason"] == "MAX_TOKENS" and candidate["tokenCount"] == len(result["chosenCandidates"]) == 4
        assert result["logProbabilitySum"] == pytest.approx(-0.4) and candidate["avgLogprobs"] == pytest.approx(-0.1)
        assert "".join(each["token"] for each in result["chosenCandidates"]).strip() == candidate["content"]["parts"][0]["text"]
        assert [len(each["candidates"]) for each in result["topCandidates"]] == [1] * 4

    def test_probability_of_nothing_is_still_a_number(self, stub):
        finished = Finished(Answer("a", (40,), (), "end"), Usage(1, 0, 1), (Produced(40, b"\xff", -np.inf, ((40, -np.inf),)),))
        told = json.dumps(details(finished, 1, stub.vocabulary, {}, ()), allow_nan=False)
        assert "\\ufffd" in told

    def test_safety_is_not_judged_and_says_so(self, client):
        settings = [{"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_LOW_AND_ABOVE"}]
        (candidate,) = client.post(BASE + "generateContent", json=said(safetySettings=settings)).json()["candidates"]
        assert candidate["safetyRatings"] == [
            {"category": "HARM_CATEGORY_HATE_SPEECH", "probability": "HARM_PROBABILITY_UNSPECIFIED", "blocked": False}
        ]
        wrong = [{"category": "HARM_CATEGORY_TOXICITY", "threshold": "OFF"}]
        assert "category" in refused(client.post(BASE + "generateContent", json=said(safetySettings=wrong)))

    @pytest.mark.parametrize(
        ("config", "words"),
        [
            ({"temperature": -0.1}, "temperature"), ({"temperature": 2.1}, "temperature"), ({"topP": 1.1}, "top_p"),
            ({"topK": -1}, "top_k"), ({"topK": 1.5}, "top_k"), ({"candidateCount": 0}, "candidate_count"),
            ({"candidateCount": 9}, "candidate_count"), ({"maxOutputTokens": 0}, "max_output_tokens"),
            ({"stopSequences": ["a"] * 6}, "stop_sequences"), ({"stopSequences": [""]}, "stop_sequences"),
            ({"logprobs": 1}, "response_logprobs is true"), ({"logprobs": 21, "responseLogprobs": True}, "logprobs"),
            ({"seed": 2**31}, "TYPE_INT32"), ({"responseMimeType": "application/xml"}, "mimetypes"),
            ({"responseSchema": {"type": "STRING"}}, "application/json"), ({"frequencyPenalty": -2.1}, "frequency_penalty"),
            ({"presencePenalty": 3}, "presence_penalty"), ({"responseModalities": ["TEXT", "AUDIO"]}, "AUDIO"),
            ({"thinkingConfig": {"thinkingBudget": -2}}, "thinking_budget"),
            ({"responseMimeType": "text/x.enum"}, "enum"), ({"responseMimeType": "application/json", "responseSchema": {},
             "responseJsonSchema": {}}, "only one"), ({"responseMimeType": "application/json", "responseJsonSchema": 1}, "object"),
        ],
    )  # fmt: skip
    def test_settings_out_of_range(self, client, stub, config, words):
        assert words in refused(client.post(BASE + "generateContent", json=said(generationConfig=config)))
        assert not stub.asked

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ({}, "contents is not specified"), ({"contents": []}, "contents is not specified"),
            ({"contents": [{"role": "system", "parts": [{"text": "x"}]}]}, "valid role: user, model."),
            ({"contents": [{"role": "model", "parts": [{"text": "x"}]}]}, "nothing to answer"),
            ({"contents": [{"parts": []}]}, "must not be empty"), ({"contents": [{"parts": [{}]}]}, "oneof field 'data'"),
            ({"contents": [{"parts": [{"text": "a", "inlineData": {}}]}]}, "already set"),
            ({"contents": [{"parts": [{"text": "a", "videoMetadata": {"fps": 1}}]}]}, "video_metadata"),
            (said(tools=[{"googleSearch": {}}, {"codeExecution": {}}]), "Tool not available: codeExecution, googleSearch"),
            (said(cachedContent="x"), "cached content name"),
            (said(cachedContent="cachedContents/x", systemInstruction={"parts": [{"text": "x"}]}), "CachedContent can not"),
            (said(systemInstruction={"parts": [{"inlineData": {"data": ""}}]}), "only text"),
        ],
    )  # fmt: skip
    def test_bodies_that_cannot_be(self, client, body, words):
        assert words in refused(client.post(BASE + "generateContent", json=body))

    def test_what_is_not_there(self, client):
        told = refused(client.post("/v1alpha/models/none:generateContent", json=said()), 404, "NOT_FOUND")
        assert told.startswith("models/none is not found for API version v1alpha, or is not supported for generateContent.")
        cached = client.post(BASE + "generateContent", json=said(cachedContent="cachedContents/none"))
        assert "CachedContent not found" in refused(cached, 403, "PERMISSION_DENIED")
        file = {"contents": [{"parts": [{"fileData": {"fileUri": "http://x/v1beta/files/abc"}}, {"text": "Q?"}]}]}
        assert "File abc" in refused(client.post(BASE + "generateContent", json=file), 403, "PERMISSION_DENIED")
        refused(client.post("/v1/tunedModels/x:generateContent", json=said()), 404, "NOT_FOUND")
        for method in ("DELETE", "PATCH"):
            refused(client.request(method, "/v1/tunedModels/x", json={}), 404, "NOT_FOUND")
            refused(client.request(method, "/v1/models/none", json={}), 404, "NOT_FOUND")
            refused(client.request(method, "/v1/models/stub", json={}), 403, "PERMISSION_DENIED")

    def test_too_long_is_told_with_both_numbers(self, client, stub):
        stub.card = type(stub.card)("stub", "1", 10, 8192)
        told = refused(client.post(BASE + "generateContent", json=said("one " * 50)))
        assert told == "The input token count (50) exceeds the maximum number of tokens allowed (10)."

    def test_a_full_queue(self, client, stub):
        stub.room = 0
        response = client.post(BASE + "generateContent", json=said())
        refused(response, 429, "RESOURCE_EXHAUSTED")
        (retry,) = response.json()["error"]["details"]
        assert retry["retryDelay"] == "2s" and response.headers["retry-after"] == "2"


class TestConversations:
    def test_neighbours_of_one_role_are_one_turn(self, client, stub):
        turns = [("user", "One?"), ("model", "On"), ("model", "e."), (None, "Two?"), ("model", "Two."), ("function", "Three?")]
        contents = [{"parts": [{"text": text}]} | ({"role": role} if role else {}) for role, text in turns]
        client.post(BASE + "generateContent", json={"contents": contents})
        assert stub.asked[-1].turns == (("One?", "One."), ("Two?", "Two.")) and stub.asked[-1].question == "Three?"

    def test_thoughts_are_not_read_again(self, client, stub):
        parts = [{"text": "Hm.", "thought": True}, {"thoughtSignature": "YQ"}, {"text": "Yes.", "thoughtSignature": "-_"}]
        contents = [*said("One?")["contents"], {"role": "model", "parts": parts}, *said("Two?")["contents"]]
        client.post(BASE + "generateContent", json={"contents": contents})
        assert stub.asked[-1].turns == (("One?", "Yes."),)

    def test_files_in_the_request(self, client, stub):
        page = base64.urlsafe_b64encode("<html><p>Grün ist die Lampe???".encode()).decode().rstrip("=")
        code = {"data": base64.b64encode(b"x = 1\n").decode(), "displayName": "src/a.py"}
        blobs = [{"mime_type": "text/html", "data": page}, code]
        parts = [*({"inlineData": blob} for blob in blobs), {"text": QUESTION}]
        for _ in range(2):
            (candidate,) = client.post(BASE + "generateContent", json={"contents": [{"parts": parts}]}).json()["candidates"]
        first, second = stub.asked[-1].documents
        assert first.segments[0].text.strip() == "Grün ist die Lampe???" and second.path == "src/a.py"
        assert first is stub.asked[-2].documents[0], "it was taken apart once"
        (chunk,) = candidate["groundingMetadata"]["groundingChunks"]
        assert chunk["retrievedContext"]["title"] == "(message 1, part 1).html"

    @pytest.mark.parametrize(
        ("blob", "words"),
        [
            ({"mimeType": "image/png", "data": "iVBORw0KGgo="}, "Unsupported MIME type: image/png"),
            ({"mimeType": "audio/wav", "data": ""}, "Unsupported MIME type"), ({"mimeType": "text/plain", "data": "§"}, "Base64"),
            ({"mimeType": "text/plain", "data": ""}, "empty"), ({"data": "UEsDBAAAAAA="}, "zip archive"),
            ({"mimeType": "application/pdf", "data": "AAAA"}, "begin like one"),
        ],
    )  # fmt: skip
    def test_bytes_that_cannot_be_read(self, client, blob, words):
        body = {"contents": [{"parts": [{"inlineData": blob}, {"text": "Q?"}]}]}
        assert words in refused(client.post(BASE + "generateContent", json=body))

    @pytest.mark.parametrize("uri", ["gs://bucket/book.txt", "https://example.org/book.txt", "https://youtu.be/x"])
    def test_addresses_elsewhere(self, client, uri):
        parts = [{"fileData": {"fileUri": uri, "mimeType": "text/plain"}}, {"text": "Q?"}]
        assert "file uri" in refused(client.post(BASE + "generateContent", json={"contents": [{"parts": parts}]}))


class TestStream:
    def test_the_same_text_in_events(self, client):
        response = client.post(BASE + "streamGenerateContent?alt=sse", json=said())
        assert response.headers["content-type"].startswith("text/event-stream")
        *events, last = response.text.split("\n\n")
        assert last == "" and all(event.startswith("data: {") and "\n" not in event for event in events)
        chunks = [json.loads(event[6:]) for event in events]
        candidates = [chunk["candidates"][0] for chunk in chunks]
        assert "".join(each["content"]["parts"][0]["text"] for each in candidates) == QUESTION
        assert [each.get("finishReason") for each in candidates] == [None] * (len(chunks) - 1) + ["STOP"]
        assert len({chunk["responseId"] for chunk in chunks}) == 1
        assert all(each["content"]["parts"][0]["text"] for each in candidates), "the last one has text as well"
        counts = [chunk["usageMetadata"].get("candidatesTokenCount", 0) for chunk in chunks]
        assert counts == sorted(counts) and counts[0] == 1
        assert chunks[-1]["usageMetadata"] == client.post(BASE + "generateContent", json=said()).json()["usageMetadata"]

    def test_every_chunk_counts_the_prompt(self, client, stub, monkeypatch):
        """Where nothing had to be read, nothing is said of reading."""
        submit = stub.submit
        silent = lambda ask, listener: submit(ask, lambda said: isinstance(said, Progress) or listener(said))  # noqa: E731
        monkeypatch.setattr(stub, "submit", silent)
        chunks = client.post(BASE + "streamGenerateContent", json=said()).json()
        assert {chunk["usageMetadata"]["promptTokenCount"] for chunk in chunks} == {stub.vocabulary.encode(QUESTION).size}

    def test_an_array_without_alt(self, client):
        response = client.post(BASE + "streamGenerateContent", json=said())
        assert response.headers["content-type"] == "application/json"
        assert "".join(chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in response.json()) == QUESTION

    def test_before_the_first_byte_an_error_is_an_error(self, client, stub):
        stub.room = 0
        refused(client.post(BASE + "streamGenerateContent?alt=sse", json=said()), 429, "RESOURCE_EXHAUSTED")
        stub.room = 1000
        config = {"candidateCount": 2}
        assert "streaming" in refused(client.post(BASE + "streamGenerateContent", json=said(generationConfig=config)))

    @pytest.mark.parametrize("query", ["?alt=sse", ""])
    def test_afterwards_it_is_the_last_event(self, client, stub, query):
        stub.pause = 0.05
        response = client.post(BASE + "streamGenerateContent" + query, json=said(), headers={"x-server-timeout": "0.2"})
        assert response.status_code == 200
        last = response.json()[-1] if not query else json.loads(response.text.split("\n\n")[-2].removeprefix("data: "))
        assert last["error"]["code"] == 504 and last["error"]["status"] == "DEADLINE_EXCEEDED"


class TestCounting:
    def test_as_many_as_are_read(self, client):
        for body in (said(), said("One\n\n" + "A book. " * 500 + "\n\nTwo?")):
            counted = client.post(BASE + "countTokens", json=body).json()
            usage = client.post(BASE + "generateContent", json=body).json()["usageMetadata"]
            assert counted["totalTokens"] == usage["promptTokenCount"]
            inner = {"generateContentRequest": {"model": "models/stub", **body}}
            assert client.post(BASE + "countTokens", json=inner).json() == counted
            assert sum(each["tokenCount"] for each in counted["promptTokensDetails"]) == counted["totalTokens"]

    def test_the_system_instruction_counts(self, client):
        system = {"systemInstruction": {"parts": [{"text": "Be very brief indeed."}]}}
        count = lambda body: client.post(BASE + "countTokens", json=body).json()["totalTokens"]  # noqa: E731
        assert count({"generateContentRequest": said(**system)}) > count(said())

    def test_both_bodies_at_once(self, client):
        assert "exclude" in refused(client.post(BASE + "countTokens", json=said(generateContentRequest=said())))

    def test_pages_count_as_documents(self, stub):
        pages = Document("a.pdf", (Text("a.pdf", "One page.", page=1),))
        from pollux.engine.request import Ask
        from pollux.serve.gemini.generation.usage import tokens_by_modality

        ask = Ask("Q?", (Document("b.txt", (Text("b.txt", "Text."),)), pages))
        assert tokens_by_modality(stub, ask) == {"DOCUMENT": stub.vocabulary.encode("One page.").size}

    def test_details_sum_to_the_count(self):
        usage = usage_metadata([Usage(100, 60, 5), Usage(100, 100, 7)], {"DOCUMENT": 30}, None)
        assert {each["modality"]: each["tokenCount"] for each in usage["promptTokensDetails"]} == {"TEXT": 70, "DOCUMENT": 30}
        assert usage["cachedContentTokenCount"] == 60 and usage["totalTokenCount"] == 112
        assert usage_metadata([Usage(100, 90, 5)], {}, 80)["cachedContentTokenCount"] == 80, "what was named counts, no more"


class TestEmbedding:
    def test_one_and_many(self, client):
        one = {"content": {"parts": [{"text": "a lamp"}]}, "model": "models/stub"}
        (single,) = client.post(BASE + "embedContent", json=one).json().values()
        batch = client.post(BASE + "batchEmbedContents", json={"requests": [one, one | {"outputDimensionality": 3}]}).json()
        first, second = (np.array(each["values"]) for each in batch["embeddings"])
        assert first.tolist() == single["values"] and np.linalg.norm(first) == pytest.approx(1, abs=1e-6)
        assert second.size == 3 and np.allclose(second, first[:3] / np.linalg.norm(first[:3]))

    def test_files_of_text_are_embedded_with_what_stands_beside_them(self, client, stub, monkeypatch):
        texts, embed = [], stub.embed
        monkeypatch.setattr(stub, "embed", lambda given, client: texts.extend(given) or embed(given, client))
        page = {"inlineData": {"mimeType": "text/html", "data": base64.b64encode(b"<p>The lamp is green.</p>").decode()}}
        body = {"content": {"parts": [{"text": "Of the quay:"}, page]}}
        assert client.post(BASE + "embedContent", json=body).json()["embedding"]["values"]
        assert texts == ["Of the quay:\nThe lamp is green."]

    def test_pictures_are_not(self, client):
        picture = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
        assert "image/png" in refused(client.post(BASE + "embedContent", json={"content": {"parts": [picture]}}))

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ({"requests": []}, "from 1 to"), ({"requests": [{}]}, "content is empty"),
            ({"requests": [{"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 17}]}, "from 1 to the 16"),
            ({"requests": [{"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 0}]}, "outputDimensionality"),
            ({"requests": [{"content": {"parts": [{"text": "a"}]}, "taskType": "NONE"}]}, "TaskType"),
            ({"requests": [{"content": {"parts": [{"text": "a"}]}, "title": "t", "taskType": "CLUSTERING"}]}, "title"),
        ],
    )  # fmt: skip
    def test_refused(self, client, body, words):
        assert words in refused(client.post(BASE + "batchEmbedContents", json=body))


class TestModels:
    def test_pages(self, client, server, stub):
        server.services.update({f"m{number}": stub for number in range(5)})
        first = client.get("/v1beta/models?pageSize=4").json()
        second = client.get(f"/v1beta/models?pageSize=4&pageToken={first['nextPageToken']}").json()
        assert len(first["models"]) == 4 and len(second["models"]) == 2 and "nextPageToken" not in second
        refused(client.get("/v1beta/models?pageToken=no"))
        refused(client.get("/v1beta/models?pageSize=x"))
        assert len(client.get("/v1beta/models?pageSize=0").json()["models"]) == 6

    def test_aliases(self, client):
        found = client.get("/v1beta/models/gemini-2.5-pro").json()
        assert found["name"] == "models/gemini-2.5-pro" and found["baseModelId"] == "stub"
        whole = client.post("/v1beta/models/gemini-2.5-pro:generateContent", json=said()).json()
        assert whole["modelVersion"] == "stub"
        refused(client.get("/v1beta/models/nobody"), 404, "NOT_FOUND")


def test_evidence_names_page_line_and_characters(stub):
    text = Text("a b.pdf", "The lamp is green.\nIt hangs.", page=3)
    evidence = (Evidence(text.place(12, 17), 0.75),)
    finished = Finished(Answer("grün", (1,), evidence, "end"), Usage(1, 0, 1), ())
    told = details(finished, None, stub.vocabulary, {}, ())
    (chunk,) = told["groundingMetadata"]["groundingChunks"]
    uri = "a%20b.pdf#page=3&line=1&char=12,17"
    assert chunk["retrievedContext"] == {"uri": uri, "title": "a b.pdf", "text": "The lamp is green."}
    (support,) = told["groundingMetadata"]["groundingSupports"]
    assert support["segment"]["endIndex"] == len("grün".encode()) and support["confidenceScores"] == [0.75]
    named = details(finished, None, stub.vocabulary, {"a b.pdf": "http://h/v1beta/files/x"}, ())
    assert named["citationMetadata"]["citationSources"][0]["uri"] == "http://h/v1beta/files/x#page=3&line=1&char=12,17"
