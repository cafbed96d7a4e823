"""What bytes are: their kind by content, pictures, sound and films among them, and text in whatever encoding.

Content decides; the name is asked only where content cannot tell (HTML that does not begin like HTML, and source code that
does). Nothing here opens a file.
"""

from __future__ import annotations

import codecs
import os
import re
import shlex
import unicodedata
from typing import Literal, NamedTuple

from charset_normalizer import from_bytes

from pollux.base.errors import MediaError

Kind = Literal["text", "html", "pdf"]
Sense = Literal["image", "audio", "video"]

_HEAD = 1 << 16  # bytes looked at: enough for every header, small enough to be free

_ARCHIVES: tuple[tuple[int, bytes, str, str], ...] = (
    # offset, magic, name, how to unpack ({0} is the file, {1} the same without its extension, both quoted)
    (0, b"PK\x03\x04", "a zip archive", "unzip {0} -d {1}"),
    (0, b"PK\x05\x06", "a zip archive", "unzip {0} -d {1}"),
    (257, b"ustar", "a tar archive", "mkdir {1} && tar xf {0} -C {1}"),
    (0, b"\x1f\x8b\x08", "a gzip file", "gunzip -k {0}"),
    (0, b"\xfd7zXZ\x00", "an xz file", "xz -dk {0}"),
    (0, b"BZh", "a bzip2 file", "bunzip2 -k {0}"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x {0} -o{1}"),
    (0, b"Rar!\x1a\x07", "a RAR archive", "unrar x {0}"),
    (0, b"\x28\xb5\x2f\xfd", "a zstd file", "zstd -d {0}"),
    (0, b"\x04\x22\x4d\x18", "an lz4 file", "lz4 -d {0}"),
)
_TARRED = re.compile(r"\.(tgz|txz|tbz2?|tzst|tar\.\w+)$", re.IGNORECASE)
# Entries by which a zip shows that it is a document.
_OFFICE = ((b"[Content_Types].xml", "an Office"), (b"mimetypeapplication/vnd.oasis", "an OpenDocument"))
_EPUB = b"mimetypeapplication/epub"

_MEDIA: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n", "an image"), (0, b"\xff\xd8\xff", "an image"), (0, b"GIF8", "an image"), (8, b"WEBP", "an image"),
    (0, b"BM", "an image"), (0, b"II*\x00", "an image"), (0, b"MM\x00*", "an image"), (0, b"\x00\x00\x01\x00", "an image"),
    (4, b"ftypavif", "an image"), (4, b"ftyphei", "an image"), (4, b"ftypmif", "an image"), (0, b"8BPS", "an image"),
    (0, b"ID3", "sound"), (0, b"\xff\xfb", "sound"), (0, b"\xff\xf3", "sound"), (0, b"\xff\xf1", "sound"),
    (0, b"fLaC", "sound"), (0, b"OggS", "sound"), (8, b"WAVE", "sound"), (8, b"AIFF", "sound"), (4, b"ftypM4A", "sound"),
    (4, b"ftyp", "a video"), (8, b"AVI ", "a video"), (0, b"\x1a\x45\xdf\xa3", "a video"), (0, b"\x00\x00\x01\xba", "a video"),
)  # fmt: skip

# What can be seen and heard: offset, magic, sense, form. An ftyp box also begins pictures (HEIC, AVIF), which are not read.
_SEEN: tuple[tuple[int, bytes, Sense, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image", "png"), (0, b"\xff\xd8\xff", "image", "jpeg"), (8, b"WEBPVP8", "image", "webp"),
    (0, b"GIF87a", "image", "gif"), (0, b"GIF89a", "image", "gif"), (8, b"WAVE", "audio", "wav"), (8, b"AIF", "audio", "aiff"),
    (0, b"fLaC", "audio", "flac"), (0, b"OggS", "audio", "ogg"), (0, b"ID3", "audio", "mp3"), (8, b"AVI ", "video", "avi"),
    (0, b"\x1a\x45\xdf\xa3", "video", "matroska"), (0, b"\x00\x00\x01\xba", "video", "mpeg"),
    (4, b"ftyp", "video", "mov"), (4, b"moov", "video", "mov"), (4, b"mdat", "video", "mov"), (4, b"wide", "video", "mov"),
)  # fmt: skip
_CHUNKED = (b"RIFF", b"RF64", b"FORM")
_PICTURE_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")

_WANTED = "give a file of text, Markdown, HTML, PDF or source code."
_HTML_NAMES = (".html", ".htm", ".xhtml", ".xht", ".shtml")
# Pages that are programs: what stands between the tags is part of them, so they are kept whole, as is Markdown.
_KEPT_NAMES = {
    ".md", ".markdown", ".rst", ".php", ".vue", ".svelte", ".astro", ".jsx", ".tsx", ".js", ".ts", ".py", ".rb",
    ".java", ".go", ".erb", ".ejs", ".hbs", ".j2", ".jinja", ".jinja2", ".tmpl", ".tpl", ".twig", ".liquid",
    ".cshtml", ".jsp", ".asp", ".aspx", ".xml", ".xsl", ".xslt", ".svg", ".diff", ".patch", ".eml", ".mhtml",
}  # fmt: skip
# Possessive, so that hostile heads made of comments cannot make it backtrack.
_HTML_START = re.compile(
    r"(?:\s|<\?xml[^>]*+>|(?><!--.*?-->))*+<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE | re.DOTALL
)

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"(?:charset|encoding|coding)\s*[=:]\s*[\"']?([-\w]{2,40})", re.IGNORECASE)
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f\b\x1b")) + b"\x7f"


