"""decode(encode(text)) == text, whatever the text, and every token knows its place in it."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pollux.base.errors import ConfigError
from pollux.tokens import vocabulary as module
from pollux.tokens.vocabulary import NAMES, SPECIAL, Vocabulary, shipped

VOCABULARY = shipped()
many = settings(max_examples=300, deadline=None, database=None)

unicode_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=80)
PIECES = [
    "the ", "Mr. ", "\n", "\n\n", " ", "   ", "\t", "1889", "½", "é", "e\u0301", "日本", "👩\u200d🚀",
    "\r\n", "don't", "_x1", "\0", "\u2028",
]  # fmt: skip
likely = st.lists(st.sampled_from(PIECES)).map("".join)
# what a file holds that is not quite UTF-8
broken = st.binary(max_size=60).map(lambda data: data.decode("utf-8", "surrogateescape"))
mixed = st.lists(unicode_text | likely | broken, max_size=4).map(
    lambda parts: "".join(parts).encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
)


@many
@given(mixed)
def test_decode_gives_the_text_back(text):
    ids = VOCABULARY.encode(text)
    assert VOCABULARY.decode(ids) == text and ids.dtype == np.int32


@many
@given(mixed)
def test_no_text_makes_special_tokens(text):
    ids = VOCABULARY.encode(text)
    assert ((ids >= SPECIAL) & (ids < VOCABULARY.size)).all()


@pytest.mark.parametrize("name", [*NAMES, "eos", "bos", "endoftext"])
def test_text_that_spells_special_tokens_stays_text(name):
    for text in (name, f"<{name}>", f"<|{name}|>", f" [{name.upper()}]\n"):
        ids = VOCABULARY.encode(text)
        assert (ids >= SPECIAL).all() and VOCABULARY.decode(ids) == text
    assert VOCABULARY.decode(range(SPECIAL)) == ""


@many
@given(mixed)
def test_ranges_cover_the_text_exactly(text):
    ids, start, end = VOCABULARY.encode_places(text)
    assert len(ids) == len(start) == len(end)
    if not text:
        assert not len(ids)
        return
    assert start[0] == 0 and end[-1] == len(text) and (start < end).all()
    # tokens that split a character share it; otherwise the next begins where the last ended
    assert (start[1:] <= end[:-1]).all() and (start[1:] >= end[:-1] - 1).all() and (np.diff(end) >= 0).all()
    for token, a, b in zip(ids, start, end, strict=True):
        piece, data = text[a:b], VOCABULARY.decode_bytes([token])
        assert data in piece.encode("utf-8", "surrogateescape")
        if a not in end[end <= a] and a:
            assert VOCABULARY.decode([token]) != piece  # begins inside a character
        if data == piece.encode("utf-8", "surrogateescape"):
            assert VOCABULARY.decode([token]) == piece
    whole = [i for i in range(len(ids)) if (i == 0 or start[i] == end[i - 1]) and (i + 1 == len(ids) or start[i + 1] == end[i])]
    assert all(VOCABULARY.decode([ids[i]]) == text[start[i] : end[i]] for i in whole)


def test_plain_words_are_where_they_are():
    text = "The tower was 1889 feet high.\nIt stood."
    ids, start, end = VOCABULARY.encode_places(text)
    assert [text[a:b] for a, b in zip(start, end, strict=True)] == [VOCABULARY.decode([i]) for i in ids]
    assert "".join(text[a:b] for a, b in zip(start, end, strict=True)) == text


@many
@given(st.integers(0, 10**12), st.sampled_from(["", " ", "x", "-", "0."]))
def test_digits_stand_alone(number, before):
    text = f"{before}{number}"
    pieces = [VOCABULARY.decode([i]) for i in VOCABULARY.encode(text)]
    assert [p for p in pieces if re.search(r"\d", p)] == re.findall(r"\d", text)


@pytest.mark.parametrize("blanks", [2, 4, 8, 12])
def test_runs_of_blanks_are_one_token(blanks):
    """The last blank goes with the word."""
    pieces = [VOCABULARY.decode([i]) for i in VOCABULARY.encode("\n" + " " * blanks + "return x")]
    assert pieces == ["\n", " " * (blanks - 1), " return", " x"]


def test_long_texts_are_encoded_in_parts_that_change_nothing(monkeypatch, text):
    text = (text + "\n\n\n    indented é\n") * 2
    parts = module._PART.findall(text)
    assert len(parts) > 2 and "".join(parts) == text
    ours = VOCABULARY.encode_places(text)
    monkeypatch.setattr(module, "_PART", re.compile("(?s).+"))
    for a, b in zip(ours, VOCABULARY.encode_places(text), strict=True):
        assert (a == b).all()


@pytest.mark.parametrize("text", ["x" * 50_001, "\n" * 50_001, " " * 45_000, "a\n" * 30_000, "é\udc80" * 15_000])
def test_long_texts_without_a_good_place_to_cut_are_lossless(text):
    ids, start, end = VOCABULARY.encode_places(text)
    assert VOCABULARY.decode(ids) == text and start[0] == 0 and end[-1] == len(text) and (start[1:] >= end[:-1] - 1).all()


def test_the_shipped_vocabulary_has_8192_ids():
    assert VOCABULARY.size == 8192
    words = "The porter found a letter by the river. def main(self): return None"
    assert len(VOCABULARY.encode(words)) < len(words) / 3


def test_train_save_load(vocabulary, text, tmp_path):
    assert vocabulary.size == 512 and len(vocabulary.encode(text)) < len(text) / 3
    # often seen together, yet apart
    assert [vocabulary.decode([i]) for i in vocabulary.encode("12 88")] == ["1", "2", " ", "8", "8"]
    path = tmp_path / "vocabulary.json"
    vocabulary.save(path)
    assert (Vocabulary.load(path).encode(text) == vocabulary.encode(text)).all()
    assert vocabulary.decode(vocabulary.encode("日本 never seen")) == "日本 never seen"
    for wrong in (tmp_path / "none.json", tmp_path):
        with pytest.raises(ConfigError):
            Vocabulary.load(wrong)
    with pytest.raises(ConfigError):
        Vocabulary.train([text], size=100)


def test_surrogates_that_stand_for_no_byte_become_replacement_characters():
    ids, start, end = VOCABULARY.encode_places("a\ud800b\udfffc\udc80")
    assert VOCABULARY.decode(ids) == "a\ufffdb\ufffdc\udc80" and end[-1] == 6 and (start <= end).all()
