"""The studio in Chromium: colours, keyboard, names for those who hear it, speed."""

from __future__ import annotations

import re

from using import MARKS, SECONDS, ask, expect

pytestmark = MARKS


class TestLooks:
    def test_dark_and_light(self, page, browser, url):
        colour = "() => getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(colour)
        page.get_by_role("button", name="Colours: system").click()
        page.get_by_role("button", name="Colours: light").click()
        dark = page.evaluate(colour)
        assert sum(map(int, re.findall(r"\d+", light))) > 600 and sum(map(int, re.findall(r"\d+", dark))) < 150
        page.reload()
        expect(page.get_by_role("button", name="Colours: dark")).to_be_visible(timeout=SECONDS)
        assert page.evaluate(colour) == dark, "the choice is remembered"
        context = browser.new_context(color_scheme="dark")
        other = context.new_page()
        other.goto(url + "/studio/")
        assert other.evaluate(colour) == dark, "and else the system's is taken"
        context.close()

    def test_the_keyboard_is_enough(self, page):
        page.keyboard.press("Control+;")
        page.keyboard.type("By hand?")
        page.keyboard.press("Enter")
        expect(page.locator(".answer")).to_have_text("By hand?", timeout=SECONDS)
        page.keyboard.press("Control+/")
        listed = page.get_by_role("dialog", name="Keyboard")
        expect(listed).to_be_visible()
        page.keyboard.press("Escape")
        expect(listed).to_have_count(0)
        page.keyboard.press("Control+.")
        expect(page.get_by_role("complementary", name="Run settings")).to_have_count(0)
        page.keyboard.press("Control+j")
        expect(page.locator(".answer")).to_have_count(0)
        for room, title in ((3, "Cached contexts"), (4, "Files"), (5, "Needles"), (2, "Compare")):
            page.keyboard.press(f"Alt+{room}")
            expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()

    def test_everything_has_a_name(self, page):
        """Whoever hears the page is told what each control is."""
        nameless = """() => [...document.querySelectorAll('button, input, select, textarea')]
            .filter(each => each.offsetParent && !each.closest('[aria-hidden=true]'))
            .filter(each => !each.ariaLabel && !each.title && !each.textContent.trim() && !each.labels?.length)
            .map(each => each.outerHTML)"""
        ask(page, "Named?")
        for room in range(1, 6):
            page.keyboard.press(f"Alt+{room}")
            page.wait_for_timeout(300)
            assert page.evaluate(nameless) == [], room

    def test_first_paint(self, page, url):
        """The best of a few: a busy machine is no fault of the page."""
        paints = []
        while len(paints) < 5 or (min(paints) > 1000 and len(paints) < 20):
            page.goto(url + "/studio/")
            page.wait_for_timeout(500)
            entries = page.evaluate("() => performance.getEntriesByName('first-contentful-paint').map(each => each.startTime)")
            paints += entries or [1e9]
        assert min(paints) <= 1000, paints

    def test_a_long_chat_stays_short_in_the_page(self, page, url):
        head = {"title": "Long", "kind": "chat", "model": "models/stub", "head": "t1999"}
        turns = [
            {"id": f"t{number}", "parent": f"t{number - 1}" if number else None, "role": "model" if number % 2 else "user",
             "parts": [{"text": f"Turn {number}. " * 20}], "born": number}
            for number in range(2000)
        ]  # fmt: skip
        whole = {"pollux": "prompt", "version": 1, "prompt": head, "turns": turns}
        taken = page.request.post(f"{url}/studio-api/prompts:import", data=whole)
        page.goto(f"{url}/studio/#/{taken.json()['id']}")
        expect(page.get_by_text("Turn 1999. Turn 1999.")).to_be_visible(timeout=SECONDS)
        assert page.get_by_role("article").count() == 40
        page.get_by_role("button", name="1960 earlier turns").click()
        expect(page.get_by_role("article")).to_have_count(80)
