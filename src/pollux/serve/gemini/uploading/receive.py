"""Files as they come in (contract §6): resumable in chunks, in one body with a description, or plain.

    start ──> an address with an id that nobody can guess ─upload, …, finalize→ {"file": File}

Every response on that address says how the upload stands, errors too: without that, clients try the same chunk again and again.
Bytes go to the disk as they come, a piece at a time.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from pollux.serve.errors import ApiError, of
from pollux.serve.gemini import wire
from pollux.serve.gemini.uploading.address import base_of
from pollux.serve.gemini.uploading.multipart import Multipart
from pollux.serve.routing import Route
from pollux.serve.storage.files import StoredFile, check_name
from pollux.serve.storage.uploads import Uploads, Wanted, Writing

if TYPE_CHECKING:
    from pollux.serve.server import Server

Form = Callable[[StoredFile, Request], dict]
_PIECE = 1 << 20
_MOST_METADATA = 1 << 20
_GRANULARITY = 1 << 18
_STATUS = "X-Goog-Upload-Status"
_COMMANDS = ({"upload"}, {"upload", "finalize"}, {"finalize"}, {"query"}, {"cancel"})
_TOLD = "X-Goog-Upload-Command has to be one of: upload, 'upload, finalize', finalize, query, cancel"


def routes(server: Server, form: Form) -> list[Route]:
    """``form`` makes a File of the wire."""
    receiver = Receiver(server.library.uploads, form)
    path = "/upload/{v}/files"
    return [Route("POST", path, receiver.receive), Route("PUT", path, receiver.receive)]


class Receiver:
    def __init__(self, uploads: Uploads, form: Form) -> None:
        self.uploads, self.form = uploads, form

    async def receive(self, request: Request) -> Response:
        """Whatever is done to the path of uploads."""
        if "upload_id" in request.query_params:
            return await self._go_on(request, request.query_params["upload_id"])
        protocol = request.headers.get("x-goog-upload-protocol", "").lower()
        kind = request.query_params.get("uploadType", request.query_params.get("upload_protocol", "")).lower() or protocol
        if request.headers.get("x-goog-upload-command", "").lower() == "start" or kind == "resumable":
            return await self._start(request)
        if kind == "multipart" or request.headers.get("content-type", "").lower().startswith("multipart/"):
            return await self._parts(request)
        if kind in ("media", "raw"):
            return await self._plain(request)
        told = "This is no upload: send X-Goog-Upload-Protocol: resumable with X-Goog-Upload-Command: start, or a "
        raise ApiError(400, f"{told}multipart/related body, or the bytes alone with ?uploadType=media.")

    async def _start(self, request: Request) -> Response:
        given = wire.read(await _small(request), "CreateFileRequest").get("file", {})
        wanted = _wanted(given, request)
        upload = await asyncio.to_thread(self.uploads.begin, wanted)
        url = f"{base_of(request)}/upload/{request.path_params['v']}/files?upload_id={upload.id}&upload_protocol=resumable"
        headers = {
            "X-Goog-Upload-URL": url, "X-Goog-Upload-Control-URL": url, "X-Goog-Upload-Chunk-Granularity": str(_GRANULARITY),
            _STATUS: "active",
        }  # fmt: skip
        return Response(b"", 200, headers)

    async def _go_on(self, request: Request, id: str) -> Response:
        try:
            return await self._command(request, id)
        except ClientDisconnect:
            raise
        except Exception as error:
            told = of(error)
            headers = await asyncio.to_thread(self._standing, id)
            return wire.reply(told.google(), told.code, headers | told.headers)

    async def _command(self, request: Request, id: str) -> Response:
        command = set(re.split(r"[,\s]+", request.headers.get("x-goog-upload-command", "").strip().lower()))
        if command not in _COMMANDS:
            raise ApiError(400, f"{_TOLD}; got {', '.join(sorted(command))[:60] or 'none'}.")
        await asyncio.to_thread(self.uploads.find, id)
        if command == {"cancel"}:
            await asyncio.to_thread(self.uploads.cancel, id)
            return wire.reply({}, headers={_STATUS: "cancelled"})
        if "upload" in command:
            writing = await asyncio.to_thread(self.uploads.take, id, _offset(request))
            await _write(writing, request.stream())
        if "finalize" in command:
            return await self._finish(request, id)
        return wire.reply({}, headers=await asyncio.to_thread(self._standing, id))

    async def _finish(self, request: Request, id: str) -> Response:
        file = await asyncio.to_thread(self.uploads.finish, id)
        headers = {_STATUS: "final", "X-Goog-Upload-Size-Received": str(file.size)}
        return wire.reply({"file": self.form(file, request)}, headers=headers)

    def _standing(self, id: str) -> dict[str, str]:
        """How an upload stands; ``final`` where it is no more."""
        try:
            upload = self.uploads.find(id)
        except ApiError:
            return {_STATUS: "final"}
        return {_STATUS: "final" if upload.file else "active", "X-Goog-Upload-Size-Received": str(upload.received)}

    async def _plain(self, request: Request) -> Response:
        mime = request.headers.get("content-type", "")
        return await self._at_once(request, Wanted(mime=mime), request.stream())

    async def _parts(self, request: Request) -> Response:
        parts = Multipart(request.headers.get("content-type", ""))
        stream = request.stream()
        first = b""
        async for piece in stream:
            first += parts.feed(piece)
            if parts.begun:
                break
        else:
            parts.close()
        given = wire.read(parts.metadata or b"", "CreateFileRequest").get("file", {})
        wanted = _wanted({"mimeType": parts.mime} | given, None)

        async def pieces() -> AsyncIterator[bytes]:
            yield first
            async for piece in stream:
                yield parts.feed(piece)
            parts.close()

        return await self._at_once(request, wanted, pieces())

    async def _at_once(self, request: Request, wanted: Wanted, pieces: AsyncIterator[bytes]) -> Response:
        """A file that comes in one request; where that does not get to its end, nothing stays."""
        upload = await asyncio.to_thread(self.uploads.begin, wanted)
        try:
            await _write(await asyncio.to_thread(self.uploads.take, upload.id, 0), pieces)
            return await self._finish(request, upload.id)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(self.uploads.cancel, upload.id))
            raise


async def _write(writing: Writing, pieces: AsyncIterator[bytes]) -> None:
    """Write what comes; what has come is noted also where the client leaves."""
    waiting = bytearray()
    try:
        async for piece in pieces:
            waiting += piece
            if len(waiting) >= _PIECE:
                await asyncio.to_thread(writing.write, bytes(waiting))
                waiting.clear()
        if waiting:
            await asyncio.to_thread(writing.write, bytes(waiting))
    finally:
        await asyncio.shield(asyncio.to_thread(writing.close))


async def _small(request: Request) -> bytes:
    """The body of a request that only describes a file."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_METADATA:
            raise ApiError(400, "The description of a file is too long. Its bytes go to the address in X-Goog-Upload-URL.")
    return bytes(body)


