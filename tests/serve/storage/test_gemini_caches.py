"""Cached contents over the wire (contract §7): kept when answered, gone when expired, the same answers as without."""

from __future__ import annotations

import http.client
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from running import running, server_of
from stub import Stub

from pollux.base.errors import BusyError
from pollux.engine.request import Failed
from pollux.serve.storage.library import Allowance

BOOK = "It rained on the quay, and the lamp was green.\n" * 200
CONTENTS = [{"role": "user", "parts": [{"text": BOOK}]}]
PATH = "/v1beta/cachedContents"
MISSING = "CachedContent not found (or permission denied)"


class Reading(Stub):
    """Keeps a context when it is told to. ``failing``: what its reading ends with."""

    def __init__(self, failing=None):
        super().__init__()
        self.failing, self.begun, self.go_on, self.tickets = failing, threading.Event(), threading.Event(), []

    def keep(self, name, ask, path, listener):
        def work(ticket):
            path.with_name(path.name + ".part").write_text("half")
            self.tickets.append(ticket)
            self.begun.set()
            while not self.go_on.wait(0.01) and not ticket.cancelled.is_set():
                pass
            if self.failing:
                listener(Failed(self.failing))
            elif not ticket.cancelled.is_set():
                Stub.keep(self, name, ask, path, listener)

        return self._start(work, ask)


def create(client, **body):
    return client.post(PATH, json={"model": "models/stub", "contents": CONTENTS} | body)


def ask(client, name, *texts, **body):
    body["contents"] = [{"role": "user", "parts": [{"text": text} for text in texts]}]
    body |= {"cachedContent": name} if name else {}
    return client.post("/v1beta/models/stub:generateContent", json=body)


def moment(stamp):
    return datetime.fromisoformat(stamp).timestamp()


def left(client):
    """Names of files and rows of cached contents."""
    library = client.server.library
    rows = library.database.rows("SELECT name FROM caches")
    return sorted(path.name for path in (library.folder / "contexts").iterdir()), [row["name"] for row in rows]


class TestCreate:
    def test_it_is_told_and_kept(self, begin):
        client = begin()
        answer = create(client, displayName="Quay", ttl="300s").json()
        assert answer["name"].startswith("cachedContents/") and answer["name"].partition("/")[2].isalnum()
        assert answer["model"] == "models/stub" and answer["displayName"] == "Quay" and "contents" not in answer
        assert abs(moment(answer["expireTime"]) - time.time() - 300) < 20 and answer["createTime"] == answer["updateTime"]
        assert answer["usageMetadata"]["totalTokenCount"] == client.service.vocabulary.encode(BOOK).size
        assert client.get(f"/v1/{answer['name']}").json() == answer
        assert left(client)[1] == [answer["name"]] and len(left(client)[0]) == 1

    def test_an_hour_unless_told(self, client):
        answer = create(client).json()
        assert abs(moment(answer["expireTime"]) - time.time() - 3600) < 20
        told = create(client, expire_time="2999-01-01T02:00:00.500000001+02:00").json()
        assert told["expireTime"] == "2999-01-01T00:00:00.500000Z"
        assert create(client, ttl="999999999999s").json()["expireTime"].startswith("9999-12-31T")

    @pytest.mark.parametrize(
        "body",
        [
            {"ttl": "0s"}, {"ttl": "-1s"}, {"ttl": "1h"}, {"ttl": 300}, {"expireTime": "2001-01-01T00:00:00Z"}, {"model": ""},
            {"ttl": "1s", "expireTime": "2999-01-01T00:00:00Z"}, {"expireTime": "soon"}, {"contents": [{"role": "dog"}]},
            {"displayName": "x" * 129}, {"tools": [{"googleSearch": {}}]}, {"unknown": 1}, {"contents": "x"}, {"contents": []},
            {"contents": [{"parts": [{"fileData": {"fileUri": "gs://bucket/a.pdf"}}]}]},
        ],
    )  # fmt: skip
    def test_what_cannot_be(self, client, body):
        before = left(client)
        answer = create(client, **body)
        assert answer.status_code == 400 and answer.json()["error"]["status"] == "INVALID_ARGUMENT", answer.text
        assert left(client) == before

    def test_unknown_models_and_aliases(self, client):
        unknown = create(client, model="models/nothing").json()["error"]
        assert unknown["status"] == "NOT_FOUND" and "createCachedContent" in unknown["message"]
        name = create(client, model="gemini-2.5-flash").json()
        assert name["model"] == "models/gemini-2.5-flash" and ask(client, name["name"], "Why?").status_code == 200

    def test_too_small(self, begin):
        client = begin(allowance=Allowance(cache_tokens=10_000))
        answer = create(client).json()["error"]
        assert answer["message"].startswith("Cached content is too small. total_token_count=") and answer["code"] == 400
        assert "min_total_token_count=10000" in answer["message"] and left(client) == ([], []) and not client.service.kept

    @pytest.mark.parametrize(("error", "code"), [(BusyError("full", seconds=3.0), 429), (ZeroDivisionError(), 500)])
    def test_a_reading_that_fails_leaves_nothing(self, begin, error, code):
        service = Reading(error)
        service.go_on.set()
        client = begin(service)
        assert create(client).status_code == code
        assert left(client) == ([], []) and not service.kept

    def test_two_at_once_and_the_server_goes_on_meanwhile(self, begin):
        service = Reading()
        client = begin(service)
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(create, client) for _ in range(2)]
            service.begun.wait(5)
            assert client.get(PATH).json() == {}  # not half made
            assert ask(client, "", "Why?").json()["candidates"]
            service.go_on.set()
            names = {each.result().json()["name"] for each in both}
        assert len(names) == 2 and set(left(client)[1]) == names and len(service.kept) == 2


