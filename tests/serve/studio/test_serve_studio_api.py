"""Material and answers as the page gets them: costs before an upload, a text around a passage, progress beside the answer."""

from __future__ import annotations

import json
from array import array

import pytest
from stub import Stub

from pollux.engine.request import Progress
from pollux.media.segment import Document, Text
from pollux.serve.studio_api.material import _ROW, stretch

LINES = "".join(f"line {number}\n" for number in range(1, 1001))


def ask(client, question="Which lamp?", *parts):
    body = {"contents": [{"role": "user", "parts": [*parts, {"text": question}]}]}
    answer = client.post("/studio-api/models/stub:stream", json=body)
    return answer, [json.loads(event.removeprefix("data: ")) for event in answer.text.split("\n\n") if event.strip()]


def test_a_file_costs_what_it_will(client, upload, stub):
    data = "The harbour master is called Silas. ü\n".encode() * 40
    before = client.post("/studio-api/tokens?name=a.txt&model=stub", content=data).json()
    name = upload(data, "a.txt")
    after = client.get(f"/studio-api/{name}/tokens").json()
    assert before["tokens"] == after["tokens"] == stub.vocabulary.encode(data.decode()).size
    parts = [{"fileData": {"fileUri": name, "mimeType": "text/plain"}}, {"text": "Who?"}]
    total = client.post("/v1beta/models/stub:countTokens", json={"contents": [{"parts": parts}]}).json()["totalTokens"]
    assert total == after["tokens"] + stub.vocabulary.encode("Who?").size


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n" + bytes(100), b"PK\x03\x04" + bytes(60), bytes(range(256))])
def test_what_holds_no_text_is_told(client, data):
    answer = client.post("/studio-api/tokens?name=thing.bin", content=data)
    assert answer.status_code == 400 and "thing.bin" in answer.json()["error"]["message"].lower()


def test_unknown_models_and_files_are_told(client):
    assert client.post("/studio-api/tokens?name=a&model=none", content=b"text").status_code == 404
    assert client.get("/studio-api/files/none/text").status_code == 403
    assert client.get("/studio-api/files/none/tokens").status_code == 403


def test_a_text_around_a_passage(client, upload):
    name = upload(LINES.encode(), "lines.txt")
    at = LINES.index("line 500")
    found = client.get(f"/studio-api/{name}/text?at={at}&count=10").json()
    assert (found["title"], found["total"], found["lines"], found["page"], found["pages"]) == ("lines.txt", 1000, 1000, None, [])
    assert len(found["rows"]) == 10 and {"line": 500, "start": at, "text": "line 500", "begins": True} in found["rows"]
    assert found["rows"][0]["line"] == found["first"] + 1


def test_rows_go_on_without_gaps(client, upload):
    name, rows = upload(LINES.encode(), "lines.txt"), []
    while len(rows) < 1000:
        rows += client.get(f"/studio-api/{name}/text?row={len(rows)}&count=300").json()["rows"]
    assert "".join(row["text"] + "\n" for row in rows) == LINES and [row["line"] for row in rows] == list(range(1, 1001))


def test_a_line_is_gone_to(client, upload):
    name = upload(LINES.encode(), "lines.txt")
    for line, shown in ((1, 1), (700, 700), (5000, 1000)):
        rows = client.get(f"/studio-api/{name}/text?line={line}&count=5").json()["rows"]
        assert shown in [row["line"] for row in rows]


def test_a_book_on_one_line_is_shown_in_pieces(client, upload):
    text = "Ünd so weiter 🜨. " * 5000
    name = upload(text.encode(), "one.txt")
    found = client.get(f"/studio-api/{name}/text?at=40000&count=4").json()
    assert found["lines"] == 1 and found["total"] > 30
    for row in found["rows"]:
        assert len(row["text"]) <= 2000 and text[row["start"] :].startswith(row["text"]), "places count characters, not bytes"
    assert any(row["start"] <= 40000 < row["start"] + len(row["text"]) for row in found["rows"])


def test_pages_of_a_pdf():
    whole = Document("a.pdf", (Text("a.pdf", "one\ntwo", page=1), Text("a.pdf", "three", page=4)))
    starts = array("q", (match.start() for match in _ROW.finditer("three")))
    found = stretch(whole, whole.segments[1], starts, {"at": "0"})
    assert (found["page"], found["pages"], [row["text"] for row in found["rows"]]) == (4, [1, 4], ["three"])


@pytest.mark.parametrize("query", ["at=x", "row=-1", "count=1e3", "page=one", "line="])
def test_bad_places_are_refused(client, upload, query):
    assert client.get(f"/studio-api/{upload(b'text', 'a.txt')}/text?{query}").status_code == 400


def test_places_outside_are_no_fault(client, upload):
    name = upload(b"one\ntwo", "a.txt")
    assert client.get(f"/studio-api/{name}/text?at=999").json()["rows"][-1]["text"] == "two"
    assert client.get(f"/studio-api/{name}/text?row=999").json()["rows"] == []
    assert client.get(f"/studio-api/{name}/text?page=9").status_code == 404


def test_the_whole_text(client, upload):
    answer = client.get(f"/studio-api/{upload(LINES.encode(), 'lines.txt')}/text?whole=true")
    assert answer.text == LINES and answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff", "whatever it holds, it is no page"


def test_progress_stands_beside_the_answer(client, upload):
    name = upload(LINES.encode(), "lines.txt")
    answer, events = ask(client, "Which line?", {"fileData": {"fileUri": name}})
    assert answer.headers["content-type"].startswith("text/event-stream")
    progress = [event["progress"] for event in events if "progress" in event]
    chunks = [event for event in events if "candidates" in event]
    assert progress[-1]["done"] == progress[-1]["total"] == chunks[-1]["usageMetadata"]["promptTokenCount"]
    assert events.index({"progress": progress[-1]}) < events.index(chunks[0])
    assert "".join(part.get("text", "") for event in chunks for part in event["candidates"][0]["content"]["parts"]) == "Which line?"
    assert chunks[-1]["candidates"][0]["groundingMetadata"]["groundingChunks"][0]["retrievedContext"]["title"] == "lines.txt"


class Slow(Stub):
    """Tells each thousandth of a reading, all at once."""

    def submit(self, ask, listener):
        def more(each):
            for done in range(0, each.total, max(1, each.total // 1000)) if isinstance(each, Progress) else ():
                listener(Progress(done, each.total))
            listener(each)

        return super().submit(ask, more)


@pytest.mark.parametrize("stub", [Slow()], ids=["slow"])
def test_progress_is_not_told_more_often_than_it_can_be_seen(client, stub):
    _, events = ask(client, "word " * 3000)
    assert 1 <= sum("progress" in event for event in events) < 20


def test_errors_are_as_elsewhere(client, stub):
    assert ask(client, " ")[0].status_code == 400
    assert client.post("/studio-api/models/none:stream", json={}).status_code == 404
    assert client.post("/studio-api/models/stub:stream", content=b"{").status_code == 400
    stub.room = 0
    answer, events = ask(client)
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) >= 1
    assert events[0]["error"]["status"] == "RESOURCE_EXHAUSTED"
