"""Batches over the wire (contract §8): every request answered once, its error its own, through restarts too."""

from __future__ import annotations

import json
import time

import pytest
from stub import Stub

from pollux.base.errors import BusyError
from pollux.serve.storage import batches

PATH = "/v1beta/batches"
MADE = "/v1beta/models/stub:"


def contents(text):
    return {"contents": [{"role": "user", "parts": [{"text": text}]}]}


def inline(*texts):
    return {"requests": {"requests": [{"request": contents(text), "metadata": {"key": text}} for text in texts]}}


def create(client, given, verb="batchGenerateContent", **about):
    return client.post(MADE + verb, json={"batch": {"displayName": "mine", "inputConfig": given} | about})


def state(client, name):
    return client.get(f"/v1beta/{name}").json()["metadata"]["state"].removeprefix("BATCH_STATE_")


def ended(client, name):
    until = time.monotonic() + 20
    while state(client, name) in ("PENDING", "RUNNING"):
        assert time.monotonic() < until, "it does not end"
        time.sleep(0.02)
    return client.get(f"/v1beta/{name}").json()


def outcomes(operation):
    return operation["metadata"]["output"]["inlinedResponses"]["inlinedResponses"]


def text(response):
    return response["candidates"][0]["content"]["parts"][0]["text"]


def uploaded(client, lines):
    data = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    headers = {"content-type": "application/jsonl"}
    return client.post("/upload/v1beta/files?uploadType=media", content=data, headers=headers).json()["file"]["name"]


