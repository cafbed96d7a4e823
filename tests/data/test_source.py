"""What a folder gives to learn from."""

from __future__ import annotations

import logging

import pytest

from pollux.base.errors import ConfigError
from pollux.data.source import load


def test_other_peoples_json_lines_are_left_out_and_named(tmp_path, text, caplog):
    (tmp_path / "text.txt").write_text(text)
    (tmp_path / "mine.jsonl").write_text('{"prompt": "p", "completion": "c"}\n')
    (tmp_path / "other.jsonl").write_text('{"id": 1}\n')
    (tmp_path / "cut.jsonl.xz").write_bytes(b"\xfd7zXZ\x00\x00")
    with caplog.at_level(logging.WARNING, "pollux"):
        corpus = load([tmp_path])
    assert corpus.pairs == [("p", "c")] and len(corpus.prose) == 1
    assert "other.jsonl" in caplog.text and "cut.jsonl.xz" in caplog.text


def test_pairs_alone_are_enough_only_where_they_are_what_is_wanted(tmp_path):
    (tmp_path / "mine.jsonl").write_text('{"prompt": "p", "completion": "c"}\n')
    with pytest.raises(ConfigError, match="no text"):
        load([tmp_path])
    assert load([tmp_path], pairs_only=True).pairs == [("p", "c")]


def test_short_notes_are_put_together(tmp_path):
    for i in range(30):
        (tmp_path / f"note{i:02}.txt").write_text(f"Note {i}. " + "It rained and nothing happened at all today. " * 4)
    prose = load([tmp_path]).prose
    assert len(prose) == 2 and all(len(text) >= 2000 for text in prose)
    assert prose[0].startswith("Note 0. ") and "\n\nNote 1. " in prose[0]
