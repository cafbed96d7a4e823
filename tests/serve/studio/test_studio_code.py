"""The studio's “Get code”: what it shows is run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from using import MARKS, attach

pytestmark = MARKS


class TestCode:
    """What "Get code" shows is run."""

    def code(self, page, language: str) -> str:
        attach(page, "code.txt")
        page.get_by_label("System instruction").fill("It's a \"test\".")
        page.get_by_label("Temperature", exact=True).fill("0.5")
        page.get_by_label("Question").fill("What's \\n “this” é?")
        page.get_by_role("button", name="Get code").click()
        page.get_by_role("tab", name=language).click()
        page.wait_for_timeout(300)
        return page.locator("[data-code]").inner_text()

    def run(self, command: list[str], **more) -> str:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, **more)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def test_curl(self, page, service):
        out = self.run(["bash", "-c", self.code(page, "curl")])
        chunks = [json.loads(line[6:]) for line in out.splitlines() if line.startswith("data: ")]
        said = "".join(part.get("text", "") for each in chunks for part in each["candidates"][0]["content"]["parts"])
        assert said == "What's \\n “this” é?" and service.asked[-1].sampling.temperature == 0.5
        assert [each.path for each in service.asked[-1].documents][-1] == "code.txt"

    def test_python(self, page, service):
        pytest.importorskip("google.genai")
        assert self.run([sys.executable, "-c", self.code(page, "Python")]) == "What's \\n “this” é?"
        assert service.asked[-1].documents[0].segments[0].text == "It's a \"test\"."

    def test_javascript(self, page, service, tmp_path):
        """With NODE_PATH's @google/genai, where there is one."""
        modules = os.environ.get("GENAI_MODULES")
        if not modules or not shutil.which("node"):
            pytest.skip("GENAI_MODULES names no node_modules with @google/genai")
        (tmp_path / "node_modules").symlink_to(modules)
        (tmp_path / "code.mjs").write_text(self.code(page, "JavaScript"))
        assert self.run(["node", "code.mjs"], cwd=tmp_path) == "What's \\n “this” é?"
        assert service.asked[-1].sampling.temperature == 0.5