class TestUse:
    def test_the_answer_is_that_without_and_the_tokens_are_counted(self, client):
        cache = create(client).json()
        with_it, without = ask(client, cache["name"], "Who lit the lamp?"), ask(client, "", BOOK, "Who lit the lamp?")
        usage = with_it.json()["usageMetadata"]
        assert with_it.json()["candidates"][0]["content"] == without.json()["candidates"][0]["content"]
        assert usage["cachedContentTokenCount"] == cache["usageMetadata"]["totalTokenCount"]
        assert usage["promptTokenCount"] == without.json()["usageMetadata"]["promptTokenCount"]
        asked, whole = client.service.asked[-2:]
        assert asked.kept and not asked.documents and whole.documents[0].segments[0].text == BOOK

    def test_turns_short_texts_and_instructions(self, client):
        contents = [*CONTENTS, {"role": "model", "parts": [{"text": "Noted."}]}, {"role": "user", "parts": [{"text": "Listen."}]}]
        cache = create(client, contents=contents, systemInstruction={"parts": [{"text": "Be brief."}]}).json()
        assert ask(client, cache["name"], "Who?").status_code == 200
        asked = client.service.asked[-1]
        assert asked.question == "Listen.\nWho?" and [answered for _, answered in asked.turns] == ["Noted."]

    def test_what_may_not_stand_beside_it(self, client):
        name = create(client).json()["name"]
        for body in ({"systemInstruction": {"parts": [{"text": "x"}]}}, {"tools": [{"functionDeclarations": [{"name": "f"}]}]}):
            assert ask(client, name, "Who?", **body).status_code == 400

    def test_it_is_there_after_a_restart(self, begin):
        name = create(begin()).json()["name"]
        client = begin()
        assert not client.service.kept
        for _ in range(2):
            assert ask(client, name, "Who?").status_code == 200
        assert len(client.service.kept) == 1

    def test_one_that_is_damaged_is_told(self, begin):
        client = begin()
        name = create(client).json()["name"]
        (path,) = (client.server.library.folder / "contexts").iterdir()
        path.write_text("damaged")
        answer = ask(begin(), name, "Who?")
        assert answer.status_code == 400 and "cannot be used any more" in answer.json()["error"]["message"]


