"""Bodies of several parts, read as they come: what describes a file, then its bytes, of which no more than a piece is in memory.

    feed(piece) ──> bytes of the last part, as far as they are known to be it        metadata: what the part before held
"""

from __future__ import annotations

import re
from email.parser import BytesHeaderParser

from pollux.serve.errors import ApiError

# Of what comes before the bytes.
_MOST = 1 << 20
_BOUNDARY = re.compile(r"""boundary=(?:"([^"\r\n]{1,200})"|([^\s;,"]{1,200}))""", re.IGNORECASE)


class Multipart:
    """Two parts: JSON, and a file's bytes. Of ``multipart/related``, or a form with a file in the second place.

    Attributes:
        metadata: The first part, None until it has come. mime: the second part's type, "" where it says none.
        begun: Whether the bytes have begun. done: whether they have ended.
    """

    def __init__(self, content_type: str) -> None:
        """Raises ApiError 400 where no boundary is given."""
        found = _BOUNDARY.search(content_type)
        if not found:
            raise ApiError(400, "A multipart upload needs a boundary in its content-type, as in: multipart/related; boundary=XYZ.")
        self._mark = b"\r\n--" + (found[1] or found[2]).encode("latin-1", "replace")
        self._buffer = b"\r\n"  # the first boundary may stand at the very beginning
        self.metadata: bytes | None = None
        self.mime, self.begun, self.done = "", False, False

    def feed(self, piece: bytes) -> bytes:
        """Raises ApiError 400 for what is no such body."""
        if self.done:
            return b""
        self._buffer += piece
        while not self.begun:
            if not self._part():
                if len(self._buffer) > _MOST:
                    raise _broken("what comes before the file is too long")
                return b""
        return self._bytes()

    def close(self) -> None:
        """Raises ApiError 400 where the body has ended before its end."""
        if not self.done:
            raise _broken("it ends before its last boundary")

    def _part(self) -> bool:
        """Read a part that comes before the bytes, or the headers of these; whether so much has come."""
        mark = self._buffer.find(self._mark)
        if mark < 0 or (head := self._buffer.find(b"\r\n\r\n", mark)) < 0:
            return False
        headers = BytesHeaderParser().parsebytes(self._buffer[self._buffer.find(b"\r\n", mark + 2) + 2 : head + 4])
        if self.metadata is not None:
            self.mime = headers.get_content_type() if headers["content-type"] else ""
            self._buffer, self.begun = self._buffer[head + 4 :], True
            if self._buffer.startswith(self._mark[2:]):  # no bytes at all
                self._buffer = b"\r\n" + self._buffer
            return True
        end = self._buffer.find(self._mark, head + 2)
        if end < 0:
            return False
        self.metadata, self._buffer = self._buffer[head + 4 : end], self._buffer[end:]
        if self._buffer.startswith(self._mark + b"--"):
            raise _broken("there is no second part with the file's bytes")
        return True

    def _bytes(self) -> bytes:
        """The bytes that cannot be part of a boundary."""
        end = self._buffer.find(self._mark)
        if end >= 0:
            self.done = True
            out, self._buffer = self._buffer[:end], b""
            return out
        keep = len(self._mark) - 1
        out, self._buffer = self._buffer[:-keep], self._buffer[-keep:]
        return out


def _broken(why: str) -> ApiError:
    told = "It has two parts: JSON such as {\"file\": {\"displayName\": …}}, then the file's bytes."
    return ApiError(400, f"The multipart body cannot be read: {why}. {told}")
