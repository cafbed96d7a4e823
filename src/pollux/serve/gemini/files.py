"""Files: get, list, delete and download (contract §6). How they come in is the business of `pollux.serve.gemini.uploading`."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from pollux.serve.gemini import wire
from pollux.serve.gemini.pages import wanted_page
from pollux.serve.gemini.uploading import receive
from pollux.serve.gemini.uploading.address import base_of
from pollux.serve.routing import Route
from pollux.serve.storage.files import StoredFile
from pollux.serve.storage.names import stamp
from pollux.serve.web.download import Download

if TYPE_CHECKING:
    from pollux.serve.server import Server

_GUARDS = {"x-content-type-options": "nosniff", "content-disposition": "attachment"}


def routes(server: Server) -> list[Route]:
    files = server.library.files

    async def get(request: Request) -> Response:
        return wire.reply(form(await asyncio.to_thread(files.find, request.path_params["file"]), request))

    async def every(request: Request) -> Response:
        found, following = await asyncio.to_thread(files.list, *wanted_page(request))
        out = {"files": [form(file, request) for file in found], "nextPageToken": following}
        return wire.reply({name: value for name, value in out.items() if value})

    async def delete(request: Request) -> Response:
        await asyncio.to_thread(files.delete, request.path_params["file"])
        return wire.reply({})

    async def download(request: Request) -> Response:
        file = await asyncio.to_thread(_checked, server, request.path_params["file"])
        return Download(file, _GUARDS)

    return [
        *receive.routes(server, form),
        Route("GET", "/{v}/files", every),
        Route("GET", "/{v}/files/{file}:download", download),
        Route("GET", "/{v}/files/{file}", get),
        Route("DELETE", "/{v}/files/{file}", delete),
    ]


def form(file: StoredFile, request: Request) -> dict:
    """A File of the wire."""
    uri = f"{base_of(request)}/{request.path_params['v']}/{file.name}"
    hashed = base64.b64encode(file.sha256.encode()).decode()  # of the hexadecimal text, as Google does
    out = {
        "name": file.name, "displayName": file.display_name, "mimeType": file.mime, "sizeBytes": str(file.size),
        "createTime": stamp(file.created), "updateTime": stamp(file.created), "expirationTime": stamp(file.expires),
        "sha256Hash": hashed, "uri": uri, "state": file.state, "source": file.source,
    }  # fmt: skip
    if file.source == "GENERATED":
        out["downloadUri"] = f"{uri}:download?alt=media"
    if file.error:
        out["error"] = {"code": 15, "message": file.error}  # google.rpc's DATA_LOSS
    return {name: value for name, value in out.items() if value}


def _checked(server: Server, name: str) -> StoredFile:
    server.library.files.check(name)
    return server.library.files.find(name)