class NotText(MediaError):
    """The bytes are no text at all: a Problem for a file the user named, nothing to mention for one met in a folder."""


def kind(data: bytes, path: str) -> Kind:
    """Say what a file holds; "text" includes Markdown and source code, whose bytes are not yet known to decode.

    Raises:
        NotText: Archives, images, sound, video and other binary files.
        MediaError: Office documents, which hold text that this version cannot take out.
    """
    head = data[:_HEAD]
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"%PDF-"):
        return "pdf"
    if path.lower().endswith(".pdf"):
        if b"%PDF-" in head[:1024]:
            return "pdf"
        raise MediaError(f"{path} is named .pdf but does not begin like one", "download or export it again.", path=path)
    _refuse_packed(head, path)
    if any(head.startswith(mark) for mark, _ in _MARKS):
        return "text"
    if b"\0" in head:
        raise _binary(head, path)
    return "text"


class Medium(NamedTuple):
    """What can be seen or heard: the sense it is for, and the form its bytes have ("png", "mov" …)."""

    sense: Sense
    form: str


def medium(head: bytes) -> Medium | None:
    """Say what picture, sound or film begins with these bytes; None for all else.

    A film's form may hold sound alone: MP4, Matroska and Ogg say so only further inside.
    """
    head = head[:_HEAD]
    if b"\0" not in head:  # a text may begin like a signature, but holds no zero
        return None
    for at, magic, sense, form in _SEEN:
        if head.startswith(magic, at) and (at != 8 or head[:4] in _CHUNKED):
            return None if magic == b"ftyp" and head.startswith(_PICTURE_BRANDS, 8) else Medium(sense, form)
    if len(head) > 376 and head[0] == head[188] == head[376] == 0x47:
        return Medium("video", "mpegts")
    return _bare_frames(head)


def _bare_frames(head: bytes) -> Medium | None:
    """MPEG sound without any header of the file's own: a frame's header must make sense, and not be a mark of UTF-16."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    if head[1] & 0xF6 == 0xF0 and head[2] >> 2 & 15 < 13:
        return Medium("audio", "aac")
    sound = version != 1 and layer in (1, 2) and head[2] >> 4 not in (0, 15) and head[2] >> 2 & 3 != 3
    return Medium("audio", "mp3") if sound else None


def is_html(text: str, path: str) -> bool:
    """Whether decoded text is a web page whose visible text is wanted, not markup that is to be read as it stands."""
    extension = os.path.splitext(path)[1].lower()
    if extension in _HTML_NAMES:
        return re.search(r"<[a-zA-Z!/]", text) is not None
    return extension not in _KEPT_NAMES and _HTML_START.match(text[:2048]) is not None


def text_of(data: bytes, path: str) -> tuple[str, str]:
    """Decode bytes of unknown encoding: the text without byte order mark, and a remark ("" when nothing was guessed or lost).

    In order: a byte order mark; UTF-8; UTF-8 with some broken characters, replaced by U+FFFD; the encoding that the file
    declares; a guess (see `_guess`). Line ends stay as they are.

    Raises:
        NotText: No encoding fits.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _marked(data[len(mark) :], encoding, path)
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError as error:
        return _legacy(data, error.start, path)


def _marked(data: bytes, encoding: str, path: str) -> tuple[str, str]:
    try:
        return data.decode(encoding), ""
    except UnicodeDecodeError:
        text = data.decode(encoding, "replace")
    bad = text.count("\ufffd")
    if bad > 1 + len(text) // 100:  # the mark was chance: other binary files begin with these two bytes too
        raise NotText(f"{path} is binary, not text", _WANTED, path=path)
    return text, f"{bad} broken {encoding.upper()} character(s) replaced by U+FFFD"


