"""google-genai's own tests, which come with it, sent to a server with a stand-in for the model (`stand_in`): those of
``client.models``, and those that it shares with clients in other languages.

    pip install google-genai pytest-asyncio pytest-timeout mcp        besides '.[serve,media,test]', in a venv of its own: files of
    pytest -n 0 -s -m slow tests/serve/gemini/google_suite            ours are put into the installed package where its are missing

Its tests for Google's cloud are left out. Of what fails, most asks for what is not here: answers in pictures and sound, Google's
search, maps, code execution and files, tuned models.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from running import running, server_of
from stand_in import StandIn
from test_gemini_media import Ears, Eyes

from pollux.perception.perceive import Perception

genai = pytest.importorskip("google.genai")
pytest.importorskip("pytest_asyncio")
pytest.importorskip("pytest_timeout")

pytestmark = pytest.mark.slow
PACKAGE = Path(genai.__file__).parent
HERE = Path(__file__).parent
# With google-genai 3.6.1: 411 of 478, and 27 of 27.
LEAST = {"models": 410, "shared": 27}


@pytest.fixture
def url(tmp_path):
    from fixtures import of_type, put, stored  # av and soundfile with it

    put(PACKAGE / "tests")
    service = StandIn()
    service.perception = Perception(Eyes(), Ears())
    with running(server_of(tmp_path / "data", service, requests=0)) as url:
        client = genai.Client(api_key="local", http_options={"base_url": url})
        for name, mime in stored(PACKAGE / "tests").items():
            client.files.upload(file=of_type(mime, tmp_path), config={"name": name, "mime_type": mime})
        yield url


@pytest.mark.parametrize("folder", LEAST)
def test_so_many_pass(url, tmp_path, folder):
    paths = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    environment = {
        "POLLUX_URL": url, "GOOGLE_API_KEY": "local", "GOOGLE_GENAI_RUN_GEMINI_ONLY_IN_API_MODE": "1",
        "GOOGLE_GENAI_REPLAYS_DIRECTORY": str(tmp_path), "PYTHONPATH": paths,
    }  # fmt: skip
    run = subprocess.run(
        [
            Path(sys.executable).with_name("pytest"), "-q", "-W", "ignore", "--tb=line", "--show-capture=no", "-p", "address",
            "-p", "no:cacheprovider", "-o", "consider_namespace_packages=true", "--mode=api", "--timeout=12", f"tests/{folder}",
        ],
        cwd=PACKAGE, env=os.environ | environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    print(run.stdout)
    assert int(re.search(r"(\d+) passed", run.stdout)[1]) >= LEAST[folder]
