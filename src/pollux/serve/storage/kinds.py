"""What a file is, by its bytes: the MIME type that it is kept under, or why it cannot be read.

The client's word chooses among names for text (Markdown, Python, JSON …) and nothing else.
"""

from __future__ import annotations

import mimetypes
import re

from pollux.base.errors import MediaError
from pollux.media import sniff
from pollux.serve.errors import ApiError

# Bytes that are looked at.
HEAD = 1 << 16
_READ = "Text, Markdown, HTML, PDF and source code are read."
_SENSED = {"image": "a picture", "audio": "a sound", "video": "a film"}
_MIME = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}", re.ASCII)
_TOPS = ("application", "audio", "chemical", "font", "image", "message", "model", "multipart", "text", "video")
# Text whose name does not begin with text/.
_TEXTS = re.compile(
    r"application/(json|jsonl|x-jsonlines|x-ndjson|xml|javascript|ecmascript|typescript|x-\w+script|x-python(-code)?|x-ipynb\+json"
    r"|yaml|x-yaml|toml|sql|x-sh|x-httpd-php|x-latex|x-tex|graphql|.+\+(json|xml|yaml))"
)


def mime_of(head: bytes, name: str, claimed: str, *, media: bool = False) -> str:
    """The MIME type of a file.

    Args:
        head: Its first bytes, `HEAD` of them if there are so many.
        name: What it is called, "" where that is not known. claimed: What the client takes it for, "" for nothing.

        media: Whether pictures, sound and films can be read.

    Raises:
        ApiError: 400 for what cannot be read.
    """
    claimed = check(claimed)
    if media and (found := sniff.medium(head)):
        usual = f"{found.sense}/{found.form}"
        return claimed if claimed.startswith(f"{found.sense}/") else usual
    try:
        if sniff.kind(head, name or "the file") == "pdf":
            return "application/pdf"
        text, _ = sniff.text_of(head, name or "the file")
    except MediaError as error:
        why = unseen(head, name or "the file") or error.message
        told = f"{why[:1].upper()}{why[1:]}."
        raise _unsupported(_shown(claimed, name), told) from error
    if sniff.is_html(text, name):
        return "text/html"
    return next((mime for mime in (claimed, mimetypes.guess_type(name)[0] or "") if _is_text(mime)), "text/plain")


def unseen(head: bytes, name: str) -> str:
    """Why a model without senses cannot read a picture, a sound or a film that begins so; "" for all else."""
    found = sniff.medium(head)
    return f"{name} is {_SENSED[found.sense]}, and this model cannot see or hear" if found else ""


def check(claimed: str) -> str:
    """What a client says that a file is, without parameters; "" for what is no type.

    Raises:
        ApiError: 400 for a type of no known sort, before any bytes are sent.
    """
    claimed = claimed.partition(";")[0].strip().lower()
    if not _MIME.fullmatch(claimed):
        return ""
    if claimed.partition("/")[0] not in _TOPS:
        raise _unsupported(claimed, "")
    return claimed


def _is_text(mime: str) -> bool:
    return (mime.startswith("text/") and mime != "text/html") or _TEXTS.fullmatch(mime) is not None


def _shown(claimed: str, name: str) -> str:
    return claimed or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _unsupported(mime: str, why: str) -> ApiError:
    return ApiError(400, " ".join(part for part in (f"Unsupported MIME type: {mime}.", why, _READ) if part))