class TestInline:
    def test_answers_in_order_each_with_what_it_came_with(self, client):
        made = create(client, inline("One bell.", "Two bells.", "Three?")).json()
        assert made["name"].startswith("batches/") and "done" not in made
        metadata = made["metadata"]
        assert metadata["model"] == "models/stub" and metadata["displayName"] == "mine"
        assert metadata["state"] == "BATCH_STATE_PENDING"
        assert metadata["batchStats"] == {"requestCount": "3", "pendingRequestCount": "3"} and "endTime" not in metadata
        done = ended(client, made["name"])
        assert done["done"] and done["metadata"]["batchStats"] == {"requestCount": "3", "successfulRequestCount": "3"}
        assert [text(each["response"]) for each in outcomes(done)] == ["One bell.", "Two bells.", "Three?"]
        assert [each["metadata"] for each in outcomes(done)] == [{"key": "One bell."}, {"key": "Two bells."}, {"key": "Three?"}]
        assert done["response"]["inlinedResponses"] == done["metadata"]["output"]["inlinedResponses"]
        assert done["metadata"]["endTime"] >= done["metadata"]["createTime"] == metadata["createTime"]
        asked = client.service.asked[-3:]
        assert {each.client for each in asked} == {"(batches)"} and all(each.deadline is None for each in asked)

    def test_an_error_is_its_requests_own(self, client):
        given = inline("One bell.")
        bad = [{"request": {}}, {"request": contents("x") | {"generationConfig": {"temperature": 9}}}]
        bad.append({"request": {"contents": [{"role": "dog", "parts": [{"text": "x"}]}]}})
        bad.append({"request": contents("x") | {"model": "other"}})
        given["requests"]["requests"] += bad
        done = ended(client, create(client, given).json()["name"])
        assert done["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"
        assert done["metadata"]["batchStats"] == {"requestCount": "5", "successfulRequestCount": "1", "failedRequestCount": "4"}
        errors = [each["error"] for each in outcomes(done)[1:]]
        assert [each["code"] for each in errors] == [3, 3, 3, 5] and "valid role" in errors[2]["message"]

    def test_a_bug_is_its_requests_own_and_tells_nothing(self, begin, monkeypatch):
        client = begin()
        monkeypatch.setattr(client.service, "submit", lambda *_: 1 / 0)
        (outcome,) = outcomes(ended(client, create(client, inline("x")).json()["name"]))
        assert outcome["error"] == {"code": 13, "message": "Internal error encountered."}

    def test_embeddings(self, client):
        requests = [{"request": {"content": {"parts": [{"text": each}]}, "output_dimensionality": 4}} for each in ("a", "bcd", " ")]
        made = create(client, {"requests": {"requests": requests}}, "asyncBatchEmbedContent").json()
        assert made["metadata"]["@type"].endswith("EmbedContentBatch")
        first, second, third = outcomes(ended(client, made["name"]))
        assert len(first["response"]["embedding"]["values"]) == 4 != second["response"]["embedding"]["values"]
        assert third["error"]["code"] == 3

    @pytest.mark.parametrize(
        "given",
        [
            {}, inline(), {"requests": {"requests": [{}]}}, {"requests": {"requests": [{"request": {"contents": 5}}]}},
            {"unknown": 1}, inline("x") | {"fileName": "files/x"}, {"requests": []}, {"file_name": "gs://bucket/x.jsonl"},
        ],
    )  # fmt: skip
    def test_what_is_no_batch(self, client, given):
        before = client.get(PATH).json().get("operations", [])
        answer = create(client, given)
        assert answer.status_code == 400, answer.text
        assert client.get(PATH).json().get("operations", []) == before
        assert create(client, inline("x"), webhookConfig={"uri": "http://x"}).status_code == 400

    def test_unknown_ones(self, client):
        for answer in (
            client.get(f"{PATH}/x"), client.delete(f"{PATH}/x"), client.post(f"{PATH}/x:cancel"),
            client.post("/v1/models/nothing:batchGenerateContent", json={"batch": {"inputConfig": inline("x")}}),
        ):  # fmt: skip
            assert answer.status_code == 404 and answer.json()["error"]["status"] == "NOT_FOUND"
        assert create(client, {"fileName": "files/nothing"}).status_code == 403


class TestFile:
    def test_lines_and_a_file_of_results(self, client):
        lines = [{"key": f"k{n}", "request": contents(f"{n} bells.")} for n in range(12)]
        bad = ["", "no json", "[1]", {"key": "empty"}, {"key": "e", "request": {"contents": "x", "y": 1}}]
        name = uploaded(client, [*lines, *bad])
        done = ended(client, create(client, {"file_name": name}).json()["name"])
        stats = {"requestCount": "16", "successfulRequestCount": "12", "failedRequestCount": "4"}
        assert done["metadata"]["batchStats"] == stats and done["metadata"]["inputConfig"] == {"fileName": name}
        results = done["metadata"]["output"]["responsesFile"]
        assert done["response"]["responsesFile"] == results
        file = client.get(f"/v1beta/{results}").json()
        assert file["source"] == "GENERATED" and file["downloadUri"].endswith(":download?alt=media")
        answer = client.get(f"/v1beta/{results}:download?alt=media")
        assert answer.headers["content-length"] == str(len(answer.content)) == file["sizeBytes"]
        found = [json.loads(line) for line in answer.text.splitlines()]
        assert [each.get("key") for each in found] == [f"k{n}" for n in range(12)] + [None, None, "empty", "e"]
        assert [text(each["response"]) for each in found[:12]] == [f"{n} bells." for n in range(12)]
        assert all(each["error"]["code"] == 3 for each in found[12:])

    def test_embeddings_by_file(self, client):
        name = uploaded(client, [{"key": "a", "request": {"content": {"parts": [{"text": "a"}]}}}])
        done = ended(client, create(client, {"fileName": name}, "asyncBatchEmbedContent").json()["name"])
        line = client.get(f"/v1/{done['metadata']['output']['responsesFile']}:download?alt=media").json()
        assert line["key"] == "a" and len(line["response"]["embedding"]["values"]) == 16

    def test_a_damaged_file(self, client):
        name = uploaded(client, [{"request": contents("x")}])
        client.server.library.files.find(name).path.write_text("?")
        assert create(client, {"fileName": name}).status_code == 400


class TestUpkeep:
    def test_list_cancel_and_delete(self, begin):
        client = begin(Stub(pause=0.05))
        names = [create(client, inline("word " * 390)).json()["name"] for _ in range(3)]
        page = client.get(PATH, params={"pageSize": 2}).json()
        rest = client.get(PATH, params={"pageSize": 2, "pageToken": page["nextPageToken"]}).json()
        assert [each["name"] for each in page["operations"] + rest["operations"]] == names[::-1]
        assert client.post(f"/v1beta/{names[0]}:cancel").json() == {}
        cancelled = client.get(f"/v1beta/{names[0]}").json()
        assert cancelled["done"] and cancelled["error"]["code"] == 1
        assert cancelled["metadata"]["state"] == "BATCH_STATE_CANCELLED" and cancelled["metadata"]["endTime"]
        assert client.post(f"/v1beta/{names[0]}:cancel").json() == {}
        for name in names[1:]:
            assert client.delete(f"/v1beta/{name}").json() == {} and client.get(f"/v1beta/{name}").status_code == 404
        until = time.monotonic() + 10
        while client.service.load().answering and time.monotonic() < until:
            time.sleep(0.01)
        assert client.service.load().answering == 0  # what was under way is given up
        assert client.delete(f"/v1beta/{names[0]}").json() == {} and client.get(PATH).json() == {}

    def test_it_goes_on_after_a_restart_and_nothing_is_run_twice(self, begin):
        first = Stub()
        told = first.submit

        def submit(ask, listener):
            if ask.question.startswith("late"):
                raise BusyError("not yet", seconds=0.05)
            return told(ask, listener)

        first.submit = submit
        client = begin(first)
        name = create(client, inline("early 1", "late 2", "early 3", "late 4")).json()["name"]
        until = time.monotonic() + 10
        while client.get(f"/v1beta/{name}").json()["metadata"]["batchStats"].get("successfulRequestCount") != "2":
            assert time.monotonic() < until
            time.sleep(0.02)
        assert state(client, name) == "RUNNING" and "done" not in client.get(f"/v1beta/{name}").json()
        second = Stub()
        client = begin(second)
        done = ended(client, name)
        assert [text(each["response"]) for each in outcomes(done)] == ["early 1", "late 2", "early 3", "late 4"]
        assert sorted(ask.question for ask in first.asked) == ["early 1", "early 3"]
        assert sorted(ask.question for ask in second.asked) == ["late 2", "late 4"]

    def test_the_end_is_made_up_for_and_what_takes_too_long_is_given_up(self, begin, monkeypatch):
        client = begin(Stub(pause=10))
        name = create(client, inline("x")).json()["name"]
        library = client.server.library
        library.database.execute("UPDATE batch_rows SET response = '{}'")  # as if the process had died right behind it
        library.sweep()
        assert state(client, name) == "SUCCEEDED"
        late = create(client, inline("x")).json()["name"]
        monkeypatch.setattr(batches, "SECONDS", 0.0)
        library.sweep()
        assert client.get(f"/v1beta/{late}").json()["error"]["code"] == 4

    def test_priority(self, begin):
        client = begin(Stub(pause=0.01))
        hold = [create(client, inline("wait " * 50)).json()["name"] for _ in range(4)]
        low = create(client, inline("low")).json()["name"]
        high = create(client, inline("high"), priority="5").json()["name"]
        for name in (*hold, low, high):
            ended(client, name)
        asked = [ask.question for ask in client.service.asked]
        assert asked.index("high") < asked.index("low")

    def test_no_more_than_a_few_are_under_way(self, begin):
        class Counting(Stub):
            most = 0

            def _answer(self, ask, listener, ticket):
                self.most = max(self.most, self._going)
                time.sleep(0.02)
                super()._answer(ask, listener, ticket)

        client = begin(Counting())
        ended(client, create(client, inline(*(str(number) for number in range(30)))).json()["name"])
        assert 2 <= client.service.most <= 4