def _legacy(data: bytes, first: int, path: str) -> tuple[str, str]:
    """Decode bytes that are not UTF-8, the first offence being at ``first``."""
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd") - data.count(b"\xef\xbf\xbd")
    sound = len(text) - len(text.encode("ascii", "ignore")) - bad
    # Other encodings make a well-formed multi-byte sequence only by accident, so a majority of sound ones means damaged UTF-8.
    if sound > bad:
        return text, f"{bad} broken UTF-8 character(s) replaced by U+FFFD"
    head = data[:_HEAD]
    if len(head) - len(head.translate(None, _CONTROL)) > len(head) // 100:
        raise _binary(head, path)
    for encoding, remark in (_declared(head), *_guess(data, first)):
        try:
            if encoding:
                return data.decode(encoding), remark
        except UnicodeDecodeError:
            continue
    raise _binary(head, path)


def _declared(head: bytes) -> tuple[str, str]:
    """The 8-bit or East Asian encoding that the file names in its first 1024 bytes, as HTML, XML, CSS and Python do."""
    found = _DECLARED.search(head[:1024])
    try:
        name = codecs.lookup(found[1].decode("ascii", "replace")).name if found else ""
    except LookupError:
        name = ""
    # Only character sets: Python also knows "encodings" such as rot13, idna and unicode_escape, which rewrite the text.
    if not name.startswith(("iso", "cp", "koi8", "gb", "big5", "shift", "euc", "mac", "hz", "tis", "johab")):
        return "", ""
    # Pages from Windows call themselves latin-1; every browser reads that as Windows-1252.
    return ("cp1252" if name == "iso8859-1" else name), ""


def _guess(data: bytes, first: int) -> list[tuple[str, str]]:
    """Encodings to try, each with the remark to make.

    charset-normalizer tells scripts apart well (of our samples in Cyrillic, Chinese, Japanese and Korean it missed two, both a
    few short or repeated lines of Japanese) and Latin alphabets badly (French in Windows-1252 comes out as Windows-1250). So
    its guess is taken when it is not Latin, and Windows-1252, the most common by far, otherwise.
    """
    begin = data.rfind(b"\n", 0, first) + 1
    begin = begin if first - begin < 4096 else first
    sample = data[begin : begin + _HEAD]
    best = from_bytes(sample).best()
    name = best.encoding if best else ""
    order = [name, "cp1252"] if name and _foreign(sample.decode(name, "ignore")) else ["cp1252", name]
    return [(each, f"not UTF-8; read as {each}, which is a guess") for each in order]


def _foreign(text: str) -> bool:
    """Whether most of the letters outside ASCII are not Latin."""
    letters = [unicodedata.name(c, "") for c in text if c > "\x7f" and c.isalpha()]
    return sum("LATIN" in name or "ORDINAL" in name for name in letters) * 2 < len(letters)


def _refuse_packed(head: bytes, path: str) -> None:
    """Raise for archives and office documents, with how to get at what is inside."""
    if head.startswith((b"\xd0\xcf\x11\xe0", b"{\\rtf")):
        raise _office(path, "an Office or RTF")
    for at, magic, name, command in _ARCHIVES:
        if not head.startswith(magic, at) or (magic == b"BZh" and head[4:10] != b"1AY&SY"):
            continue
        for sign, which in _OFFICE if name == "a zip archive" else ():
            if sign in head[:4096]:
                raise _office(path, which)
        stem = _TARRED.sub("", path)
        command = "mkdir {1} && tar xf {0} -C {1}" if stem != path else command
        if _EPUB in head[:128]:
            name = "an EPUB book"
        how = command.format(shlex.quote(path), shlex.quote(os.path.splitext(path)[0] if stem == path else stem))
        raise NotText(f"{path} is {name}, not text", f"unpack it first ({how}) and give what is inside.", path=path)


def _office(path: str, which: str) -> MediaError:
    hint = "export it as PDF or as plain text and give that."
    return MediaError(f"{path} is {which} document, which this version cannot read", hint, path=path)


def _binary(head: bytes, path: str) -> NotText:
    """The error for bytes that are no text, naming the medium where it is known."""
    for at, magic, name in _MEDIA:
        if head.startswith(magic, at):
            return NotText(f"{path} is {name}, and this version reads text only", _WANTED, path=path)
    return NotText(f"{path} is binary, not text", _WANTED, path=path)
