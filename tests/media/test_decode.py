"""The way in: every file becomes a document or one clear problem, and nothing raises or waits."""

from __future__ import annotations

import io
import os
import socket
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pollux.media.decode import Limits, decode, read
from pollux.media.segment import Reading

NAMES = ["a.txt", "a.md", "a.html", "a.pdf", "a.py", "a.docx", "a.png", "a.zip", "a"]
STARTS = [
    b"",
    b"%PDF-1.4\n",
    b"<!doctype html>",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"PK\x03\x04",
    b"\x89PNG\r\n",
    b"\xff\xfe\0\0",
]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def only_problem(reading: Reading) -> str:
    assert not reading.documents
    assert len(reading.problems) == 1, reading.problems
    assert reading.problems[0].severity == "error"
    return f"{reading.problems[0].message} | {reading.problems[0].hint}"


def test_each_kind_of_text(here, make_pdf):
    (here / "a.txt").write_bytes("Zeile eins\r\nZeile zwei: größer\r\n".encode())
    (here / "b.md").write_text("# Title\n\n<b>kept</b> *as is*\n")
    (here / "c.py").write_text("<html> = 1\n")
    (here / "d.html").write_text("<html>\n<p>Hello\n<p>there")
    (here / "e.pdf").write_bytes(make_pdf(["On paper"]))
    reading = read(["a.txt", Path("b.md"), "c.py", "d.html", "e.pdf"])
    assert reading.problems == ()
    assert [each.path for each in reading.documents] == ["a.txt", "b.md", "c.py", "d.html", "e.pdf"]
    texts = [each.segments[0].text for each in reading.documents]
    assert texts[:4] == [
        "Zeile eins\r\nZeile zwei: größer\r\n",
        "# Title\n\n<b>kept</b> *as is*\n",
        "<html> = 1\n",
        "Hello\n\nthere",
    ]
    assert texts[4].strip() == "On paper"
    there = reading.documents[3].segments[0].place(7, 12)
    assert (there.line, there.snippet) == (3, "there")


@given(text=st.text(alphabet="ab\r\n \té\U0001f600", min_size=1), token=st.text(alphabet="XYZ", min_size=1))
def test_a_token_is_found_where_the_place_says(text, token):
    whole = text + token + text
    document, _ = decode(whole.encode(), "a.txt")
    segment = document.segments[0]
    place = segment.place(len(text), len(text) + len(token))
    assert whole[place.start : place.end] == segment.text[place.start : place.end] == token
    assert place.line == whole[: place.start].count("\n") + 1
    assert token in place.snippet or len(token) > 158


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(NAMES), start=st.sampled_from(STARTS), body=st.binary(max_size=300))
def test_any_bytes_give_a_document_or_a_problem(here, name, start, body):
    if start.startswith(b"%PDF"):
        body = body[:3]  # a process each: a few different ones will do
    (here / name).write_bytes(start + body)
    reading = read([name])
    assert len(reading.documents) + sum(each.severity == "error" for each in reading.problems) == 1
    for document in reading.documents:
        for segment in document.segments:
            segment.text.encode()  # no halves of surrogates
            assert segment.place(0, len(segment.text)).line >= 1


def test_bad_files_do_not_stop_the_good_ones(here):
    (here / "a.txt").write_text("good")
    (here / "b.bin").write_bytes(b"\0\1\2")
    reading = read(["missing.txt", "b.bin", "a.txt"])
    assert [each.path for each in reading.documents] == ["a.txt"]
    assert [each.path for each in reading.problems] == ["missing.txt", "b.bin"]


def test_missing_files_and_patterns(here):
    (here / "report.txt").write_text("x")
    assert "did you mean report.txt?" in only_problem(read(["reprot.txt"]))
    assert "no file matches" in only_problem(read(["*.pdf"]))
    assert "no file" in only_problem(read(["report.txt/inner"]))
    for odd in ("", "a\0b", "x" * 5000, "y/" * 3000):
        only_problem(read([odd]))


