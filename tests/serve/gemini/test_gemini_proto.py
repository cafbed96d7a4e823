"""What we answer, read strictly by Google's own message types, and what those can ask, known to us.

    pip install google-ai-generativelanguage
    pytest -n 0 -m slow tests/serve/gemini/test_gemini_proto.py
"""

from __future__ import annotations

import base64

import pytest
from running import running

from pollux.serve.gemini.messages.enums import ENUMS
from pollux.serve.gemini.wire import MESSAGES
from pollux.serve.server import Server, Settings

glm = pytest.importorskip("google.ai.generativelanguage_v1beta")
from google.ai.generativelanguage_v1beta.services.generative_service.transports import (  # noqa: E402
    GenerativeServiceRestTransport,
)
from google.ai.generativelanguage_v1beta.services.model_service.transports import ModelServiceRestTransport  # noqa: E402
from google.api_core.exceptions import NotFound  # noqa: E402
from google.protobuf import json_format  # noqa: E402

pytestmark = pytest.mark.slow
BASE = "/v1beta/models/stub:"
SCHEMA = {"type": "OBJECT", "properties": {"colour": {"type": "STRING", "enum": ["green"]}}, "required": ["colour"]}


def strictly(kind, data: dict):
    """Raises where a field or a name is not one of Google's."""
    return json_format.ParseDict(data, kind.pb(kind()), ignore_unknown_fields=False)


def test_answers(client):
    book = {"inlineData": {"mimeType": "text/plain", "data": base64.b64encode(b"The lamp is green.").decode()}}
    config = {"responseLogprobs": True, "logprobs": 3, "candidateCount": 2}
    safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    body = {"contents": [{"parts": [book, {"text": "Which colour?"}]}], "generationConfig": config, "safetySettings": safety}
    answer = strictly(glm.GenerateContentResponse, client.post(BASE + "generateContent", json=body).json())
    first = answer.candidates[0]
    assert first.grounding_metadata.grounding_chunks[0].retrieved_context.text and first.logprobs_result.chosen_candidates
    assert first.citation_metadata.citation_sources[0].uri and first.safety_ratings and answer.usage_metadata.prompt_tokens_details


def test_streams_and_forms(client):
    forms = (
        {}, {"generationConfig": {"responseMimeType": "application/json", "responseSchema": SCHEMA}},
        {"tools": [{"functionDeclarations": [{"name": "f", "parameters": SCHEMA}]}],
         "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
    )  # fmt: skip
    for form in forms:
        body = {"contents": [{"parts": [{"text": "Which colour?"}]}], **form}
        chunks = client.post(BASE + "streamGenerateContent", json=body).json()
        assert [strictly(glm.GenerateContentResponse, chunk) for chunk in chunks][-1].candidates[0].finish_reason


def test_the_rest(client):
    said = {"contents": [{"parts": [{"text": "Which colour?"}]}]}
    assert strictly(glm.CountTokensResponse, client.post(BASE + "countTokens", json=said).json()).total_tokens
    one = {"content": said["contents"][0]}
    assert strictly(glm.EmbedContentResponse, client.post(BASE + "embedContent", json=one).json()).embedding.values
    many = client.post(BASE + "batchEmbedContents", json={"requests": [one, one]}).json()
    assert len(strictly(glm.BatchEmbedContentsResponse, many).embeddings) == 2
    assert strictly(glm.ListModelsResponse, client.get("/v1beta/models").json()).models
    assert strictly(glm.Model, client.get("/v1beta/models/stub").json()).supported_generation_methods
    cached = {"model": "models/stub", "contents": [{"role": "user", "parts": [{"text": "A book. " * 300}]}], "ttl": "60s"}
    made = client.post("/v1beta/cachedContents", json=cached).json()
    assert strictly(glm.CachedContent, made).usage_metadata.total_token_count
    used = client.post(BASE + "generateContent", json={**said, "cachedContent": made["name"]}).json()
    assert strictly(glm.GenerateContentResponse, used).usage_metadata.cached_content_token_count
    strictly(glm.ListCachedContentsResponse, client.get("/v1beta/cachedContents").json())
    strictly(glm.ListFilesResponse, client.get("/v1beta/files").json())


def test_googles_other_client(stub, library):
    """The one that is made of these message types, over REST."""
    from google.auth.credentials import AnonymousCredentials

    with running(Server({"stub": stub}, Settings(), library)) as url:
        host = url.removeprefix("http://")
        options = {"host": host, "credentials": AnonymousCredentials(), "url_scheme": "http"}
        client = glm.GenerativeServiceClient(transport=GenerativeServiceRestTransport(**options))
        models = glm.ModelServiceClient(transport=ModelServiceRestTransport(**options))
        assert [model.name for model in models.list_models()] == ["models/stub"]
        contents = [glm.Content(role="user", parts=[glm.Part(text="Which colour?")])]
        safety = [glm.SafetySetting(category=7, threshold=4)]
        request = glm.GenerateContentRequest(model="models/stub", contents=contents, safety_settings=safety)
        answer = client.generate_content(request=request)
        assert answer.candidates[0].content.parts[0].text == "Which colour?" and answer.candidates[0].finish_reason == 1
        chunks = list(client.stream_generate_content(request=request))
        assert "".join(chunk.candidates[0].content.parts[0].text for chunk in chunks) == "Which colour?"
        assert client.count_tokens(model="models/stub", contents=contents).total_tokens == answer.usage_metadata.prompt_token_count
        assert len(client.embed_content(model="models/stub", content=contents[0]).embedding.values) == 16
        with pytest.raises(NotFound, match="is not found for API version"):
            client.generate_content(model="models/none", contents=contents)


# Of which more is known to us than to these message types, or which are refused whole.
_PASSED = {"google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.Duration", "google.protobuf.Timestamp"}


def test_every_field_that_can_be_asked_is_known():
    """Walks Google's request through our table of messages."""
    seen: set[str] = set()

    def walk(descriptor, kind: str) -> None:
        if descriptor.full_name in seen or descriptor.full_name in _PASSED:
            return
        seen.add(descriptor.full_name)
        ours = MESSAGES[kind]
        for field in descriptor.fields:
            assert field.json_name in ours, f"{descriptor.full_name} {field.name}"
            inner = ours[field.json_name]
            inner = next(iter(inner.values())) if isinstance(inner, dict) else inner[0] if isinstance(inner, list) else inner
            if field.message_type and inner in MESSAGES and not field.message_type.GetOptions().map_entry:
                walk(field.message_type, inner)
            elif field.enum_type and inner in ENUMS:
                names = {value.name: value.number for value in field.enum_type.values}
                assert {name: ENUMS[inner].index(name) for name in names} == names

    for message in ("GenerateContentRequest", "EmbedContentRequest", "BatchEmbedContentsRequest", "CachedContent"):
        walk(getattr(glm, message).pb(getattr(glm, message)()).DESCRIPTOR, message)
    assert len(seen) > 15
