"""Bytes that come in pieces, in any order that clients send them again, and what is kept of them."""

import hashlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pollux.serve.errors import ApiError
from pollux.serve.storage import kinds, uploads
from pollux.serve.storage.library import Allowance, Library
from pollux.serve.storage.uploads import Wanted

TEXT = b"It rained on the quay.\n" * 50


@pytest.fixture
def library(tmp_path):
    library = Library.open(tmp_path)
    yield library
    library.close()


def upload(library, data=TEXT, wanted=Wanted(), at=0, id=None):
    """Send bytes in one go; gives the upload's id."""
    id = id or library.uploads.begin(wanted).id
    writing = library.uploads.take(id, at)
    writing.write(data)
    writing.close()
    return id


def stored(library, data=TEXT, wanted=Wanted()):
    return library.uploads.finish(upload(library, data, wanted))


def refused(code, work, *args):
    with pytest.raises(ApiError) as told:
        work(*args)
    assert told.value.code == code, told.value.message
    return told.value.message


class TestUploads:
    def test_pieces_become_a_file(self, library):
        id = library.uploads.begin(Wanted("files/my-id", "a.txt", "text/plain", len(TEXT))).id
        for at in range(0, len(TEXT), 100):
            writing = library.uploads.take(id, at)
            writing.write(TEXT[at : at + 60])
            writing.write(TEXT[at + 60 : at + 100])
            assert writing.close() == min(at + 100, len(TEXT)) == library.uploads.find(id).received
        file = library.uploads.finish(id)
        assert (file.name, file.display_name, file.size) == ("files/my-id", "a.txt", 1150)
        assert (file.mime, file.state, file.source) == ("text/plain", "ACTIVE", "UPLOADED")
        assert file.read() == TEXT and file.sha256 == hashlib.sha256(TEXT).hexdigest()
        assert abs(file.expires - file.created - 48 * 3600) < 1 and library.files.find("my-id") == file

    @settings(max_examples=10)
    @given(steps=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 120), st.integers(0, 3)), max_size=12))
    def test_whatever_is_sent_again_what_stands_is_what_was_sent_last(self, tmp_path_factory, steps):
        library = Library.open(tmp_path_factory.mktemp("library"))
        id, whole = library.uploads.begin(Wanted()).id, b""
        for number, (at, count, left) in enumerate(steps):
            if not left:
                library.close()
                library = Library.open(library.folder)
            data = f"{number:03} ".encode() * 40
            if at > len(whole):
                refused(400, library.uploads.take, id, at)
                continue
            upload(library, data[:count], at=at, id=id)
            whole = whole[:at] + data[:count]
            assert library.uploads.find(id).received == len(whole)
        file = library.uploads.finish(id)
        assert file.read() == whole and file.size == len(whole)
        library.close()

    def test_finished_twice_it_is_one_file(self, library):
        id = upload(library)
        first = library.uploads.finish(id)
        upload(library, b"something else", at=0, id=id)  # the last chunk again, as its answer was lost
        assert library.uploads.finish(id) == first and first.read() == TEXT
        library.files.delete(first.name)
        refused(404, library.uploads.finish, id)

    def test_a_second_request_takes_the_upload_from_the_first(self, library):
        id = library.uploads.begin(Wanted()).id
        hanging = library.uploads.take(id, 0)
        hanging.write(b"half of ")
        upload(library, TEXT, id=id)
        refused(400, hanging.write, b"what was meant")
        hanging.close()
        assert library.uploads.finish(id).read() == TEXT

    def test_bytes_that_are_missing_or_too_many(self, library):
        id = upload(library, TEXT[:10], Wanted(size=20))
        refused(400, library.uploads.finish, id)
        refused(400, library.uploads.take(id, 10).write, TEXT[:11])
        upload(library, TEXT[10:20], at=10, id=id)
        assert library.uploads.finish(id).read() == TEXT[:20]

    def test_an_unknown_one_and_one_that_was_cancelled_or_expired(self, library, monkeypatch):
        refused(404, library.uploads.take, "nothing", 0)
        id = upload(library)
        writing = library.uploads.take(id, 10)
        library.uploads.cancel(id)
        refused(404, library.uploads.finish, id)
        refused(404, writing.write, b"more")
        writing.close()
        late = upload(library)
        monkeypatch.setattr(uploads, "SECONDS", 0.0)
        refused(404, library.uploads.find, late)
        library.uploads.sweep(time.time())
        assert not list((library.folder / "contents").iterdir())

    def test_what_a_process_left_half_made_is_gone_when_the_next_starts(self, library):
        kept, finished = upload(library), stored(library)
        (library.folder / "contents" / "0123").write_bytes(b"cut short")
        library.close()
        library = Library.open(library.folder)
        assert len(list((library.folder / "contents").iterdir())) == 2
        assert library.uploads.finish(kept).read() == library.files.find(finished.name).read() == TEXT
        library.close()


