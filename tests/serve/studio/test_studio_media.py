"""The studio in Chromium: a picture with the place outlined, a sound and a film at their seconds, seen and heard by doubles."""

from __future__ import annotations

import pytest
import sensing
from running import running, server_of
from stub import Stub
from using import MARKS, SECONDS, ask, attach, expect

from pollux.engine.request import Answer, Done, Evidence

pytestmark = MARKS


class Sensing(Stub):
    """Its evidence is the last words of the last file."""

    def __init__(self) -> None:
        super().__init__()
        self.perception = sensing.perception()

    def submit(self, ask, listener):
        def more(each):
            if isinstance(each, Done) and isinstance(each.answer, Answer) and ask.documents:
                segment = ask.documents[-1].segments[-1]
                end = len(segment.text.rstrip())
                found = (Evidence(segment.place(end - 2, end), 1.0),)
                each = Done(Answer(each.answer.text, each.answer.tokens, found, each.answer.reason), each.usage)
            listener(each)

        return super().submit(ask, more)


@pytest.fixture(scope="module")
def service() -> Sensing:
    return Sensing()


@pytest.fixture(scope="module")
def server(service, tmp_path_factory):
    return server_of(tmp_path_factory.mktemp("data"), service)


@pytest.fixture(scope="module")
def url(server):
    with running(server) as url:
        yield url


def opened(page, question: str):
    """What a click on the evidence opens."""
    evidence = ask(page, question).get_by_role("region", name="Evidence").get_by_role("button")
    evidence.focus()
    page.keyboard.press("Enter")
    return evidence, page.get_by_role("complementary", name="The passage in its file")


def test_a_picture_is_shown_with_the_place_outlined(page):
    chip = attach(page, "sign.png", sensing.picture(), "image/png")
    expect(chip).to_contain_text("tokens")
    expect(chip.locator("img")).to_have_js_property("naturalWidth", 320)
    _, reader = opened(page, "What does it say?")
    picture, outline = reader.get_by_role("img", name="sign.png"), reader.get_by_role("img", name="Outlined")
    expect(outline).to_have_attribute("aria-label", "Outlined: 10% from the left, 20% from the top, 40% wide, 10% high")
    around, inner = picture.bounding_box(), outline.bounding_box()
    assert inner["x"] - around["x"] == pytest.approx(0.1 * around["width"], abs=2)
    assert inner["width"] == pytest.approx(0.4 * around["width"], abs=2)
    page.keyboard.press("Escape")
    expect(reader).to_have_count(0)


def test_a_sound_is_played_from_its_second(page):
    chip = attach(page, "talk.wav", sensing.sound(8), "audio/wav")
    expect(chip.get_by_role("button", name="Play talk.wav")).to_be_visible()
    evidence, reader = opened(page, "What is said last?")
    expect(evidence).to_contain_text("talk.wav, 0:07")
    expect(reader).to_contain_text("of 0:08", timeout=SECONDS)
    player = reader.locator("audio")
    assert player.evaluate("each => each.currentTime") >= 7
    player.evaluate("each => each.currentTime = 1")
    reader.get_by_role("button", name="To 0:07").click()
    assert player.evaluate("each => each.currentTime") >= 7


def test_a_film_stands_still_where_something_was_read(page):
    attach(page, "walk.webm", sensing.film(4), "video/webm")
    evidence, reader = opened(page, "What does the sign say?")
    expect(evidence).to_contain_text("walk.webm, 0:03")
    player = reader.locator("video")
    expect(player).to_have_js_property("readyState", 4, timeout=SECONDS)
    assert player.evaluate("each => [each.currentTime, each.paused]") == [pytest.approx(3, abs=0.1), True]
    expect(reader.get_by_role("img", name="Outlined")).to_be_visible()


def test_with_a_key_it_is_shown_from_memory(page):
    attach(page, "sign.png", sensing.picture(), "image/png")
    page.evaluate("() => sessionStorage.setItem('pollux.key', 'any')")
    _, reader = opened(page, "What does it say?")
    picture = reader.get_by_role("img", name="sign.png")
    expect(picture).to_have_js_property("naturalWidth", 320)
    assert picture.get_attribute("src").startswith("blob:")
