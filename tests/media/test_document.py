"""Web pages and PDF: the text, and the place each part of it came from."""

from __future__ import annotations

import signal
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pollux.base.errors import MediaError
from pollux.media import document, pdf_child
from pollux.media.segment import Text

BOUNDS = {"pages": 100, "page_seconds": 5.0, "seconds": 20.0, "memory": 1 << 30}

PAGE = """<!DOCTYPE html>
<html><head><title>The  harbour</title>
<style>p { color: red }</style><script>if (a < b) document.write("<p>never</p>")</script></head>
<body>
<!-- a comment > with a mark -->
<h1>Tides &amp; winds</h1>
<p title="a > b">The first ship
came <b>at</b>&nbsp;dawn.</p><p>Second.</p>
<ul><li>one<li>two</ul>
<pre>
  kept   as
  it is</pre>
<table><tr><td>left</td><td>right</td></tr></table>
<noscript>no script</noscript><template><p>no <b>template</b></p></template>
last 3 < 4 line
</body></html>
"""


@pytest.fixture(scope="module")
def clock():
    """Lets the child's clock run in this process."""
    before = signal.getsignal(signal.SIGALRM)
    pdf_child.keep_time()
    yield
    signal.signal(signal.SIGALRM, before)


def test_visible_text_of_a_page():
    text, _ = document.page_text(PAGE)
    assert text == (
        "The harbour\n\nTides & winds\n\nThe first ship came at\xa0dawn.\n\nSecond.\n\none\ntwo\n\n"
        "  kept   as\n  it is\n\nleft\tright\n\nlast 3 < 4 line"
    )


def test_lines_are_those_of_the_source():
    text, lines = document.page_text(PAGE)
    segment = Text("a.html", text, lines=lines)
    source = PAGE.split("\n")
    for word in ("harbour", "Tides", "first", "came", "dawn", "Second", "two", "kept", "it is", "right", "last"):
        assert word in source[segment.line(text.index(word)) - 1], word
    assert list(lines) == sorted(lines)
    assert lines[0][0] == 0


@given(
    st.lists(
        st.sampled_from(
            ["<p>", "</p>", "<pre>", "</pre>", "\n", " ", "<!-- \n -->", "W", "&amp;", "<td>", "<br\n>", "x < y"]
        )
    )
)
def test_every_word_of_any_page_keeps_its_line(parts):
    numbered, line = [], 1
    for i, part in enumerate(parts):
        numbered.append(f" w{i}q{line}. " if part == "W" else part)
        line += part.count("\n")
    text, lines = document.page_text("".join(numbered))
    segment = Text("a", text, lines=lines)
    for part in numbered:
        if part.startswith(" w"):
            assert segment.line(text.index(part.strip())) == int(part.strip(" .").split("q")[1])


HOSTILE = [
    "<div>", "<a ", '<a x=">"', '<a x="', "<a x='", "<!--",
    "</", "</a", "<!", "<?", "<", "&", "&#", "<a =", "<script>", "<pre>\n", "<template>",
    "<title>", "<textarea>", "=", "\n", "<td>", "<a<", "&#9999999999;", "<b/", "</script"
]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
def test_hostile_pages_take_linear_time(unit):
    source = "<p>start</p>" + unit * 100_000
    begin = time.perf_counter()
    text, _ = document.page_text(source)
    assert text.startswith("start")
    assert time.perf_counter() - begin < 2


@given(st.text(alphabet="<>/!-=\"'&#; \nab?"), st.sampled_from(["", "<script>", "<title>", "<pre>"]))
def test_any_page_can_be_read(body, before):
    text, lines = document.page_text(before + body)
    segment = Text("a", text, lines=lines)
    last = (before + body).count("\n") + 1
    assert all(segment.line(i) >= 1 for i in range(len(text) + 1))
    assert all(line <= last for _, line in lines)


def test_an_endless_number_and_what_is_never_closed_lose_nothing():
    assert document.page_text("<p>&#" + "9" * 5000 + ";")[0].startswith("&#999")
    assert document.page_text("<p>seen</p> a <b and the rest")[0] == "seen\n\na <b and the rest"
    assert document.page_text("seen<script>not")[0] == "seen"
    assert document.page_text('<?xml version="1.0"?><html><script src="x"/><p>seen</p></html>')[0] == "seen"


def test_a_pdf_is_read_by_page(make_pdf):
    made = make_pdf(["First page\nwith a second line", "", "The third page"])
    read, problems = document.pdf(made, "a.pdf", **BOUNDS)
    assert [(each.page, each.text.strip()) for each in read.segments] == [
        (1, "First page\nwith a second line"),
        (3, "The third page"),
    ]
    first = read.segments[0]
    at = first.text.index("second")
    place = first.place(at, at + 6)
    assert (place.page, place.line, first.text[place.start : place.end]) == (1, 2, "second")
    assert [(each.severity, "page 2 of 3" in each.message) for each in problems] == [("warning", True)]


def test_a_scan_says_so(make_pdf):
    with pytest.raises(MediaError, match="no text layer") as caught:
        document.pdf(make_pdf(["", ""]), "a b.pdf", **BOUNDS)
    assert "ocrmypdf 'a b.pdf'" in caught.value.hint


def test_encrypted_pdfs(make_pdf, lock_pdf):
    made = make_pdf(["Open to all"])
    read, _ = document.pdf(lock_pdf(made, ""), "a.pdf", **BOUNDS)
    assert read.segments[0].text.strip() == "Open to all"
    with pytest.raises(MediaError, match="password") as caught:
        document.pdf(lock_pdf(made, "sesame"), "a.pdf", **BOUNDS)
    assert "qpdf --decrypt" in caught.value.hint


def test_bounds_on_pages_and_time(make_pdf):
    made = make_pdf(["one", "two", "three"])
    read, problems = document.pdf(made, "a.pdf", **(BOUNDS | {"pages": 2}))
    assert len(read.segments) == 2
    assert "last 1 of 3" in problems[0].message
    endless = make_pdf(["one", "(x) Tj " * 300_000])
    read, problems = document.pdf(endless, "a.pdf", **(BOUNDS | {"page_seconds": 0.3}))
    assert [each.page for each in read.segments] == [1]
    assert "page 2" in problems[0].message
    with pytest.raises(MediaError, match="takes too long"):
        document.pdf(endless, "a.pdf", **(BOUNDS | {"seconds": 0.01}))


def test_a_page_tree_that_is_its_own_child(make_pdf):
    made = make_pdf(["one"]).replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]")
    with pytest.raises(MediaError):
        document.pdf(made, "a.pdf", **BOUNDS)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_damage_to_a_pdf_is_survived(make_pdf, clock, data):
    made = bytearray(make_pdf(["Some text", "More text"]))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(made) - 1))
        made[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=20))
    lines = list(pdf_child.read(bytes(made), 10, 2.0))
    assert "error" in lines[0] or "count" in lines[0]
