"""Google's own client, unchanged, with files, cached contents and batches on a server of this machine: synchronous and not.

    pip install google-genai        any of 1.75, 2.34, 3.x
    pytest -n 0 -m slow tests/serve/storage/test_google_files.py
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import time

import pytest
from running import running, server_of
from stub import Stub

genai = pytest.importorskip("google.genai")
from google.genai import errors, types  # noqa: E402

pytestmark = pytest.mark.slow
MODEL = "stub"
BOOK = "It rained on the quay, and the lamp was green.\n" * 200
LARGE = b"The lamp at the quay was green.\n" * (17 << 15)  # 17 MiB: three chunks of 8 MiB
EXACT = b"0123456789abcdef" * (1 << 20)  # two chunks, to the byte
VERSION = tuple(int(part) for part in genai.__version__.split(".")[:1])


@pytest.fixture(scope="module")
def service() -> Stub:
    return Stub()


@pytest.fixture(scope="module")
def url(service, tmp_path_factory):
    with running(server_of(tmp_path_factory.mktemp("data"), service)) as url:
        yield url


@pytest.fixture
def client(url):
    return genai.Client(api_key="local", http_options=types.HttpOptions(base_url=url))


class Both:
    """A client's calls, through its synchronous and its other form alike."""

    def __init__(self, client, runner):
        self.client, self.runner = client, runner

    def __call__(self, room, verb, **given):
        if self.runner is None:
            found = getattr(getattr(self.client, room), verb)(**given)
            return list(found) if verb == "list" else found
        return self.runner.run(self._later(room, verb, given))

    async def _later(self, room, verb, given):
        found = await getattr(getattr(self.client.aio, room), verb)(**given)
        return [each async for each in found] if verb == "list" else found


@pytest.fixture(params=["sync", "async"])
def call(url, request):
    client = genai.Client(api_key="local", http_options=types.HttpOptions(base_url=url))
    with asyncio.Runner() as runner:
        yield Both(client, runner if request.param == "async" else None)


class TestFiles:
    @pytest.mark.parametrize("data", [LARGE, EXACT, b"short", b""], ids=["17 MiB", "16 MiB", "short", "empty"])
    def test_upload_of_any_size(self, call, data):
        file = call("files", "upload", file=io.BytesIO(data), config={"mime_type": "text/plain", "display_name": "a.txt"})
        assert file.name.startswith("files/") and file.size_bytes in (len(data), None if not data else len(data))
        assert base64.b64decode(file.sha256_hash).decode() == hashlib.sha256(data).hexdigest()
        assert file.state == types.FileState.ACTIVE and file.mime_type == "text/plain" and file.display_name == "a.txt"
        assert file.expiration_time > file.create_time and file.source == types.FileSource.UPLOADED
        assert call("files", "get", name=file.name) == file
        call("files", "delete", name=file.name)

    def test_upload_of_a_path_with_a_name(self, call, tmp_path):
        (tmp_path / "notes of today.md").write_text("# Notes")
        file = call("files", "upload", file=str(tmp_path / "notes of today.md"), config={"name": "my-notes"})
        assert file.name == "files/my-notes" and file.mime_type in ("text/markdown", "text/plain")
        with pytest.raises(errors.ClientError) as told:
            call("files", "upload", file=str(tmp_path / "notes of today.md"), config={"name": "my-notes"})
        assert told.value.code == 409
        call("files", "delete", name="files/my-notes")

    def test_what_cannot_be_read_is_told_at_once(self, call):
        since = time.monotonic()
        for data, mime in ((b"\x89PNG\r\n\x1a\n" + bytes(100), "image/png"), (b"test", "bad/mime_type")):
            with pytest.raises(errors.ClientError, match="Unsupported MIME"):
                call("files", "upload", file=io.BytesIO(data), config={"mime_type": mime})
        assert time.monotonic() - since < 5  # no chunk was tried again

    def test_list_get_and_delete(self, call):
        names = [call("files", "upload", file=io.BytesIO(b"x"), config={"mime_type": "text/plain"}).name for _ in range(3)]
        found = [file.name for file in call("files", "list", config={"page_size": 2})]
        assert found[:3] == names[::-1]
        for name in names:
            call("files", "delete", name=name)
        for verb in ("get", "delete"):
            with pytest.raises(errors.ClientError, match="do not have permission") as told:
                call("files", verb, name=names[0])
            assert told.value.code == 403

    def test_a_question_about_a_file(self, call, service):
        file = call("files", "upload", file=io.BytesIO(BOOK.encode()), config={"mime_type": "text/plain"})
        answer = call("models", "generate_content", model=MODEL, contents=[file, "Which colour has the lamp?"])
        assert answer.text == "Which colour has the lamp?" and service.asked[-1].documents[0].segments[0].text == BOOK


