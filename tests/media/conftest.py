"""Small files made on the spot."""

from __future__ import annotations

import io
from collections.abc import Callable

import pypdf
import pytest


def raw_pdf(pages: list[str]) -> bytes:
    """A PDF of Helvetica lines, written by hand; an empty string makes a page without text."""
    drawn = [
        "BT /F1 12 Tf 14 TL 72 720 Td " + " ".join(f"({line}) Tj T*" for line in page.split("\n")) + " ET"
        if page
        else ""
        for page in pages
    ]
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    bodies = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for i, content in enumerate(drawn):
        bodies.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * i} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        bodies.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    out, offsets = "%PDF-1.4\n", []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    size = len(bodies) + 1
    trailer = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return (out + f"xref\n0 {size}\n0000000000 65535 f \n" + table + trailer).encode("ascii")


def locked_pdf(data: bytes, password: str) -> bytes:
    """The same PDF, encrypted with AES; readers need ``password``, which may be empty."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    writer.encrypt(password, "owner", algorithm="AES-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.fixture(scope="session")
def make_pdf() -> Callable[[list[str]], bytes]:
    return raw_pdf


@pytest.fixture(scope="session")
def lock_pdf() -> Callable[[bytes, str], bytes]:
    return locked_pdf
