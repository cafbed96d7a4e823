"""Bytes of every kind are known for what they are."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import time
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pollux.base.errors import MediaError
from pollux.media import sniff

RUSSIAN = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.\n"
FRENCH = "Le café était fermé, et l'élève préférait rester à la maison près du poêle.\n"


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "application/vnd.oasis.opendocument.text" if name == "mimetype" else "hello")
    return out.getvalue()


def tarred() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    return out.getvalue()


@given(st.text(), st.sampled_from(["utf-8", "utf-8-sig"]))
def test_utf8_comes_back_as_it_was(text, encoding):
    bare = text.removeprefix("\ufeff")  # a mark of its own is taken for the file's
    assert sniff.text_of(bare.encode(encoding), "a.txt") == (bare.removeprefix("\ufeff"), "")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_encodings_with_a_mark(encoding):
    data = ("\ufeff" + FRENCH + "日本\r\n").encode(encoding)
    assert sniff.kind(data, "a.txt") == "text"
    assert sniff.text_of(data, "a.txt") == (FRENCH + "日本\r\n", "")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (FRENCH, "cp1252"),
        (FRENCH, "latin-1"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        ("吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n", "cp932"),
    ],
)
def test_a_guess_is_right_and_is_owned_up_to(text, encoding):
    got, remark = sniff.text_of(b"plain\n" * 9 + text.encode(encoding), "a.txt")
    assert got == "plain\n" * 9 + text
    assert "guess" in remark


def test_a_declared_encoding_is_no_guess():
    page = f'<html><meta charset="windows-1251">{RUSSIAN}'
    assert sniff.text_of(page.encode("cp1251"), "a.html") == (page, "")
    code = f"# -*- coding: latin-1 -*-\n# {FRENCH}"
    assert sniff.text_of(code.encode("latin-1"), "a.py") == (code, "")


@pytest.mark.parametrize("name", ["rot13", "unicode_escape", "idna", "utf-7", "no-such", "hex"])
def test_declared_names_that_are_no_character_set_are_not_used(name):
    text = f"coding: {name}\n{FRENCH}"
    assert sniff.text_of(text.encode("cp1252"), "a.txt")[0] == text


def test_damaged_utf8_stays_utf8():
    text, remark = sniff.text_of(RUSSIAN.encode() + b"\xff and on", "a.txt")
    assert text == RUSSIAN + "\ufffd and on"
    assert "1 broken" in remark


@pytest.mark.parametrize(
    ("data", "path", "words"),
    [
        (zipped("a.txt"), "b c.zip", ["zip", "unzip 'b c.zip' -d 'b c'"]),
        (tarred(), "a.tar", ["tar archive", "tar xf a.tar"]),
        (gzip.compress(b"x", mtime=0), "a.log.gz", ["gzip", "gunzip -k"]),
        (gzip.compress(tarred(), mtime=0), "a.tar.gz", ["gzip", "tar xf a.tar.gz -C a"]),
        (lzma.compress(b"x"), "a.xz", ["xz -dk"]),
        (b"7z\xbc\xaf\x27\x1c....", "a.7z", ["7z x"]),
        (b"Rar!\x1a\x07\x01\x00", "a.rar", ["unrar"]),
        (b"\x28\xb5\x2f\xfd\x00", "a.zst", ["zstd -d"]),
        (zipped("[Content_Types].xml", "word/document.xml"), "a.docx", ["Office", "PDF"]),
        (zipped("mimetype"), "a.odt", ["OpenDocument", "PDF"]),
        (b"{\\rtf1\\ansi hello}", "a.rtf", ["RTF", "PDF"]),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a.png", ["image", "reads text only"]),
        (b"RIFF\x24\0\0\0WAVEfmt ", "a.wav", ["sound", "reads text only"]),
        (b"\0\0\0\x18ftypmp42", "a.mp4", ["video", "reads text only"]),
        (b"\x7fELF\0\0\0", "a", ["binary"]),
        (b"not one", "a.pdf", ["named .pdf"]),
    ],
)
def test_what_is_not_text_is_refused_with_advice(data, path, words):
    with pytest.raises(MediaError) as caught:
        sniff.kind(data, path)
    said = caught.value.message + " " + caught.value.hint
    assert all(word in said for word in words), said
    assert caught.value.path == path


@pytest.mark.parametrize(
    "start", ["BM is how it begins", "ID3 tags explained", "GIF89a is a format", "BZh", "RIFF raff of WAVE"]
)
def test_text_that_begins_like_a_signature_is_text(start):
    assert sniff.kind(start.encode(), "a.txt") == "text"


@pytest.mark.parametrize(
    ("text", "path", "wanted"),
    [
        ("<p>x</p>", "a.html", True),
        ("no tags, 3 < 4\nat all", "a.html", False),
        ("  <!-- c -->\n<!DOCTYPE html><p>x", "-", True),
        ("<html><p>x", "page.txt", True),
        ("<!doctype html><?php echo 1 ?>", "a.php", False),
        ("<html>in markdown", "a.md", False),
        ("We use <html> tags", "a.txt", False),
    ],
)
def test_which_text_is_a_web_page(text, path, wanted):
    assert sniff.is_html(text, path) is wanted


@pytest.mark.parametrize("head", ["<!-- -->" * 400, "<!--" * 800, "<?xml " * 500, " " * 4000])
def test_hostile_heads_are_looked_at_in_no_time(head):
    begin = time.perf_counter()
    sniff.is_html(head, "a")
    assert time.perf_counter() - begin < 0.5


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", ("image", "png")),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", ("image", "jpeg")),
        (b"GIF89a\x10\0\x10\0", ("image", "gif")),
        (b"RIFF\x24\0\0\0WEBPVP8L", ("image", "webp")),
        (b"RIFF\x24\0\0\0WAVEfmt ", ("audio", "wav")),
        (b"RIFF\x24\0\0\0AVI LIST", ("video", "avi")),
        (b"FORM\0\0\0\x24AIFFCOMM", ("audio", "aiff")),
        (b"fLaC\0\0\0\x22", ("audio", "flac")),
        (b"OggS\0\x02", ("audio", "ogg")),
        (b"ID3\x04\0\0", ("audio", "mp3")),
        (b"\xff\xfb\x90\x64\0\0", ("audio", "mp3")),
        (b"\xff\xf1\x50\x80\0\0", ("audio", "aac")),
        (b"\0\0\0\x18ftypmp42", ("video", "mov")),
        (b"\0\0\0\x18ftypM4A ", ("video", "mov")),
        (b"\x1a\x45\xdf\xa3\x01\0", ("video", "matroska")),
        (b"\x47\x40\0\x10".ljust(188, b"\xff") * 3, ("video", "mpegts")),
        (b"\0\0\0\x18ftypheic", None),
        (b"\xff\xfe\0h\0e\0l", None),
        (b"\x7fELF\0\0\0", None),
        (b"%PDF-1.4\n\0", None),
        (b"RIFF raff of WAVE", None),
        (b"ID3 tags explained", None),
        (b"Saved as WAVE\0", None),
        (b"", None),
    ],
)
def test_what_can_be_seen_and_heard_is_known_by_its_first_bytes(head, wanted):
    assert sniff.medium(head) == wanted


@given(st.binary(max_size=600))
def test_any_bytes_are_sniffed(data):
    found = sniff.medium(data)
    assert found is None or b"\0" in data
