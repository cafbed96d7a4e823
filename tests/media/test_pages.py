"""PDF pages as pictures: what there is to see is found where it stands, drawn as it looks, and strangers' files stay outside."""

from __future__ import annotations

import io
import sys
import time
from dataclasses import replace

import numpy as np
import PIL.Image
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pollux.base.errors import MediaError
from pollux.media import image, pages
from pollux.media.decode import Senses, decode, read
from pollux.media.segment import Spot, Text
from pollux.media.senses import Image
from pollux.media.source import Bounds, Source

QUARTERS = np.zeros((200, 300, 3), np.uint8)
QUARTERS[:100, :150], QUARTERS[:100, 150:], QUARTERS[100:, :150] = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def scan(*pictures: np.ndarray) -> bytes:
    """A PDF without text: each picture is a page, a pixel is a point."""
    out, (first, *others) = io.BytesIO(), [PIL.Image.fromarray(each) for each in pictures]
    first.save(out, "PDF", save_all=True, append_images=others, resolution=72, quality=95)
    return out.getvalue()


def placed(text: bytes, x: float, y: float, rotation: int = 0) -> bytes:
    """A PDF's first page with the picture on it, its lower left corner at x, y points, all of it turned clockwise."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(text))
    picture = pypdf.PdfReader(io.BytesIO(scan(QUARTERS))).pages[0]
    writer.pages[0].merge_transformed_page(picture, pypdf.Transformation().translate(x, y))
    writer.pages[0].rotate(rotation)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def near(pixel: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() < 12)


def test_a_scan_is_pages_to_be_seen():
    document, problems = decode(scan(QUARTERS, 255 - QUARTERS), "a.pdf", senses=Senses())
    assert problems == []
    assert [(each.page, each.region, each.width, each.height) for each in document.segments] == [
        (1, None, 600, 400),
        (2, None, 600, 400),
    ]
    first, second = image.look(document.segments)
    assert first.shape == (400, 600, 3)
    assert [near(first[y, x], c) for y, x, c in ((100, 100, (255, 0, 0)), (100, 500, (0, 255, 0)), (300, 100, (0, 0, 255)))] == [
        True
    ] * 3
    assert near(second[300, 500], (255, 255, 255))
    assert next(image.look(document.segments, (60, 60))).shape == (40, 60, 3)
    assert document.segments[1].place((0, 0, 0.5, 0.5)) == Spot("a.pdf", page=2, region=(0, 0, 0.5, 0.5))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_pictures_stand_where_they_are_seen(make_pdf, rotation):
    document, problems = decode(placed(make_pdf(["Words"]), 100, 300, rotation), "a.pdf", senses=Senses())
    words, picture = document.segments
    assert problems == []
    assert (type(words), words.page, words.text.strip(), picture.page) == (Text, 1, "Words", 1)
    upright = np.array([100 / 612, 1 - 500 / 792, 400 / 612, 1 - 300 / 792])
    left, top, right, bottom = upright
    turned = {
        0: upright,
        90: (1 - bottom, left, 1 - top, right),
        180: (1 - right, 1 - bottom, 1 - left, 1 - top),
        270: (top, 1 - right, bottom, 1 - left),
    }
    assert picture.region == pytest.approx(turned[rotation], abs=2e-3)
    (pixels,) = image.look([picture])
    assert (picture.height, picture.width) == pixels.shape[:2]
    wanted = np.rot90(QUARTERS, -rotation // 90)
    assert abs(pixels.shape[0] - wanted.shape[0]) <= 1
    assert abs(pixels.shape[1] - wanted.shape[1]) <= 1
    for y, x in ((50, 50), (50, -50), (-50, 50), (-50, -50)):
        assert near(pixels[y, x], tuple(wanted[y, x]))


def test_a_picture_inside_a_form_and_ornaments(make_pdf):
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(make_pdf(["Words"])))
    from pypdf.generic import ArrayObject, DecodedStreamObject, FloatObject, NameObject

    resources = pypdf.PdfReader(io.BytesIO(scan(QUARTERS))).pages[0]["/Resources"]
    form = DecodedStreamObject()
    name = next(iter(resources["/XObject"]))
    form.set_data(f"q 300 0 0 200 0 0 cm {name} Do Q q 20 0 0 20 320 0 cm {name} Do Q".encode())
    form[NameObject("/Type")], form[NameObject("/Subtype")] = NameObject("/XObject"), NameObject("/Form")
    form[NameObject("/BBox")] = ArrayObject(map(FloatObject, (0, 0, 400, 200)))
    form[NameObject("/Matrix")] = ArrayObject(map(FloatObject, (0.5, 0, 0, 0.5, 60, 80)))
    form[NameObject("/Resources")] = resources.clone(writer)
    page = writer.pages[0]
    page["/Resources"][NameObject("/XObject")] = pypdf.generic.DictionaryObject({NameObject("/Fm"): writer._add_object(form)})
    old = page["/Contents"].get_object().get_data()
    content = DecodedStreamObject()
    content.set_data(old + b"\nq /Fm Do Q")
    page[NameObject("/Contents")] = writer._add_object(content)
    out = io.BytesIO()
    writer.write(out)
    _, picture = decode(out.getvalue(), "a.pdf", senses=Senses())[0].segments  # the ornament of 10 points is left out
    assert picture.region == pytest.approx((60 / 612, 1 - 180 / 792, 210 / 612, 1 - 80 / 792), abs=2e-3)
    assert near(next(image.look([picture]))[50, 50], (255, 0, 0))


def test_text_and_scanned_pages_in_their_order(make_pdf, tmp_path):
    writer = pypdf.PdfWriter()
    for data in (make_pdf(["One", ""]), scan(QUARTERS), make_pdf(["Four"])):
        writer.append(io.BytesIO(data))
    out = io.BytesIO()
    writer.write(out)
    document, problems = decode(out.getvalue(), "a.pdf", senses=Senses())
    assert [(type(each), each.page) for each in document.segments] == [(Text, 1), (Image, 3), (Text, 4)]  # page 2 is empty
    assert problems == []
    assert [each.page for each in decode(out.getvalue(), "a.pdf")[0].segments] == [1, 4]
    (tmp_path / "a.pdf").write_bytes(out.getvalue())
    (read_from_disk,) = read([tmp_path / "a.pdf"], senses=Senses()).documents
    assert read_from_disk.segments[1].source.data is None
    assert next(image.look(read_from_disk.segments[1:2])).shape == (400, 600, 3)


def test_without_the_library_text_is_read_and_the_loss_is_told(make_pdf, monkeypatch):
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    document, (problem,) = decode(make_pdf(["Words"]), "a.pdf", senses=Senses())
    assert [type(each) for each in document.segments] == [Text]
    assert ("pollux-lm[media]" in problem.hint, problem.severity) == (True, "warning")
    with pytest.raises(MediaError, match="pypdfium2"):
        decode(scan(QUARTERS), "a.pdf", senses=Senses())


def test_a_child_that_takes_too_long_or_too_much_is_replaced(monkeypatch):
    source = Source("pdf", data=scan(QUARTERS))
    with pages.Book(source, "a.pdf") as book:
        (page,) = book.page(1)
        process = book._process
        process.kill()
        with pytest.raises(MediaError, match="page 1 of"):
            book.draw(page)
        assert book.draw(page).shape == (400, 600, 3)
        with pytest.raises(MediaError, match="page 9"):
            book.page(9)
        assert book.draw(page, (30, 30)).shape == (20, 30, 3)
    assert process.poll() is not None
    hasty = replace(source, bounds=Bounds(pdf_page_seconds=0.001))
    with pages.Book(hasty, "a.pdf") as book, pytest.raises(MediaError, match="too long"):
        book.draw(page)
    frugal = replace(source, bounds=Bounds(pdf_memory=1 << 20))
    with pages.Book(frugal, "a.pdf") as book, pytest.raises(MediaError):
        book.draw(replace(page, width=4000, height=4000))


def test_locked_and_absurd_files(make_pdf, lock_pdf):
    locked = Source("pdf", data=lock_pdf(make_pdf(["Words"]), "sesame"))
    with pages.Book(locked, "a.pdf") as book, pytest.raises(MediaError, match="cannot be drawn"):
        book.page(1)
    vast = make_pdf([""]).replace(b"[0 0 612 792]", b"[0 0 9e9 9e9]").replace(b"endstream", b"0 0 99 99 re f\nendstream")
    with pages.Book(Source("pdf", data=vast), "a.pdf") as book:
        for page in book.page(1):
            assert book.draw(page).size <= 4096 * 4096 * 3


@settings(max_examples=12)
@given(st.data())
def test_any_damage_is_survived(data):
    damaged = bytearray(scan(QUARTERS[::10, ::10]))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=20))
    begin = time.monotonic()
    with pages.Book(Source("pdf", data=bytes(damaged)), "a.pdf") as book:
        try:
            for page in book.page(1) + book.pictures(1):
                assert book.draw(page, (64, 64)).dtype == np.uint8
        except MediaError as error:
            assert error.path == "a.pdf"
    assert time.monotonic() - begin < 60