def _wanted(given: dict, request: Request | None) -> Wanted:
    """What is said of a file in JSON and, for a resumable upload, in headers. Raises ApiError 400."""
    header = lambda name: request.headers.get(f"x-goog-upload-{name}", "") if request is not None else ""  # noqa: E731
    size, told = given.get("sizeBytes"), header("header-content-length")
    if told:
        size = _number(told, "X-Goog-Upload-Header-Content-Length")
    if size is not None and size < 0:
        raise ApiError(400, f"* CreateFileRequest.file.size_bytes: it has to be 0 or more, got {size}.")
    name = given.get("displayName") or _unicode(header("file-name"))
    mime = given.get("mimeType") or header("header-content-type")
    if len(name) > 512:
        raise ApiError(400, f"* CreateFileRequest.file.display_name: it may have 512 characters, this one has {len(name)}.")
    return Wanted(check_name(given.get("name", "")), name, mime, size)


def _unicode(header: str) -> str:
    """A header that may be UTF-8, of which HTTP knows nothing."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


def _offset(request: Request) -> int:
    return _number(request.headers.get("x-goog-upload-offset", ""), "X-Goog-Upload-Offset")


def _number(text: str, header: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise ApiError(400, f"{header} has to be a number of bytes, got {text[:60]!r}.")
    return int(text)
