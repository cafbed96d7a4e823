"""Uploads and files over the wire (contract §6): every command, every error, every header that clients look for."""

import base64
import hashlib

import pytest

from pollux.serve.gemini.uploading.multipart import Multipart
from pollux.serve.storage.library import Allowance

TEXT = b"The lamp at the quay was green.\n" * 3000
STATUS, RECEIVED = "x-goog-upload-status", "x-goog-upload-size-received"


def start(client, about=None, size=len(TEXT), path="/upload/v1beta/files", **headers):
    told = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
    told |= {"X-Goog-Upload-Header-Content-Length": str(size)} if size is not None else {}
    return client.post(path, json=about or {}, headers=told | {k.replace("_", "-"): v for k, v in headers.items()})


def send(client, url, command, data=b"", offset=None, method="POST"):
    headers = {"X-Goog-Upload-Command": command, "Content-Type": "application/json"}
    headers |= {} if offset is None else {"X-Goog-Upload-Offset": str(offset)}
    # the key is not sent: the address is the secret
    return client.request(method, url, content=data, headers=headers | {"x-goog-api-key": ""})


@pytest.fixture
def url(client):
    return start(client).headers["x-goog-upload-url"]


class TestResumable:
    def test_start_names_an_absolute_address_that_nobody_can_guess(self, client):
        answer = start(client, {"file": {"display_name": "a.txt", "mime_type": "text/plain", "size_bytes": len(TEXT)}})
        assert answer.status_code == 200 and answer.content == b"" and answer.headers[STATUS] == "active"
        url = answer.headers["x-goog-upload-url"]
        assert url.startswith("http://files.test:8000/upload/v1beta/files?upload_id=")
        assert len(url.partition("upload_id=")[2].partition("&")[0]) >= 43
        assert answer.headers["x-goog-upload-control-url"] == url and answer.headers["x-goog-upload-chunk-granularity"] == "262144"

    @pytest.mark.parametrize(
        ("headers", "wanted"),
        [
            ({"x-forwarded-proto": "https", "x-forwarded-host": "ai.example.org, inner"}, "https://ai.example.org/upload/"),
            ({"x-forwarded-prefix": "/gemini/"}, "http://files.test:8000/gemini/upload/"), ({"host": "[::1]:80"}, "http://[::1]:80/upload/"),
            ({"x-forwarded-proto": "gopher", "x-forwarded-host": "a b"}, "http://files.test:8000/upload/"),
        ],
    )  # fmt: skip
    def test_behind_a_proxy_the_address_is_the_clients(self, client, headers, wanted):
        assert start(client, **headers).headers["x-goog-upload-url"].startswith(wanted)

    def test_chunks_then_the_file(self, client, url):
        half = len(TEXT) // 2
        first = send(client, url, "upload", TEXT[:half], 0)
        assert first.status_code == 200 and first.headers[STATUS] == "active" and first.headers[RECEIVED] == str(half)
        last = send(client, url, "upload, finalize", TEXT[half:], half, "PUT")
        file = last.json()["file"]
        assert last.status_code == 200 and last.headers[STATUS] == "final"
        assert file["sizeBytes"] == str(len(TEXT)) and file["state"] == "ACTIVE" and file["source"] == "UPLOADED"
        assert base64.b64decode(file["sha256Hash"]).decode() == hashlib.sha256(TEXT).hexdigest()
        assert file["uri"] == f"http://files.test:8000/v1beta/{file['name']}" and "downloadUri" not in file
        assert client.get(f"/v1/{file['name']}").json() == {**file, "uri": file["uri"].replace("v1beta", "v1")}
        assert send(client, url, "upload, finalize", TEXT[half:], half).json()["file"] == file  # its answer was lost
        assert send(client, url, "query").headers[STATUS] == "final"

    def test_a_chunk_sent_again_counts_once(self, client, url):
        for _ in range(3):
            assert send(client, url, "upload", TEXT[:1000], 0).headers[RECEIVED] == "1000"
        assert send(client, url, "upload", TEXT[500:1000], 500).headers[RECEIVED] == "1000"
        assert send(client, url, "upload, finalize", TEXT[1000:], 1000).json()["file"]["sizeBytes"] == str(len(TEXT))

    def test_bytes_that_are_missing_leave_it_active(self, client, url):
        ahead = send(client, url, "upload", TEXT[5:], 5)
        assert ahead.status_code == 400 and ahead.headers[STATUS] == "active" and ahead.headers[RECEIVED] == "0"
        early = send(client, url, "upload, finalize", TEXT[:5], 0)
        assert early.status_code == 400 and early.headers[STATUS] == "active" and early.headers[RECEIVED] == "5"
        assert "5 of 96000" in early.json()["error"]["message"]
        assert send(client, url, "query").headers[RECEIVED] == "5"
        assert send(client, url, "upload", TEXT[5:], 5).status_code == 200
        assert send(client, url, "finalize").json()["file"]["sizeBytes"] == str(len(TEXT))

    def test_cancel(self, client, url):
        assert send(client, url, "cancel").headers[STATUS] == "cancelled"
        for command in ("query", "upload", "finalize", "cancel"):
            answer = send(client, url, command, b"x" * (command == "upload"), 0)
            assert answer.status_code == 404 and answer.headers[STATUS] == "final"
            assert answer.json()["error"]["status"] == "NOT_FOUND"

    @pytest.mark.parametrize(("command", "offset"), [("", 0), ("start", 0), ("upload", None), ("upload", "x"), ("upload, x", 0)])
    def test_nonsense_is_told_with_the_status(self, client, url, command, offset):
        answer = send(client, url, command, b"x", offset)
        assert answer.status_code == 400 and answer.headers[STATUS] == "active"

    def test_what_cannot_be_read_ends_the_upload(self, client, url):
        answer = send(client, url, "upload", b"\x89PNG\r\n\x1a\n" + bytes(500), 0)
        assert answer.status_code == 400 and answer.headers[STATUS] == "final"
        assert answer.json()["error"]["message"].startswith("Unsupported MIME type: ")
        bad = start(client, {"file": {"mimeType": "bad/mime_type"}})
        assert bad.status_code == 400 and "Unsupported MIME type: bad/mime_type" in bad.json()["error"]["message"]

    def test_a_bug_is_told_with_the_status_too(self, client, url, monkeypatch):
        monkeypatch.setattr(client.server.library.uploads, "take", lambda *_: 1 / 0)
        answer = send(client, url, "upload", b"x", 0)
        assert answer.status_code == 500 and answer.headers[STATUS] == "active"

    def test_unknown_size_empty_file_and_every_way_to_the_path(self, client):
        url = start(client, size=None).headers["x-goog-upload-url"]
        assert send(client, url, "upload, finalize", TEXT, 0).json()["file"]["sizeBytes"] == str(len(TEXT))
        for path in ("/v1beta/upload/v1beta/files", "/upload//v1/files", "/upload/v1alpha/files"):
            url = start(client, size=0, path=path).headers["x-goog-upload-url"]
            assert send(client, url, "upload, finalize", b"", 0).json()["file"]["mimeType"] == "text/plain"

    @pytest.mark.parametrize(
        ("about", "size", "code"),
        [
            ({"file": {"name": "files/Bad_Name"}}, 1, 400), ({"file": {"name": "files/-a"}}, 1, 400),
            ({"file": {"name": "x" * 41}}, 1, 400), ({"file": {"size_bytes": -1}}, None, 400), ({"file": 3}, 1, 400),
            ({"file": {"size_bytes": "three"}}, None, 400), ({"fill": {}}, 1, 400), ({}, 5001, 400), ({}, "1e3", 400),
            ({"file": {"displayName": "x" * 513}}, 1, 400), ({}, 5000, 429),
        ],
    )  # fmt: skip
    def test_bad_starts(self, begin, about, size, code):
        client = begin(allowance=Allowance(file_bytes=5000, total_bytes=4000))
        answer = start(client, about, size)
        assert answer.status_code == code and answer.headers[STATUS] == "final", answer.text

    def test_a_name_of_many_letters(self, client):
        url = start(client, x_goog_upload_file_name="größer.txt".encode()).headers["x-goog-upload-url"]
        assert send(client, url, "upload, finalize", TEXT, 0).json()["file"]["displayName"] == "größer.txt"

    def test_a_key_is_asked_for_the_start_and_not_for_the_bytes(self, begin):
        client = begin()
        client.server.keys.needed = True
        assert start(client).status_code == 400  # the key is none that is known
        client.server.keys.needed = False
        url = start(client).headers["x-goog-upload-url"]
        client.server.keys.needed = True
        assert send(client, url, "upload, finalize", TEXT, 0).status_code == 200
        assert client.get("/v1beta/files?upload_id=1").status_code == 400

    def test_an_upload_goes_on_after_a_restart(self, begin):
        client = begin()
        url = start(client).headers["x-goog-upload-url"]
        send(client, url, "upload", TEXT[:7000], 0)
        client = begin()
        assert send(client, url, "query").headers[RECEIVED] == "7000"
        assert send(client, url, "upload, finalize", TEXT[7000:], 7000).json()["file"]["sizeBytes"] == str(len(TEXT))


