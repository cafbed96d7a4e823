"""The page's files: there, of the right types, kept by browsers, guarded, and small."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from pollux.serve.studio_api.page import FOLDER, POLICY, Asset, assets, respond

LARGEST = 400_000  # bytes, compressed, of all of it
SOURCE = Path(__file__).parents[3] / "studio"


def test_every_way_leads_to_the_page(client):
    for path in ("/", "/studio"):
        answer = client.get(path, follow_redirects=False)
        assert answer.status_code == 307 and answer.headers["location"] == "studio/"
        assert client.get(path).url == "http://studio.test/studio/"
    page = client.get("/studio/")
    assert page.status_code == 200 and page.headers["content-type"] == "text/html; charset=utf-8" and "<title>Pollux" in page.text


def test_what_the_page_names_is_there(client):
    named = re.findall(r'(?:src|href)="\./([^"]+)"', client.get("/studio/").text)
    assert any(name.endswith(".js") for name in named) and any(name.endswith(".css") for name in named)
    types = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
    for name in named:
        answer = client.get(f"/studio/{name}")
        assert answer.status_code == 200 and answer.headers["content-type"] == types[Path(name).suffix], name


def test_nothing_else_is(client):
    for path in ("/studio/assets/none.js", "/studio/none", "/studio/assets/..%2f..%2fapp.py", "/studio/..%2fstudio.py"):
        assert client.get(path).status_code == 404, path


def test_it_is_guarded(client):
    for path in ["/studio/", *(f"/studio/{name}" for name in assets())]:
        headers = client.get(path).headers
        assert headers["content-security-policy"] == POLICY and headers["x-content-type-options"] == "nosniff", path
    rules = dict(rule.split(" ", 1) for rule in POLICY.split("; "))
    assert rules["default-src"] == "'none'" and rules["script-src"] == rules["connect-src"] == "'self'"
    assert "unsafe" not in POLICY and "http" not in POLICY and rules["require-trusted-types-for"] == "'script'"


def test_nothing_comes_from_elsewhere():
    """Works offline, and keeps to its own rules: no script or style inside the page, no address of another server in what loads."""
    page = (FOLDER / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\son\w+=|\sstyle=|https?://", page)
    for name, asset in assets().items():
        if name.endswith(".css"):
            assert not re.search(rb"url\(|@import|https?://", asset.data), name


def test_browsers_keep_what_does_not_change(client):
    page = client.get("/studio/")
    assert page.headers["cache-control"] == "no-cache"
    assert client.get("/studio/", headers={"if-none-match": page.headers["etag"]}).status_code == 304
    name = next(name for name in assets() if name.startswith("assets/"))
    assert "immutable" in client.get(f"/studio/{name}").headers["cache-control"]


def test_it_is_packed_for_those_who_can_unpack_it():
    asset = Asset(b"text " * 1000, "text/plain", True)
    packed = respond(asset, {"accept-encoding": "br, gzip"})
    assert packed.headers["content-encoding"] == "gzip" and gzip.decompress(packed.body) == asset.data
    assert "content-encoding" not in respond(asset, {}).headers


def test_it_is_small():
    found = assets()
    size = sum(len(asset.packed) for asset in found.values())
    assert found and size <= LARGEST, f"{size:,} bytes"
    first = [found[name] for name in re.findall(r'="\./([^"]+)"', found["index.html"].data.decode())]
    assert sum(len(asset.packed) for asset in first) <= LARGEST // 2, "what is fetched before anything is seen"


def test_the_wheel_has_it():
    """Built files are not ignored by git, by which hatch goes, and stand inside the package."""
    assert FOLDER.parent.name == "serve" and FOLDER.parent.parent.name == "pollux"
    ignored = (Path(__file__).parents[3] / ".gitignore").read_text().split()
    assert not {"studio", "assets", "*.js", "*.css", "dist/", "studio/"} & set(ignored)


@pytest.mark.skipif(not SOURCE.exists(), reason="only in a checkout")
def test_versions_are_pinned():
    import json

    wanted = json.loads((SOURCE / "package.json").read_text())["devDependencies"]
    locked = json.loads((SOURCE / "package-lock.json").read_text())["packages"]
    assert wanted and all(re.fullmatch(r"[\d.]+", version) for version in wanted.values())
    assert all(locked[f"node_modules/{name}"]["version"] == version for name, version in wanted.items())


def test_a_server_with_keys_still_shows_the_page(client):
    client.server.keys.needed = True
    assert client.get("/studio/").status_code == 200
    for path in ("/studio-api/prompts", "/v1beta/models"):
        assert client.get(path, headers={"x-goog-api-client": "pollux-studio"}).status_code == 403