class TestCaches:
    def create(self, call, **config):
        config = {"contents": [BOOK], "system_instruction": "Be brief.", "display_name": "Quay"} | config
        return call("caches", "create", model=MODEL, config=config)

    def test_create_use_update_list_and_delete(self, call):
        cache = self.create(call, ttl="300s")
        assert cache.name.startswith("cachedContents/") and cache.model == "models/stub" and cache.display_name == "Quay"
        assert 250 < cache.expire_time.timestamp() - time.time() < 350
        assert call("caches", "get", name=cache.name) == cache
        question = {"model": MODEL, "contents": "Who lit it?", "config": types.GenerateContentConfig(cached_content=cache.name)}
        answer = call("models", "generate_content", **question)
        assert answer.text == "Who lit it?"
        assert answer.usage_metadata.cached_content_token_count == cache.usage_metadata.total_token_count > 2000
        later = call("caches", "update", name=cache.name, config={"ttl": "600s"})
        assert later.expire_time > cache.expire_time and later.update_time > cache.update_time
        assert later in call("caches", "list", config={"page_size": 1})
        call("caches", "delete", name=cache.name)
        for verb in ("get", "delete"):
            with pytest.raises(errors.ClientError, match=r"CachedContent not found \(or permission denied\)") as told:
                call("caches", verb, name=cache.name)
            assert told.value.code == 403
        with pytest.raises(errors.ClientError, match="CachedContent not found"):
            call("models", "generate_content", **question)

    def test_of_a_file_and_with_a_moment_of_its_end(self, call):
        file = call("files", "upload", file=io.BytesIO(BOOK.encode()), config={"mime_type": "text/plain"})
        part = types.Part.from_uri(file_uri=file.uri, mime_type=file.mime_type)
        contents = [types.Content(role="user", parts=[part])]
        cache = self.create(call, contents=contents, expire_time="2999-01-01T00:00:00Z")
        assert cache.expire_time.year == 2999
        call("files", "delete", name=file.name)  # what was made from it goes on
        answer = call("models", "generate_content", model=MODEL, contents="Who?", config={"cached_content": cache.name})
        assert answer.text == "Who?"

    def test_what_cannot_be(self, call):
        with pytest.raises(errors.ClientError) as told:
            call("caches", "create", model="models/nothing", config={"contents": [BOOK]})
        assert told.value.code == 404
        part = types.Part.from_uri(file_uri="gs://bucket/a.pdf", mime_type="application/pdf")
        with pytest.raises(errors.ClientError, match="INVALID_ARGUMENT"):
            self.create(call, contents=[types.Content(role="user", parts=[part])])


class TestBatches:
    def ended(self, call, name):
        until = time.monotonic() + 30
        while not (job := call("batches", "get", name=name)).done:
            assert time.monotonic() < until
            time.sleep(0.05)
        return job

    def test_inline(self, call):
        contents = {text: [{"parts": [{"text": text}], "role": "user"}] for text in ("One bell.", "Two bells.")}
        config = {"max_output_tokens": 9}
        requests = [{"contents": contents[text], "metadata": {"key": text}, "config": config} for text in contents]
        job = call("batches", "create", model=MODEL, src=requests, config={"display_name": "mine"})
        assert job.model == "models/stub" and job.display_name == "mine"
        assert job.state.name in ("JOB_STATE_PENDING", "JOB_STATE_RUNNING")
        job = self.ended(call, job.name)
        assert job.state == types.JobState.JOB_STATE_SUCCEEDED and job.end_time >= job.create_time
        assert [each.response.text for each in job.dest.inlined_responses] == ["One bell.", "Two bells."]
        if VERSION >= (2,):
            assert [each.metadata for each in job.dest.inlined_responses] == [{"key": "One bell."}, {"key": "Two bells."}]
        assert job.name in [each.name for each in call("batches", "list", config={"page_size": 2})]
        call("batches", "delete", name=job.name)
        with pytest.raises(errors.ClientError) as told:
            call("batches", "get", name=job.name)
        assert told.value.code == 404

    def test_by_file_with_results_to_download(self, call):
        lines = [{"key": f"k{n}", "request": {"contents": [{"parts": [{"text": f"{n} bells."}]}]}} for n in range(3)]
        data = "\n".join(map(json.dumps, [*lines, {"key": "bad", "request": {"contents": []}}])).encode()
        file = call("files", "upload", file=io.BytesIO(data), config={"mime_type": "jsonl", "display_name": "requests"})
        job = self.ended(call, call("batches", "create", model=MODEL, src=file.name).name)
        assert job.state == types.JobState.JOB_STATE_SUCCEEDED and job.dest.file_name.startswith("files/")
        found = [json.loads(line) for line in call("files", "download", file=job.dest.file_name).splitlines()]
        assert [each["key"] for each in found] == ["k0", "k1", "k2", "bad"] and found[3]["error"]["message"]
        answers = [types.GenerateContentResponse.model_validate(each["response"]) for each in found[:3]]
        assert [answer.text for answer in answers] == ["0 bells.", "1 bells.", "2 bells."]
        results = call("files", "get", name=job.dest.file_name)
        assert results.source == types.FileSource.GENERATED
        assert call("files", "download", file=results).count(b"\n") == 4

    def test_embeddings(self, call):
        requests = types.EmbedContentBatch(contents=["one", "two"], config={"output_dimensionality": 4})
        source = types.EmbeddingsBatchJobSource(inlined_requests=requests)
        job = self.ended(call, call("batches", "create_embeddings", model=MODEL, src=source).name)
        assert job.state == types.JobState.JOB_STATE_SUCCEEDED
        assert [len(each.response.embedding.values) for each in job.dest.inlined_embed_content_responses] == [4, 4]

    def test_cancel(self, call, service):
        service.pause = 0.05
        try:
            job = call("batches", "create", model=MODEL, src=[{"contents": [{"parts": [{"text": "word " * 390}], "role": "user"}]}])
            call("batches", "cancel", name=job.name)
            assert call("batches", "get", name=job.name).state == types.JobState.JOB_STATE_CANCELLED
        finally:
            service.pause = 0.0