KIND = "multipart/related; boundary=XyZ"


def related(*parts, end=True, mark="XyZ"):
    body = b"".join(f"--{mark}\r\nContent-Type: {kind}\r\n\r\n".encode() + data + b"\r\n" for kind, data in parts)
    return body + f"--{mark}--\r\n".encode() * end


class TestAtOnce:
    @pytest.mark.parametrize("data", [TEXT, b"", b"--Xy\r\n--Xy\r\n-", b"\r\n--Xy" * 300_000])
    @pytest.mark.parametrize("piece", [1 << 14, 1 << 22])
    def test_a_description_and_the_bytes(self, client, data, piece):
        body = related(("application/json", b'{"file": {"display_name": "a.md", "name": "files/mine"}}'), ("text/markdown", data))
        client.delete("/v1beta/files/mine")
        pieces = [body[at : at + piece] for at in range(0, len(body), piece)]
        headers = {"x-goog-upload-protocol": "multipart", "content-type": "multipart/related; boundary=XyZ"}
        answer = client.post("/upload/v1beta/files", content=iter(pieces), headers=headers)
        assert answer.status_code == 200, answer.text
        file = answer.json()["file"]
        assert file["name"] == "files/mine" and file["displayName"] == "a.md" and file["mimeType"] == "text/markdown"
        assert client.get("/v1beta/files/mine:download?alt=media").content == data

    def test_every_way_to_cut_the_body(self):
        body = related(("application/json; charset=UTF-8", b"{}"), ("text/plain", b"two words"), mark="a")
        for at in range(len(body) + 1):
            parts = Multipart('multipart/related; boundary="a"')
            assert parts.feed(body[:at]) + parts.feed(body[at:]) == b"two words", at
            assert parts.metadata == b"{}" and parts.mime == "text/plain" and parts.done

    def test_a_form_with_a_file(self, client):
        given = {"metadata": (None, b'{"file": {"displayName": "b"}}', "application/json"), "file": ("b.txt", TEXT, "text/plain")}
        assert client.post("/upload/v1beta/files?uploadType=multipart", files=given).json()["file"]["displayName"] == "b"

    def test_the_bytes_alone(self, client):
        answer = client.post("/upload/v1beta/files?uploadType=media", content=TEXT, headers={"content-type": "text/csv"})
        assert answer.json()["file"]["mimeType"] == "text/csv"

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b"", "multipart/related"), (b"", KIND), (related(("application/json", b"{")), KIND), (b"x" * (3 << 20), KIND),
            (related(("application/json", b"{}")), KIND), (related(("application/json", b"[]"), ("text/plain", TEXT)), KIND),
            (related(("application/json", b"{}"), ("text/plain", TEXT), end=False)[:-9], KIND), (TEXT, "text/plain"),
        ],
    )  # fmt: skip
    def test_what_is_no_such_body_is_refused_and_leaves_nothing(self, client, body, kind):
        contents = client.server.library.folder / "contents"
        before = set(contents.iterdir())
        answer = client.post("/upload/v1beta/files", content=body, headers={"content-type": kind})
        assert answer.status_code == 400 and answer.json()["error"]["status"] == "INVALID_ARGUMENT", answer.text
        assert set(contents.iterdir()) == before


