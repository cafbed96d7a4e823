"""Pictures and sound as the page gets them: what they cost, their bytes by ranges, and refusals without senses."""

from __future__ import annotations

import pytest
import sensing
from running import server_of
from starlette.testclient import TestClient
from stub import Stub

from pollux.serve.app import build
from pollux.serve.material.evidence import passages
from pollux.serve.operations.keys import Keys, digest
from pollux.serve.web.download import span


@pytest.fixture
def stub() -> Stub:
    stub = Stub()
    stub.perception = sensing.perception()
    return stub


def content(client, name: str, **headers):
    return client.get(f"/studio-api/{name}/content", headers=headers)


def test_a_picture_costs_what_it_will(client, upload):
    data = sensing.picture()
    before = client.post("/studio-api/tokens?name=sign.png&model=stub", content=data).json()
    name = upload(data, "sign.png", "image/png")
    after = client.get(f"/studio-api/{name}/tokens").json()
    parts = [{"fileData": {"fileUri": name, "mimeType": "image/png"}}, {"text": "?"}]
    total = client.post("/v1beta/models/stub:countTokens", json={"contents": [{"parts": parts}]}).json()["totalTokens"]
    assert before["tokens"] == after["tokens"] == total - client.server.services["stub"].vocabulary.encode("?").size > 0
    assert client.server.perceiver.perception.sight.cells == [256], "it is looked at once, however often it is counted"


def test_it_is_counted_at_the_resolution_of_the_request(client, upload):
    name = upload(sensing.picture(), "sign.png", "image/png")
    for level in ("LOW", "HIGH"):
        assert client.get(f"/studio-api/{name}/tokens?resolution=MEDIA_RESOLUTION_{level}").status_code == 200
    assert client.server.perceiver.perception.sight.cells == [64, 1024]


def test_the_words_of_a_sound_are_its_text(client, upload):
    name = upload(sensing.sound(3), "talk.wav", "audio/wav")
    assert "w0 w1 w2" in client.get(f"/studio-api/{name}/text?whole=true").text


@pytest.mark.parametrize(("name", "what"), [("sign.png", "a picture"), ("talk.wav", "a sound")])
@pytest.mark.parametrize("stub", [Stub()], ids=["blind"])
def test_a_model_without_senses_says_so(client, name, what):
    data = sensing.picture() if name.endswith("png") else sensing.sound(1)
    told = client.post(f"/studio-api/tokens?name={name}", content=data)
    assert told.status_code == 400
    assert told.json()["error"]["message"].startswith(f"{name.capitalize()} is {what}, and this model cannot see or hear.")


def test_all_of_it_is_shown_where_it_stands_and_can_do_nothing(client, upload):
    data = sensing.picture()
    answer = content(client, upload(data, "sign.png", "image/png"))
    assert answer.status_code == 200 and answer.content == data
    assert answer.headers["content-type"] == "image/png" and answer.headers["content-disposition"] == "inline"
    assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["content-security-policy"] == "sandbox"
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("mime", ["text/html", "image/svg+xml", "image/png"])
def test_what_is_text_is_only_saved(client, upload, mime):
    answer = content(client, upload(b"<!doctype html><html><svg><script>alert(1)</script></svg></html>", "page", mime))
    assert answer.headers["content-disposition"] == "attachment" and answer.headers["x-content-type-options"] == "nosniff"


def test_a_range_of_it(client, upload):
    data = sensing.sound(2)
    name = upload(data, "talk.wav", "audio/wav")
    some = content(client, name, range="bytes=100-299")
    assert some.status_code == 206 and some.content == data[100:300]
    assert some.headers["content-range"] == f"bytes 100-299/{len(data)}" and some.headers["content-length"] == "200"
    whole = content(client, name, range="bytes=0-")
    assert whole.status_code == 206 and whole.content == data
    assert content(client, name, **{"range": "bytes=5-9", "if-range": '"another"'}).status_code == 200
    head = client.head(f"/studio-api/{name}/content", headers={"range": "bytes=-44"})
    assert head.status_code == 206 and head.content == b"" and head.headers["content-length"] == "44"


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=9-5", "bytes=-", "bytes=a-b", "bytes=-0"])
def test_bad_ranges_are_refused(client, upload, asked):
    data = sensing.picture()
    answer = content(client, upload(data, "sign.png", "image/png"), range=asked)
    assert answer.status_code == 416 and answer.content == b"" and answer.headers["content-range"] == f"bytes */{len(data)}"


@pytest.mark.parametrize(
    ("asked", "bytes_"),
    [("", None), ("bytes=0-", range(10)), ("bytes=2-4", range(2, 5)), ("bytes=2-", range(2, 10)), ("bytes=-3", range(7, 10)),
     ("bytes=-99", range(10)), ("bytes=8-99", range(8, 10)), ("bytes=0-1,4-5", None), ("lines=1-2", None)],
)  # fmt: skip
def test_what_a_range_asks_for(asked, bytes_):
    assert span(asked, 10) == bytes_


def test_files_that_are_not_there_and_keys(client, upload, tmp_path):
    name = upload(sensing.picture(), "sign.png", "image/png")
    assert content(client, "files/none").status_code == 403
    client.server.library.files.find(name).path.unlink()
    assert content(client, name).status_code == 403
    kept = TestClient(build(server_of(tmp_path / "kept", Stub(), keys=Keys(True, {digest("good" * 8): "me"}))))
    assert content(kept, "files/any").status_code == 403, "no key"
    assert "API key not valid" in content(kept, "files/any", **{"x-goog-api-key": "bad"}).text


def test_where_it_was_seen_or_heard_is_told_on_every_surface(client, upload):
    name = upload(sensing.picture(), "sign.png", "image/png")
    parts = [{"fileData": {"fileUri": name, "mimeType": "image/png"}}, {"text": "What does it say?"}]
    asked = client.post("/v1beta/models/stub:generateContent", json={"contents": [{"parts": parts}]}).json()
    (found,) = passages(asked["candidates"][0])
    assert (found.path, found.start, found.seconds) == ("sign.png", None, None)
    assert found.region == pytest.approx((10, 20, 40, 10))
