"""Lists and draws pages of one PDF in a process of its own, which may be killed: ``python page_child.py MEMORY``.

pdfium is C++ that meets bytes from strangers: should it crash, loop or fill the memory, it does so here. Whoever started this
process has the clock; it takes MEMORY bytes at most. On standard input: a line with the PDF's length in bytes, the PDF, then one
request a line, a JSON object, each answered by a line of JSON on standard output.

    (at the start)                    {"count": pages} or {"error": why}
    {"page", "most": pictures}        {"width", "height": of the page in points, "empty": whether nothing is drawn on it,
                                      "pictures": [[left, top, right, bottom, across, down]]}
    {"page", "region": [left, top, right, bottom], "size": [width, height]}
                                      {"bytes": n}, then n bytes: rows of red, green, blue and one without meaning

Regions are shares of the page as it is seen. Pages count from 1. An error in a request is answered by {"error": why}.
It imports nothing of Pollux, so that it starts in the time that pdfium takes.
"""

from __future__ import annotations

import ctypes
import json
import sys
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pypdfium2 as pdfium

_GRID = 1 << 20  # pdfium tells places on a page in whole pixels: of a page drawn this large
_DEPTH = 8  # forms within forms that are searched for pictures
_SHOWN = 36.0  # points, half an inch: what is smaller is a mark or an ornament
_OBJECTS = 20_000  # looked at on one page


def main() -> None:
    """Answer requests until standard input ends."""
    import pypdfium2 as pdfium

    data = sys.stdin.buffer.read(int(sys.stdin.buffer.readline()))
    _bound(int(sys.argv[1]))
    try:
        book = pdfium.PdfDocument(data)
        count = len(book)
        if book.get_formtype():
            book.init_forms()
    except Exception as error:  # whatever a damaged file makes it raise
        _say({"error": _why(error)})
        return
    _say({"count": count})
    number, page = 0, None
    for line in sys.stdin.buffer:
        request = json.loads(line)
        try:
            if request["page"] != number:  # several pictures may be on one page, whose opening can take longer than drawing
                number, page = 0, None
                page, number = book[request["page"] - 1], request["page"]
            answer, rest = _drawn(page, request) if "size" in request else _listed(page, request)
        except Exception as error:
            answer, rest = {"error": _why(error)}, b""
        _say(answer, rest)


def _listed(page: pdfium.PdfPage, request: dict) -> tuple[dict, bytes]:
    """The page's size, and its largest pictures from top to bottom."""
    import pypdfium2.raw as raw

    width, height = page.get_size()
    objects = list(islice(page.get_objects(max_depth=_DEPTH), _OBJECTS))
    shown = [_shown(page, each) for each in objects if each.type == raw.FPDF_PAGEOBJ_IMAGE]
    kept = {tuple(each[:4]): each for each in shown if _large(each, width, height)}  # one over the other: the last is seen
    largest = sorted(kept.values(), key=lambda each: (each[0] - each[2]) * (each[3] - each[1]))[: request["most"]]
    pictures = sorted(largest, key=lambda each: (each[1], each[0]))
    return {"width": width, "height": height, "empty": not objects, "pictures": pictures}, b""


def _shown(page: pdfium.PdfPage, picture: pdfium.PdfImage) -> list[float]:
    """Left, top, right and bottom as shares of the page, and the picture's own pixels, across and down."""
    left, bottom, right, top = picture.get_bounds()
    corners = [(left, bottom), (left, top), (right, bottom), (right, top)]
    form = picture.container
    while form is not None:  # what stands in a form is told in the form's own measure
        matrix = form.get_matrix()
        corners = [matrix.on_point(*corner) for corner in corners]
        form = form.container
    points = [_share(page, *corner) for corner in corners]
    edges = [pick(point[i] for point in points) for pick in (min, max) for i in (0, 1)]
    return [min(max(edge, 0.0), 1.0) for edge in edges] + list(picture.get_px_size())


def _share(page: pdfium.PdfPage, x: float, y: float) -> tuple[float, float]:
    """A point of the page, turned as it is to be seen, as shares from its top left."""
    import pypdfium2.raw as raw

    across, down = ctypes.c_int(), ctypes.c_int()
    raw.FPDF_PageToDevice(page, 0, 0, _GRID, _GRID, 0, x, y, across, down)
    return across.value / _GRID, down.value / _GRID


def _large(shown: list[float], width: float, height: float) -> bool:
    left, top, right, bottom, across, down = shown
    return (right - left) * width >= _SHOWN and (bottom - top) * height >= _SHOWN and min(across, down) >= 16


def _drawn(page: pdfium.PdfPage, request: dict) -> tuple[dict, bytes]:
    """A region of a page, drawn at a size, with what was filled into its forms."""
    import pypdfium2 as pdfium
    import pypdfium2.raw as raw

    (left, top, right, bottom), (width, height) = request["region"], request["size"]
    whole = round(width / max(right - left, 1e-6)), round(height / max(bottom - top, 1e-6))
    where = (-round(left * whole[0]), -round(top * whole[1]), *whole, 0, raw.FPDF_ANNOT | raw.FPDF_REVERSE_BYTE_ORDER)
    paper = pdfium.PdfBitmap.new_native(width, height, raw.FPDFBitmap_BGRx, rev_byteorder=True)
    paper.fill_rect((255, 255, 255, 255), 0, 0, width, height)
    raw.FPDF_RenderPageBitmap(paper, page, *where)
    if page.formenv is not None:
        raw.FPDF_FFLDraw(page.formenv, paper, page, *where)
    drawn = bytes(paper.buffer)
    return {"bytes": len(drawn)}, drawn


def _say(answer: dict, rest: bytes = b"") -> None:
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + rest)
    sys.stdout.buffer.flush()


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def _bound(memory: int) -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):
        pass  # the parent's clock still holds


if __name__ == "__main__":
    main()