class TestFiles:
    @pytest.fixture
    def names(self, client):
        path, headers = "/upload/v1beta/files?uploadType=media", {"content-type": "text/plain"}
        answers = [client.post(path, content=b"x%d" % number, headers=headers) for number in range(5)]
        return [answer.json()["file"]["name"] for answer in answers]

    def test_pages_are_newest_first(self, client, names):
        page = client.get("/v1beta/files?pageSize=3").json()
        rest = client.get("/v1/files", params={"page_size": "2", "pageToken": page["nextPageToken"]}).json()
        assert [file["name"] for file in page["files"] + rest["files"]] == names[::-1]
        assert [file["name"] for file in client.get("/v1beta/files?pageSize=0").json()["files"]][:5] == names[::-1]
        for query in ("pageToken=zz", "pageSize=-1", "pageSize=many"):
            assert client.get(f"/v1beta/files?{query}").status_code == 400

    def test_an_empty_list_is_an_empty_object(self, begin):
        assert begin().get("/v1beta/files").json() == {}

    def test_deleted_and_unknown_ones_are_forbidden(self, client, names):
        assert client.delete(f"/v1beta/{names[0]}").json() == {}
        for name in (names[0], "files/nothing"):
            for answer in (client.get(f"/v1/{name}"), client.delete(f"/v1/{name}"), client.get(f"/v1/{name}:download?alt=media")):
                told = answer.json()["error"]
                assert answer.status_code == 403 and told["status"] == "PERMISSION_DENIED"
                assert "You do not have permission to access the File" in told["message"]

    def test_a_damaged_file_is_told_not_served(self, client, names):
        client.server.library.files.find(names[1]).path.write_bytes(b"y")
        answer = client.get(f"/v1/{names[1]}:download?alt=media")
        assert answer.status_code == 400 and "damaged" in answer.json()["error"]["message"]
        file = client.get(f"/v1/{names[1]}").json()
        assert file["state"] == "FAILED" and file["error"]["code"] == 15

    def test_a_damaged_file_is_told_when_it_is_used(self, client, names):
        client.server.library.files.find(names[2]).path.write_bytes(b"y")
        parts = [{"fileData": {"fileUri": names[2]}}, {"text": "Which colour?"}]
        answer = client.post("/v1/models/stub:generateContent", json={"contents": [{"parts": parts}]})
        assert answer.status_code == 400 and "checksum" in answer.json()["error"]["message"]

    def test_a_question_about_a_file(self, client):
        url = start(client, {"file": {"displayName": "lamp.txt"}}).headers["x-goog-upload-url"]
        file = send(client, url, "upload, finalize", TEXT, 0).json()["file"]
        parts = [{"fileData": {"file_uri": file["uri"], "mime_type": file["mimeType"]}}, {"text": "Which colour?"}]
        answer = client.post("/v1/models/stub:generateContent", json={"contents": [{"parts": parts}]})
        assert answer.json()["candidates"][0]["content"]["parts"][0]["text"] == "Which colour?", answer.text
        (document,) = client.service.asked[-1].documents
        assert document.path == "lamp.txt" and document.segments[0].text == TEXT.decode()
