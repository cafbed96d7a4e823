"""The studio in Chromium: its rooms and its run settings."""

from __future__ import annotations

import json
import re

from using import LINES, MARKS, SECONDS, ask, attach, expect

pytestmark = MARKS


class TestRooms:
    def test_compare(self, page, service):
        page.keyboard.press("Alt+2")
        page.get_by_label("Question").fill("Which of the two?")
        page.keyboard.press("Enter")
        expect(page.locator(".answer")).to_have_text(["Which of the two?"] * 2, timeout=SECONDS)
        assert {ask.sampling.temperature for ask in service.asked[-2:]} == {0.0, 1.0}

    def test_files(self, page):
        attach(page, "listed.txt")
        expect(page.get_by_role("meter")).not_to_have_attribute("aria-valuenow", "0", timeout=SECONDS)  # counted, while it is there
        page.keyboard.press("Alt+4")
        row = page.get_by_role("row", name=re.compile("listed.txt")).first
        row.get_by_role("button", name="Look").click()
        expect(page.get_by_role("complementary", name="The passage in its file")).to_contain_text("The lamp number 1")
        row.get_by_role("button", name="Delete").click()
        expect(page.get_by_role("row", name=re.compile("listed.txt"))).to_have_count(0)

    def test_needles_are_measured(self, page):
        """The stub repeats the question, in which the number is not: recall is 0, and says so."""
        page.keyboard.press("Alt+5")
        page.set_input_files("[data-pick=hay]", {"name": "hay.txt", "mimeType": "text/plain", "buffer": LINES.encode()})
        page.get_by_label("Depths").fill("2")
        for length in ("4k", "8k"):
            page.get_by_label(length, exact=True).uncheck()
        page.get_by_role("button", name="Measure").click()
        expect(page.get_by_text("0% [0, 66], 0 of 2")).to_be_visible(timeout=SECONDS)
        cell = page.get_by_role("button", name="1k tokens, depth 100%: 0 of 1")
        cell.click()
        expect(page.get_by_role("region", name="The cell")).to_contain_text("not found")

    def test_prompts_are_exported_imported_and_deleted(self, page, tmp_path):
        ask(page, "A prompt to be shared?")
        with page.expect_download() as download:
            page.get_by_role("button", name="Share as a file").click()
        path = tmp_path / "shared.json"
        download.value.save_as(path)
        assert json.loads(path.read_text())["pollux"] == "prompt"
        page.set_input_files("[data-pick=prompt]", str(path))
        prompts = page.get_by_role("list", name="Prompts").get_by_role("button", name=re.compile("^A prompt to be shared"))
        expect(prompts).to_have_count(2, timeout=SECONDS)
        expect(page.locator(".answer")).to_have_text("A prompt to be shared?")


class TestSettings:
    def test_they_are_sent(self, page, service):
        page.get_by_label("System instruction").fill("Be brief.")
        page.get_by_label("Temperature", exact=True).fill("0.7")
        page.get_by_label("Length", exact=True).fill("3")
        page.get_by_label("Seed", exact=True).fill("11")
        page.get_by_label("Stop before").fill("zzz")
        answer = ask(page, "one two three four five six seven")
        expect(answer).to_contain_text("Cut short")
        sampling = service.asked[-1].sampling
        assert (sampling.temperature, sampling.limit, sampling.seed, sampling.stop) == (0.7, 3, 11, ("zzz",))
        assert service.asked[-1].documents[0].segments[0].text == "Be brief."

    def test_a_schema_is_checked_and_used(self, page, service):
        page.get_by_role("button", name="Add schema").click()
        page.get_by_role("tab", name="JSON Schema").click()
        box = page.get_by_role("textbox", name="JSON Schema")
        required = '{"type": "object", "properties": {}, "required": ["a"]}'
        for wrong, told in (('{"type": "objekt"}', "no type"), ('{"type": ', "Not JSON"), (required, "required")):
            box.fill(wrong)
            expect(page.get_by_role("status").filter(has_text=told)).to_be_visible()
            expect(page.get_by_role("button", name="Use it")).to_be_disabled()
        box.fill('{"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"]}')
        page.get_by_role("button", name="Use it").click()
        ask(page, "Is it?")
        assert service.asked[-1].constraint is not None

    def test_functions_are_given_what_they_are_said_to_give(self, page):
        """The stub calls nothing, so that the model's side is played here: a call, then an answer to what came of it."""
        asked = []

        def play(route):
            asked.append(json.loads(route.request.post_data))
            call = {"functionCall": {"id": "c1", "name": "weather", "args": {"place": "Porthmeur"}}}
            parts = [call] if len(asked) == 1 else [{"text": "It rains."}]
            event = {"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}]}
            route.fulfill(content_type="text/event-stream", body=f"data: {json.dumps(event)}\n\n")

        page.route("**/studio-api/models/*", play)
        page.get_by_role("button", name="Declare").click()
        box = page.get_by_role("textbox", name="Function declarations")
        box.fill('[{"name": "1 weather"}]')
        expect(page.get_by_role("button", name="Use them")).to_be_disabled()
        box.fill('[{"name": "weather", "parametersJsonSchema": {"type": "object", "properties": {"place": {"type": "string"}}}}]')
        page.get_by_role("button", name="Use them").click()
        page.get_by_label("weather gives").fill('{"sky": "grey"}')
        page.get_by_label("Question").fill("What is the weather?")
        page.keyboard.press("Enter")
        expect(page.locator(".answer")).to_have_text("It rains.", timeout=SECONDS)
        expect(page.get_by_text('weather(place: "Porthmeur")')).to_be_visible()
        assert asked[0]["tools"][0]["functionDeclarations"][0]["name"] == "weather"
        assert asked[1]["contents"][-1]["parts"] == [
            {"functionResponse": {"id": "c1", "name": "weather", "response": {"sky": "grey"}}}
        ]  # fmt: skip

    def test_settings_come_back_with_the_prompt(self, page):
        page.get_by_label("Top-p", exact=True).fill("0.5")
        ask(page, "Kept?")
        expect(page.get_by_text("Saved", exact=True)).to_be_visible()
        page.reload()
        expect(page.get_by_label("Top-p", exact=True)).to_have_value("0.5", timeout=SECONDS)
