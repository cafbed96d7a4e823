"""Pictures, sound and films over the wire, seen and heard by doubles: parts, details, counts, and refusals without senses."""

import base64
import io

import numpy as np
import pytest
from starlette.testclient import TestClient

from pollux.media.senses import RATE
from pollux.perception.perceive import Perception
from pollux.perception.percepts import Heard, Said, Seen, Word
from pollux.serve.app import build
from pollux.serve.server import Server, Settings

URL = "/v1beta/models/stub:generateContent"


class Eyes:
    cells: list = []  # noqa: RUF012

    def resize(self, picture, cells):
        self.cells.append(cells)
        return picture

    def see(self, pictures):
        return [Seen(np.full((2, 2), 7, np.int32), (Word("SIGN", (0.1, 0.1, 0.5, 0.3)),)) for _ in pictures]


class Ears:
    def listen(self, blocks):
        seconds = round(sum(block.size for block in blocks) / RATE)
        yield Heard(0.0, float(seconds), np.zeros(25 * seconds, np.int32), tuple(Said(f"w{n}", n, n + 0.5) for n in range(seconds)))


@pytest.fixture
def seeing(stub, library):
    stub.perception = Perception(Eyes(), Ears())
    Eyes.cells.clear()
    yield TestClient(build(Server({"stub": stub}, Settings(data=library.folder), library)))
    library.uploads.media = False


def picture(form="PNG") -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (64, 48), (10, 20, 30)).save(out, form)
    return out.getvalue()


def sound(seconds=8) -> bytes:
    soundfile = pytest.importorskip("soundfile")
    out = io.BytesIO()
    soundfile.write(out, np.zeros(seconds * RATE, np.float32), RATE, format="WAV")
    return out.getvalue()


def part(data: bytes, mime: str, **more) -> dict:
    return {"inlineData": {"mimeType": mime, "data": base64.b64encode(data).decode()}, **more}


def asked(client, *parts, config=None) -> dict:
    body = {"contents": [{"role": "user", "parts": [*parts, {"text": "What does it say?"}]}]}
    answer = client.post(URL, json=body | ({"generationConfig": config} if config else {}))
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_picture_is_read_and_counted(seeing, stub):
    answer = asked(seeing, part(picture(), "image/png"), part(picture("JPEG"), "image/jpeg"))
    texts = [segment.text for document in stub.asked[-1].documents for segment in document.segments]
    assert texts == ["SIGN\n", "SIGN\n"]
    details = {each["modality"]: each["tokenCount"] for each in answer["usageMetadata"]["promptTokensDetails"]}
    assert details["IMAGE"] > 3 and sum(details.values()) == answer["usageMetadata"]["promptTokenCount"]


@pytest.mark.parametrize(
    ("where", "level", "cells"),
    [("request", "LOW", 64), ("request", "HIGH", 1024), ("part", "LOW", 64), ("none", "", 256), ("request", "UNSPECIFIED", 256)],
)
def test_the_resolution_is_the_one_asked_for(seeing, where, level, cells):
    name = f"MEDIA_RESOLUTION_{level}"
    data = picture() + f"{where}{level}".encode()  # other bytes: what was seen is kept
    own = {"mediaResolution": {"level": name}} if where == "part" else {}
    asked(seeing, part(data, "image/png", **own), config={"mediaResolution": name} if where == "request" else None)
    assert Eyes.cells == [cells]


def test_of_sound_the_part_that_is_asked_for_is_heard(seeing, stub):
    cut = {"videoMetadata": {"startOffset": "2s", "endOffset": "5s"}}
    answer = asked(seeing, part(sound(), "audio/wav", **cut))
    (segment,) = stub.asked[-1].documents[0].segments
    assert segment.text == "00:02\nw0 w1 w2\n" and segment.place(6, 8).start == 2
    assert {each["modality"] for each in answer["usageMetadata"]["promptTokensDetails"]} == {"AUDIO", "TEXT"}
    late = {"contents": [{"parts": [part(sound(), "audio/wav", videoMetadata={"startOffset": "60s"})]}]}
    refused = seeing.post(URL, json=late)
    assert refused.status_code == 400 and "start_offset" in refused.json()["error"]["message"]


def test_what_is_damaged_is_refused(seeing):
    body = {"contents": [{"parts": [part(picture()[:60], "image/png"), {"text": "?"}]}]}
    refused = seeing.post(URL, json=body)
    assert refused.status_code == 400 and "png" in refused.json()["error"]["message"].lower()


def test_without_senses_it_is_refused_as_before(client):
    refused = client.post(URL, json={"contents": [{"parts": [part(picture(), "image/png")]}]})
    assert refused.status_code == 400 and refused.json()["error"]["message"].startswith("Unsupported MIME type: image/png")


def test_a_picture_that_a_function_gives_back_is_seen(seeing, stub):
    given = {"name": "look", "response": {"url": "http://quay"}, "parts": [part(picture(), "image/png")]}
    asked(seeing, {"functionResponse": given}, part(picture("JPEG"), "image/jpeg"))
    names = [document.path for document in stub.asked[-1].documents]
    assert names == ["(message 1, part 1, part 1).png", "(message 1, part 2).jpg"]
    assert stub.asked[-1].question == 'look returned {"url":"http://quay"}\nWhat does it say?'
