"""The studio in Chromium: files, folders, long texts, cached contexts."""

from __future__ import annotations

import re

from using import LINES, MARKS, SECONDS, ask, attach, expect

pytestmark = MARKS


class TestMaterial:
    def test_a_folder_is_picked_from(self, page, tmp_path, faults):
        folder = tmp_path / "code"
        (folder / "inner").mkdir(parents=True)
        (folder / ".git").mkdir()
        (folder / ".git" / "config").write_text("hidden")
        (folder / "inner" / "a.py").write_text("def a():\n    return 1\n")
        (folder / "b.md").write_text("# Title\n")
        (folder / "c.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(300))
        page.set_input_files("[data-pick=folder]", str(folder))
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("2 of 3 files", timeout=SECONDS)
        expect(dialog.get_by_label("c.png")).not_to_be_checked()
        expect(dialog).not_to_contain_text("config")
        dialog.get_by_label("b.md").uncheck()
        dialog.get_by_role("button", name="Add 1 files").click()
        expect(page.locator("[data-file='code/inner/a.py']")).to_contain_text("tokens", timeout=SECONDS)
        expect(page.locator("[data-file]")).to_have_count(1)
        faults.clear()  # the picture was refused

    def test_a_long_paste_becomes_a_file(self, page):
        page.evaluate("text => navigator.clipboard.writeText(text)", LINES)
        page.get_by_label("Question").focus()
        page.keyboard.press("Control+v")
        expect(page.locator("[data-file^='pasted']")).to_contain_text("tokens", timeout=SECONDS)
        assert page.get_by_label("Question").input_value() == ""

    def test_dropped_files_are_read(self, page):
        file = "new File(['Dropped text.'], 'drop.txt', {type: 'text/plain'})"
        transfer = page.evaluate_handle(f"() => {{ const all = new DataTransfer(); all.items.add({file}); return all }}")
        page.dispatch_event("main", "drop", {"dataTransfer": transfer})
        expect(page.locator("[data-file='drop.txt']")).to_contain_text("tokens", timeout=SECONDS)

    def test_what_cannot_be_read_is_told(self, page, faults):
        attach(page, "photo.png", b"\x89PNG\r\n\x1a\n" + bytes(300), "image/png")
        expect(page.locator("[data-file='photo.png']")).to_contain_text("image", timeout=SECONDS)
        faults.clear()

    def test_a_cached_context(self, page, service):
        attach(page, "cached.txt")
        page.get_by_role("button", name="Cache the material").click()
        expect(page.get_by_role("button", name="Detach", exact=True)).to_be_visible(timeout=SECONDS)
        answer = ask(page, "Which lamp?")
        expect(answer).to_contain_text("from the cache")
        assert service.asked[-1].kept
        page.keyboard.press("Alt+3")
        row = page.get_by_role("row", name=re.compile("cached.txt"))
        expect(row).to_contain_text("60 min")
        row.get_by_role("button", name="+ 1 h").click()
        expect(row).to_contain_text("2 h")
        page.on("dialog", lambda dialog: dialog.accept())
        row.get_by_role("button", name="Delete").click()
        expect(row).to_have_count(0)

    def test_a_large_text_is_read_in_parts(self, page):
        text = "".join(f"Row {number} of a long book, in which nothing happens.\n" for number in range(40_000))
        attach(page, "book.txt", text.encode())
        chip = page.locator("[data-file='book.txt']")
        expect(chip).to_contain_text("tokens", timeout=120_000)
        chip.get_by_role("button", name="Look into").click()
        reader = page.get_by_role("complementary", name="The passage in its file")
        reader.get_by_label("Go to line").fill("20000")
        reader.get_by_label("Go to line").press("Enter")
        expect(reader).to_contain_text("Row 19999 of", timeout=SECONDS)
        pane = reader.get_by_role("document")
        for _ in range(12):
            pane.evaluate("pane => pane.scrollTop = pane.scrollHeight")
            page.wait_for_timeout(150)
        assert reader.locator(".line").count() <= 900
        numbers = [int(each) for each in reader.locator(".no").all_inner_texts()]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) and numbers[-1] > 20_300
