"""What a user does in the studio, for the tests in a browser."""

from __future__ import annotations

import os
import shutil

import pytest

api = pytest.importorskip("playwright.sync_api")
expect = api.expect
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
MARKS = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium")]

LINES = "".join(f"The lamp number {number} is green.\n" for number in range(1, 401))
SECONDS = 20_000


def attach(page, name: str, data: bytes = LINES.encode(), mime: str = "text/plain"):
    """Add a file; gives its chip, once its tokens are counted or it is told why not."""
    page.set_input_files("[data-pick=files]", {"name": name, "mimeType": mime, "buffer": data})
    chip = page.locator(f"[data-file='{name}']")
    expect(chip).not_to_contain_text("counting", timeout=6 * SECONDS)
    expect(chip).not_to_contain_text("% of", timeout=6 * SECONDS)
    return chip


def ask(page, text: str):
    """Ask, and wait for the answer to be whole; gives it."""
    page.get_by_label("Question").fill(text)
    page.keyboard.press("Enter")
    answer = page.get_by_role("article", name="Answer").last
    expect(page.get_by_role("button", name="Stop")).to_have_count(0, timeout=SECONDS)
    return answer


def exact(page, count: int) -> None:
    """Wait for the meter to show so many tokens, as counted by the server."""
    expect(page.get_by_role("meter")).to_have_attribute("aria-valuenow", str(count), timeout=SECONDS)
    expect(page.get_by_role("meter")).to_have_attribute("data-exact", "true", timeout=SECONDS)
