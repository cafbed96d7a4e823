"""Cached content that a request goes on from (contract §7), and the addresses of files that its evidence names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pollux.serve.errors import ApiError
from pollux.serve.gemini.content import file_name

if TYPE_CHECKING:
    from pollux.serve.server import Server
    from pollux.serve.storage.caches import StoredCache

_EXCLUDED = ("systemInstruction", "tools", "toolConfig")


def cached_content(server: Server, model: str, body: dict) -> StoredCache | None:
    """The cached content that a request for a model (its local name) names; None where it names none.

    Raises:
        ApiError: 400 for what may not stand beside it, and for another model's; 403 where there is none.
    """
    name = body.get("cachedContent", "")
    if not name:
        return None
    if not name.startswith("cachedContents/"):
        raise ApiError(400, f"Invalid cached content name: {name[:100]}. It begins with cachedContents/.")
    if any(body.get(field) for field in _EXCLUDED):
        told = "CachedContent can not be used with GenerateContent request setting system_instruction, tools or tool_config."
        raise ApiError(400, f"{told} Proposed fix: move those values to CachedContent from GenerateContent request.")
    caches = server.library.caches
    other = caches.look(name).service
    if other != model:
        told = f"Model used by GenerateContent request (models/{model}) and CachedContent (models/{other}) has to be the same."
        raise ApiError(400, told)
    return caches.find(name)


def addresses(server: Server, body: dict) -> dict[str, str]:
    """Addresses of the files that a request names, by the names that they have for the model."""
    out = {}
    parts = (part for content in body.get("contents", []) for part in content.get("parts", []))
    for given in (part["fileData"] for part in parts if "fileData" in part):
        file = server.library.files.find(file_name(given["fileUri"]))
        out[file.display_name or file.name] = given["fileUri"]
    return out
