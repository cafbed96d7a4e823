"""The library of prompts: rows that come back as they went, each client's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from pollux.serve.errors import ApiError
from pollux.serve.storage.database import Database
from pollux.serve.storage.prompts import Prompts

HEAD = {"title": "The lamp", "system": "Be brief.", "config": {"stop": ["\n"], "seed": None}, "head": "b"}
TURNS = [
    {"id": "a", "role": "user", "parts": [{"text": "Who? 🜨 \u2028"}], "parent": None, "born": 1.5},
    {"id": "b", "role": "model", "parts": [{"text": "Silas"}], "parent": "a", "born": 2.5},
]


@pytest.fixture
def prompts(tmp_path):
    database = Database(tmp_path / "library.sqlite")
    yield Prompts(database)
    database.close()


def put(client, identity="p1", head=HEAD, turns=TURNS):
    assert client.put(f"/studio-api/prompts/{identity}", json=head).status_code == 200
    for turn in turns:
        assert client.put(f"/studio-api/prompts/{identity}/turns/{turn['id']}", json=turn).status_code == 200


def test_what_is_saved_is_opened(client):
    put(client, turns=TURNS[::-1])
    found = client.get("/studio-api/prompts/p1").json()
    assert found["turns"] == TURNS, "in the order in which they were born"
    assert {name: found[name] for name in HEAD} == HEAD
    (listed,) = client.get("/studio-api/prompts").json()["prompts"]
    assert listed == {name: found[name] for name in ("id", "title", "created", "updated")}


def test_a_turn_changes_alone(client):
    put(client)
    client.put("/studio-api/prompts/p1/turns/b", json=TURNS[1] | {"parts": [{"text": "Anna"}]})
    client.put("/studio-api/prompts/p1", json=HEAD | {"title": "Another"})
    found = client.get("/studio-api/prompts/p1").json()
    assert [turn["parts"][0]["text"] for turn in found["turns"]] == ["Who? 🜨 \u2028", "Anna"] and found["title"] == "Another"


def test_the_last_changed_comes_first(client):
    for identity in ("one", "two", "three"):
        put(client, identity, turns=[])
    client.put("/studio-api/prompts/one/turns/a", json=TURNS[0])
    assert [each["id"] for each in client.get("/studio-api/prompts").json()["prompts"]] == ["one", "three", "two"]


def test_deleted_is_gone(client):
    put(client)
    assert client.delete("/studio-api/prompts/p1").json() == {}
    for answer in (client.get("/studio-api/prompts/p1"), client.delete("/studio-api/prompts/p1")):
        assert answer.status_code == 404 and "no prompt p1" in answer.json()["error"]["message"]
    assert client.put("/studio-api/prompts/p1/turns/a", json=TURNS[0]).status_code == 404
    put(client, turns=[])
    assert client.get("/studio-api/prompts/p1").json()["turns"] == [], "turns go with their prompt"


def test_a_file_that_is_shared_is_taken_back(client):
    put(client)
    answer = client.get("/studio-api/prompts/p1:export")
    assert answer.headers["content-disposition"].startswith("attachment")
    taken = client.post("/studio-api/prompts:import", json=answer.json()).json()
    assert taken["id"] != "p1"
    both = [client.get(f"/studio-api/prompts/{identity}").json() for identity in ("p1", taken["id"])]
    assert both[0]["turns"] == both[1]["turns"] and both[0]["config"] == both[1]["config"]


@pytest.mark.parametrize("given", [
    b"{", b"[]", b"{}", b'{"pollux": "prompt", "version": 2, "prompt": {}, "turns": []}',
    b'{"pollux": "prompt", "version": 1, "prompt": {}, "turns": [1]}',
    b'{"pollux": "prompt", "version": 1, "prompt": {}, "turns": [{}]}',
    b'{"pollux": "prompt", "version": 1, "prompt": {"title": 7}, "turns": []}', b'{"pollux": "prompt", "version": 1, "turns": []}',
])  # fmt: skip
def test_what_is_no_prompt_is_refused(client, given):
    answer = client.post("/studio-api/prompts:import", content=given, headers={"content-type": "application/json"})
    assert answer.status_code == 400 and client.get("/studio-api/prompts").json() == {"prompts": []}


def test_bad_ids_and_bodies_are_refused(client):
    assert client.put("/studio-api/prompts/a.b", json={}).status_code == 400
    assert client.put("/studio-api/prompts/" + "a" * 65, json={}).status_code == 400
    assert client.put("/studio-api/prompts/p", content=b"no").status_code == 400
    put(client, turns=[])
    assert client.put("/studio-api/prompts/p1/turns/a%20b", json={}).status_code == 400


def test_a_turn_is_no_place_for_a_book(prompts):
    prompts.save("", "p", {})
    with pytest.raises(ApiError) as told:
        prompts.save_turn("", "p", "t", {"parts": [{"text": "x" * (17 << 20)}]})
    assert told.value.code == 413 and "Upload" in told.value.message


def test_each_key_has_its_own_library(prompts):
    prompts.save("anna", "p", HEAD)
    assert prompts.list("bert") == []
    with pytest.raises(ApiError) as told:
        prompts.open("bert", "p")
    assert told.value.code == 404
    prompts.save("bert", "p", {"title": "His"})
    assert prompts.open("anna", "p")["title"] == "The lamp" and prompts.open("bert", "p")["title"] == "His"


def test_many_at_once(prompts):
    prompts.save("", "p", HEAD)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: prompts.save_turn("", "p", f"t{number}", {"born": number}), range(200)))
    assert [turn["id"] for turn in prompts.open("", "p")["turns"]] == [f"t{number}" for number in range(200)]


def test_it_survives_a_restart(tmp_path):
    database = Database(tmp_path / "library.sqlite")
    Prompts(database).take("", HEAD, TURNS)
    database.close()
    database = Database(tmp_path / "library.sqlite")
    (kept,) = Prompts(database).list("")
    assert Prompts(database).open("", kept["id"])["turns"] == TURNS
    database.close()