class TestFiles:
    def test_pages_delete_and_names(self, library):
        files = [stored(library, wanted=Wanted(display_name=f"{number}.txt")) for number in range(5)]
        first, token = library.files.list(3, "")
        second, end = library.files.list(3, token)
        assert first + second == files[::-1] and not end
        assert all(file.name.removeprefix("files/").isalnum() and len(file.name) == 18 for file in files)
        library.files.delete(files[0].name)
        assert "do not have permission" in refused(403, library.files.find, files[0].name)
        refused(403, library.files.delete, files[0].name)
        refused(403, files[0].read)
        assert not files[0].path.exists()

    def test_a_name_that_is_taken(self, library):
        wanted = Wanted("files/mine")
        both = upload(library, wanted=wanted), upload(library, wanted=wanted)
        library.uploads.finish(both[0])
        refused(409, library.uploads.finish, both[1])
        refused(404, library.uploads.find, both[1])
        refused(409, library.uploads.begin, wanted)

    def test_a_damaged_file_is_told_and_never_served(self, library):
        file = stored(library)
        file.path.write_bytes(TEXT[:-1] + b"?")
        assert "checksum" in refused(400, file.read)
        assert library.files.find(file.name).state == "ACTIVE"  # nobody has asked for all of it
        refused(400, library.files.check, file.name)
        failed = library.files.find(file.name)
        assert failed.state == "FAILED" and "checksum" in failed.error
        assert "not in an ACTIVE state" in refused(400, failed.read)

    def test_quotas(self, tmp_path):
        library = Library.open(tmp_path, Allowance(file_bytes=2000, total_bytes=3000))
        refused(400, library.uploads.begin, Wanted(size=2001))
        waiting = library.uploads.begin(Wanted(size=1000))
        stored(library)
        refused(429, library.uploads.begin, Wanted(size=1000))  # the rest is that of the one that waits
        library.uploads.cancel(waiting.id)
        assert stored(library)
        refused(429, upload, library)
        library.close()

    def test_what_has_expired_is_gone(self, tmp_path):
        library = Library.open(tmp_path, Allowance(file_seconds=0.2))
        file = stored(library, wanted=Wanted("files/mine"))
        time.sleep(0.25)
        refused(403, library.files.find, file.name)
        assert library.files.list(10, "") == ([], "")
        again = stored(library, wanted=Wanted("files/mine"))
        assert not file.path.exists() and again.path.exists()
        library.close()


@pytest.mark.parametrize(
    ("head", "name", "claimed", "mime"),
    [
        (TEXT, "a.txt", "", "text/plain"), (TEXT, "", "text/markdown; charset=utf-8", "text/markdown"),
        (TEXT, "a.py", "", "text/x-python"), (b"%PDF-1.7 ...", "", "text/plain", "application/pdf"),
        (b"<!doctype html><p>x", "a", "text/plain", "text/html"), (TEXT, "a", "image/png", "text/plain"),
        (TEXT, "", "application/pdf", "text/plain"), (b'{"a": 1}', "", "application/json", "application/json"),
        (b"", "", "", "text/plain"), (TEXT, "", "jsonl", "text/plain"), ("ü".encode() * 40000, "", "", "text/plain"),
    ],
)  # fmt: skip
def test_bytes_say_what_a_file_is(head, name, claimed, mime):
    assert kinds.mime_of(head[: kinds.HEAD], name, claimed) == mime


@pytest.mark.parametrize(
    ("head", "name", "claimed", "told"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "a.png", "text/plain", "Unsupported MIME type: text/plain. A.png is a picture"),
        (b"PK\x03\x04\0\0", "a.zip", "", "Unsupported MIME type: application/zip"), (b"\0\1\2", "", "", "application/octet-stream"),
        (TEXT, "", "bad/mime_type", "Unsupported MIME type: bad/mime_type"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_what_can(head, name, claimed, told):
    message = refused(400, kinds.mime_of, head, name, claimed)
    assert told in message and "source code are read" in message


def test_an_image_is_refused_with_its_first_bytes(library):
    id = library.uploads.begin(Wanted(mime="image/png", size=1 << 30)).id
    assert "image/png" in refused(400, library.uploads.take(id, 0).write, b"\x89PNG\r\n\x1a\n" + bytes(1000))
    refused(404, library.uploads.find, id)