def test_empty_files_and_folders(here):
    (here / "a.txt").write_bytes(b"")
    (here / "b.txt").write_bytes(b"\xef\xbb\xbf \n")
    (here / "d").mkdir()
    assert "a.txt is empty" in only_problem(read(["a.txt"]))
    assert "b.txt holds no text" in only_problem(read(["b.txt"]))
    assert "holds no files" in only_problem(read(["d"]))


def test_what_is_no_text_is_skipped_in_a_folder_and_counted(here):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
    (here / "d").mkdir()
    for name, data in {
        "a.txt": b"text",
        "b.bin": b"\0\1",
        "c.png": b"\x89PNG\r\n\0",
        "d.txt": b"",
        "e.docx": out.getvalue(),
    }.items():
        (here / "d" / name).write_bytes(data)
    os.mkfifo(here / "d/f")
    reading = read(["d"])
    assert [each.path for each in reading.documents] == ["d/a.txt"]
    assert [each.path for each in reading.problems] == ["d/e.docx"]  # a document, so its absence is told
    assert reading.skipped == 4
    (here / "e").mkdir()
    (here / "e/x.bin").write_bytes(b"\0")
    assert "none of its 1 file" in only_problem(read(["e"]))


def test_special_files_are_told_and_never_waited_for(here):
    os.mkfifo(here / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("sock")
        assert "a socket" in only_problem(read(["sock"]))
    assert "a pipe" in only_problem(read(["pipe"]))
    assert "a device" in only_problem(read(["/dev/zero"]))
    (here / "broken").symlink_to("nowhere")
    (here / "loop").symlink_to("loop")
    assert "broken link (to nowhere)" in only_problem(read(["broken"]))
    assert "loop cannot be read" in only_problem(read(["loop"]))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(here):
    (here / "a.txt").write_text("x")
    (here / "a.txt").chmod(0)
    assert "may not be read" in only_problem(read(["a.txt"]))


def test_refused_permission_is_told(here, monkeypatch):
    (here / "a.txt").write_text("x")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert "may not be read" in only_problem(read(["a.txt"]))


def test_the_same_file_is_read_once(here):
    (here / "d").mkdir()
    (here / "d/a.txt").write_text("x")
    (here / "link").symlink_to("d/a.txt")
    reading = read(["d/a.txt", "./d/a.txt", "d", "link", "d/*.txt", str(here / "d/a.txt")])
    assert [each.path for each in reading.documents] == ["d/a.txt"]
    assert reading.problems == ()


def test_standard_input(make_pdf):
    assert read(["-", "-"], stdin=b"from a pipe").documents[0].segments[0].text == "from a pipe"
    assert read(["-"], stdin=b"<!doctype html><p>Hello").documents[0].segments[0].text == "Hello"
    assert read(["-"], stdin=make_pdf(["Paper"])).documents[0].segments[0].page == 1
    for nothing in (None, b""):
        assert "nothing came" in only_problem(read(["-"], stdin=nothing))


def test_limits(here):
    (here / "d").mkdir()
    for i in range(5):
        (here / f"d/{i}.txt").write_text("x" * 100)
    assert "100 bytes, and a file may be 99 bytes" in only_problem(read(["d/0.txt"], limits=Limits(file_bytes=99)))
    assert "at most" in only_problem(read(["-"], stdin=b"abc", limits=Limits(file_bytes=2)))
    few = read(["d"], limits=Limits(files=3))
    assert (len(few.documents), len(few.problems)) == (3, 1)
    small = read(["d", "d/4.txt"], limits=Limits(total_bytes=250))
    assert (len(small.documents), len(small.problems)) == (2, 1)
    assert "250 bytes together" in small.problems[0].message


def test_a_guess_is_a_warning(here):
    (here / "a.txt").write_bytes("Der Fluß ist schön.".encode("latin-1"))
    reading = read(["a.txt"])
    assert reading.documents[0].segments[0].text == "Der Fluß ist schön."
    assert [each.severity for each in reading.problems] == ["warning"]
    assert "iconv" in reading.problems[0].hint


def test_files_of_proc_have_no_size_and_are_read_all_the_same():
    if os.path.exists("/proc/self/status"):
        assert "Name:" in read(["/proc/self/status"]).documents[0].segments[0].text