class TestUpkeep:
    def test_list(self, begin):
        client = begin()
        names = [create(client).json()["name"] for _ in range(3)]
        page = client.get(PATH, params={"pageSize": 2}).json()
        rest = client.get(PATH, params={"pageSize": 2, "pageToken": page["nextPageToken"]}).json()
        assert [each["name"] for each in page["cachedContents"] + rest["cachedContents"]] == names[::-1]
        assert client.get(PATH, params={"pageToken": "!"}).status_code == 400

    @pytest.mark.parametrize(
        ("body", "query", "seconds"),
        [
            ({"ttl": "600s"}, "", 600), ({"ttl": "1.5s"}, "", 1.5), ({"ttl": "600s", "displayName": "new"}, "?updateMask=ttl", 600),
            ({"ttl": "600s", "model": "models/stub"}, "?updateMask=ttl", 600), ({"ttl": "9s"}, "?update_mask=ttl,expire_time", 9),
        ],
    )  # fmt: skip
    def test_patch(self, client, body, query, seconds):
        cache = create(client).json()
        answer = client.patch(f"/v1beta/{cache['name']}{query}", json=body).json()
        assert abs(moment(answer["expireTime"]) - time.time() - seconds) < 20 and answer["updateTime"] > cache["updateTime"]
        assert {**answer, "expireTime": 0, "updateTime": 0} == {**cache, "expireTime": 0, "updateTime": 0}

    @pytest.mark.parametrize(
        ("body", "query"),
        [
            ({}, ""), ({"displayName": "new"}, ""), ({"ttl": "0s"}, ""), ({"ttl": "5s"}, "?updateMask=expireTime"),
            ({"displayName": "new", "ttl": "5s"}, "?updateMask=displayName"), ({"ttl": "5s"}, "?updateMask=nothing"),
            ({"contents": CONTENTS, "ttl": "5s"}, ""), ({"ttl": 5}, ""),
        ],
    )  # fmt: skip
    def test_patch_of_what_cannot_be_changed(self, client, body, query):
        name = create(client).json()["name"]
        assert client.patch(f"/v1beta/{name}{query}", json=body).status_code == 400

    def test_unknown_deleted_and_expired_ones_are_forbidden(self, begin):
        client = begin()
        deleted, expired = create(client).json()["name"], create(client, ttl="0.3s").json()["name"]
        assert client.delete(f"/v1beta/{deleted}").json() == {} and len(client.service.kept) == 1
        time.sleep(0.35)
        for name in ("cachedContents/nothing", deleted, expired):
            answers = [client.get(f"/v1/{name}"), client.delete(f"/v1/{name}"), client.patch(f"/v1/{name}", json={"ttl": "5s"})]
            for answer in (*answers, ask(client, name, "Who?")):
                assert answer.status_code == 403 and answer.json()["error"]["message"] == MISSING, answer.text
        assert ask(client, "files/abc", "Who?").status_code == 400
        client.server.library.sweep()
        assert left(client) == ([], []) and not client.service.kept

    def test_what_belongs_to_nothing_is_swept_away_and_what_is_being_made_is_not(self, begin):
        service = Reading()
        client = begin(service)
        name = create_later(client, service)
        folder = client.server.library.folder / "contexts"
        (folder / "0123.pollux").write_text("late")
        client.server.library.sweep()
        assert not (folder / "0123.pollux").exists() and list(folder.iterdir())
        service.go_on.set()
        assert name.result().status_code == 200


def test_a_client_that_leaves_takes_its_reading_along(tmp_path):
    service = Reading()
    server = server_of(tmp_path, service)
    with running(server) as url:
        body = json.dumps({"model": "models/stub", "contents": CONTENTS})
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        connection.request("POST", PATH, body, {"content-type": "application/json"})
        assert service.begun.wait(10)
        connection.close()
        assert service.tickets[0].cancelled.wait(10)
        until = time.monotonic() + 10
        while any((tmp_path / "contexts").iterdir()) and time.monotonic() < until:
            time.sleep(0.01)
        assert not any((tmp_path / "contexts").iterdir()) and not service.kept
        assert not server.library.database.rows("SELECT * FROM caches")


def create_later(client, service):
    future = ThreadPoolExecutor(1).submit(create, client)
    service.begun.wait(5)
    return future
