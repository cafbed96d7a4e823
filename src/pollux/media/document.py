"""Documents whose text has to be taken out: web pages and PDF.

HTML is scanned by hand because the standard library's parser is quadratic in what is never closed (60 KB of "<a " took it
33 s) and does not say where text stood. This scan is linear, keeps no tree, so depth costs nothing, and follows the HTML
standard's tokenizer where it matters for text: comments, raw elements, quotes in attributes, what the end of the file closes.

A PDF is a program by a stranger: it is read by a child process (`pdf_child`) with bounds on time and memory.
"""

from __future__ import annotations

import html
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

from pollux.base.errors import MediaError
from pollux.media import pages
from pollux.media.segment import Document, Problem, Text
from pollux.media.source import Source

_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*+)((?:[^>=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+')?+)*+)>")
_BOGUS = re.compile(r"<(?:[!?]|/(?![a-zA-Z]))")  # doctype, processing instruction and the like: nothing that is seen
_OPENS = re.compile(r"</?[a-zA-Z]")
_COMMENT_END = re.compile(r"--!?>")
_NEWLINE = re.compile(r"(?:\r?\n)?")
_SPACE = re.compile(r"[ \t\r\f\n]+")  # HTML's white space; a no-break space is a character
_DROPPED = {"script", "style", "iframe", "noembed", "noframes"}
_UNSEEN = {"template", "noscript"}
_PLAIN = {"title", "textarea"}  # text up to their own end tag, whatever stands in between
_CELLS = {"td", "th"}
_LINES = {
    "address", "article", "aside", "br", "caption", "dd", "details", "dialog", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "footer", "form", "header", "hr", "legend", "li", "main", "nav", "ol", "optgroup",
    "option", "section", "select", "summary", "tbody", "textarea", "tfoot", "thead", "tr", "ul", "body", "center",
}  # fmt: skip
_PARAGRAPHS = {"blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "p", "pre", "table", "title"}


def page_text(source: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """The visible text of a web page, and which line of the source each part of it stands on (see `Text.lines`).

    Block elements begin a line, paragraphs and headings leave one empty, table cells are parted by tabs, ``<pre>`` is kept,
    entities are decoded. Scripts, styles, templates and ``<noscript>`` are left out; the title comes first, as in the source.
    """
    page = _Page(source)
    page.scan()
    return "".join(page.out), tuple(page.pairs) or ((0, 1),)


class _Page:
    """One pass over a page. ``out`` and ``pairs`` grow; ``gap`` and ``breaks`` are owed before the next word."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.xml = source.lstrip().startswith("<?xml")  # there "<script/>" is closed
        self.out: list[str] = []
        self.pairs: list[tuple[int, int]] = []
        self.size, self.expected = 0, 0  # characters in out; the line that pairs give for the next one
        self.gap, self.breaks = "", 0
        self.hidden, self.pre = 0, 0  # how many unseen elements and <pre> are open
        self.at, self.at_line = 0, 1  # a position whose source line is known

    def scan(self) -> None:
        """Take the whole source: text runs up to tags, comments and raw elements."""
        source, done, look = self.source, 0, 0
        while (mark := source.find("<", look)) >= 0:
            if source.startswith("<!--", mark):
                end = self._after(_COMMENT_END, mark + 2)  # "<!-->" is a whole comment
            elif _BOGUS.match(source, mark):
                end = (source.find(">", mark) + 1) or len(source)
            elif tag := _TAG.match(source, mark):
                self.text(done, mark)
                done = look = self.tag(tag)
                continue
            elif _OPENS.match(source, mark):
                break  # a tag that the file never closes: what is left is kept as it stands, and looked at once only
            else:
                look = mark + 1  # a plain "<"
                continue
            self.text(done, mark)
            done = look = end
        self.text(done, len(source))

    def tag(self, tag: re.Match[str]) -> int:
        """Act on a start or end tag; returns where scanning goes on."""
        closing, name, end = bool(tag[1]), tag[2].lower(), tag.end()
        step = -1 if closing else 1
        if name in _PARAGRAPHS or name in _LINES:
            self.breaks = max(self.breaks, 2 if name in _PARAGRAPHS else 1)
        if name in _CELLS and not closing:
            self.gap = "\t"
        elif name in _UNSEEN:
            self.hidden = max(self.hidden + step, 0)
        elif name == "pre":
            self.pre = max(self.pre + step, 0)
            if not closing:
                end += len(_NEWLINE.match(self.source, end)[0])  # the first line end is not part of it
        elif name in _DROPPED and not closing and not (self.xml and tag[3].endswith("/")):
            return self._after(_closing(name), end)
        elif name in _PLAIN and not closing:
            stop = _closing(name).search(self.source, end)
            self.text(end, stop.start() if stop else len(self.source))
            self.breaks = max(self.breaks, 1)
            return stop.end() if stop else len(self.source)
        return end

    def text(self, begin: int, end: int) -> None:
        """Take source[begin:end] as text: folded, or as it stands inside <pre>."""
        if begin >= end or self.hidden:
            return
        raw, line = self.source[begin:end], self._line(begin)
        if self.pre:
            self._word(raw, line)
            return
        for i, piece in enumerate(raw.split("\n")):
            word = _SPACE.sub(" ", piece)
            if i or word[:1] == " ":
                self.gap = self.gap or " "
            if bare := word.strip(" "):
                self._word(bare, line + i)
                self.gap = " " if word[-1] == " " else ""

    def _word(self, raw: str, line: int) -> None:
        """Put out what is owed and then ``raw``, decoded, as standing on ``line`` of the source."""
        if self.size:
            for _ in range(self.breaks):
                self._put("\n", line)
            self._put("" if self.breaks else self.gap, line)
        self.gap, self.breaks = "", 0
        self._put(_decoded(raw), line)

    def _put(self, text: str, line: int) -> None:
        if not text:
            return
        if line != self.expected:
            self.pairs.append((self.size, line))
        self.out.append(text)
        self.size += len(text)
        self.expected = line + text.count("\n")

    def _line(self, position: int) -> int:
        self.at_line += self.source.count("\n", self.at, position)
        self.at = position
        return self.at_line

    def _after(self, pattern: re.Pattern[str], begin: int) -> int:
        """Where the next match ends; the end of the file closes what nothing else does."""
        found = pattern.search(self.source, begin)
        return found.end() if found else len(self.source)


def _closing(name: str) -> re.Pattern[str]:
    return re.compile(rf"</{name}(?=[\s/>])[^>]*+>?", re.IGNORECASE)


def _decoded(raw: str) -> str:
    """Decode entities. Python refuses to read numbers of over 4300 digits, so text with such a one stays as it is."""
    try:
        return html.unescape(raw) if "&" in raw else raw
    except ValueError:
        return raw


def pdf(
    data: bytes, path: str, *, pages: int, page_seconds: float, seconds: float, memory: int, source: Source | None = None
) -> tuple[Document, list[Problem]]:
    """Read a PDF as one Text per page that has text; pages are numbered as they lie in the file, from 1.

    With ``source``, also as what there is to see: pages without text, and the larger pictures on the others.

    Args:
        data: The whole file.
        path: What to call it.
        pages: How many pages to read at most.
        page_seconds: Time for one page, in seconds, and for opening the file.
        seconds: Time for the whole file; what has been read by then is kept.
        memory: Bytes that the child process may take beside the file itself.
        source: From where pages are to be drawn when they are wanted.

    Raises:
        MediaError: The file is encrypted or damaged, or no page has text, or is to be seen.
    """
    try:
        lines = _child(data, pages, page_seconds, seconds, memory + 2 * len(data))
    except OSError as error:  # the system has no room for another process
        raise MediaError(
            f"{path} was not read: {error.strerror}", "close something and try again.", path=path
        ) from error
    count = next((line["count"] for line in lines if "count" in line), None)
    if count is None:
        raise _unopened(lines[0]["error"] if lines else "opening it takes too long, or too much memory", path)
    texts = tuple(Text(path, line["text"], page=line["page"]) for line in lines if line.get("text"))
    bare = [line["page"] for line in lines if line.get("text") == ""]
    faults = {line["page"]: line["fault"] for line in lines if "fault" in line}
    if source is not None and (texts or bare or faults):
        return _illustrated(source, path, count, texts, bare, list(faults))
    if not texts and bare and not faults:
        raise MediaError(f"{path} has no text layer on any of its {len(bare)} page(s): a scan?", _ocr(path), path=path)
    if not texts:
        raise _unopened(next(iter(faults.values()), "it has no pages, or reading them takes too long"), path)
    return Document(path, texts), _remarks(path, count, len(texts), bare, list(faults))


def _illustrated(
    source: Source, path: str, count: int, texts: tuple[Text, ...], bare: list[int], faulty: list[int]
) -> tuple[Document, list[Problem]]:
    """A PDF's text together with what there is to see on its pages, in their order."""
    written = [text.page for text in texts]
    try:
        seen, lost = pages.seen(source, path, written, bare + faulty)
    except MediaError as error:
        if not texts:
            raise
        read, problems = Document(path, texts), _remarks(path, count, len(texts), bare, faulty)
        return read, [*problems, Problem(path, f"{error.message}: only its text was read", error.hint, "warning")]
    if not texts and not seen:
        raise _unopened("there is nothing on its pages that can be read or drawn", path)
    failed = sorted({*faulty, *lost}.difference(written))
    together = tuple(sorted([*texts, *seen], key=lambda segment: segment.page))
    return Document(path, together), _remarks(path, count, len({*written, *bare}.difference(failed)), [], failed)


def _remarks(path: str, count: int, read: int, bare: list[int], failed: list[int]) -> list[Problem]:
    """Warnings about the pages of which nothing was read."""
    found = []
    if bare:
        found.append((f"no text layer on {_pages(bare)} of {count}", _ocr(path)))
    if failed:
        hint = f"print the file to a new PDF, or look with: qpdf --check {shlex.quote(path)}"
        found.append((f"{_pages(failed)} of {count} could not be read (damaged, or too much work)", hint))
    if unread := count - read - len(bare) - len(failed):
        hint = "split the file, or raise Limits.pdf_pages and Limits.pdf_seconds."
        found.append((f"the last {unread} of {count} pages were not read, it has too many or takes too long", hint))
    return [Problem(path, f"{path}: {message}", hint, "warning") for message, hint in found]


def _ocr(path: str) -> str:
    return f"add one by text recognition, as with: ocrmypdf {shlex.quote(path)} with-text.pdf"


def _child(data: bytes, pages: int, page_seconds: float, seconds: float, memory: int) -> list[dict]:
    """Run the child process over ``data`` and give the lines it wrote, the whole ones if it had to be stopped."""
    script = Path(__file__).with_name("pdf_child.py")
    # -P: the script's folder must not become a place to import from, its files are named like any module.
    command = [sys.executable, "-P", str(script), str(pages), str(page_seconds), str(memory)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as child:
        try:
            out, _ = child.communicate(data, timeout=seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            out, _ = child.communicate()
    return [json.loads(line) for line in out.split(b"\n")[:-1]]


def _unopened(why: str, path: str) -> MediaError:
    """The error for a PDF that gave no page at all."""
    quoted = shlex.quote(path)
    if why == "encrypted":
        hint = f"remove the password with: qpdf --decrypt --password=PASSWORD {quoted} open.pdf"
        return MediaError(f"{path} is encrypted and needs a password", hint, path=path)
    hint = f"repair it with: qpdf {quoted} repaired.pdf, or print it to a new PDF"
    return MediaError(f"{path} cannot be read as a PDF: {why}", hint, path=path)


def _pages(numbers: list[int]) -> str:
    """Page numbers as words, the first few of many."""
    shown = ", ".join(map(str, numbers[:8])) + (", …" if len(numbers) > 8 else "")
    return f"{len(numbers)} pages ({shown})" if len(numbers) > 1 else f"page {shown}"
