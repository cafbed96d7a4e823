"""Walking and patterns: what is met, in which order, and what is passed over."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pollux.media import folder
from pollux.media.segment import Problem


def plant(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def met(given: str) -> list[str]:
    return [found.label for found in folder.find(given) if isinstance(found, folder.Found)]


@pytest.fixture
def tree(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_order_is_by_name_and_labels_begin_as_given(tree):
    plant(tree, "d/b.txt", "d/a/z.txt", "d/c/y.txt", "d/a.txt")
    wanted = ["d/a/z.txt", "d/a.txt", "d/b.txt", "d/c/y.txt"]
    assert met("d") == met("d/") == wanted
    assert met("./d") == ["./" + name for name in wanted]
    assert met(".") == wanted
    assert met(str(tree / "d")) == [str(tree / name) for name in wanted]


def test_hidden_and_made_folders_are_passed_over(tree):
    plant(
        tree,
        "a.txt",
        ".env",
        ".git/x",
        ".venv/x",
        "node_modules/x",
        "__pycache__/x",
        "env/pyvenv.cfg",
        "env/x",
        "s/node_modules/x",
    )
    assert met(".") == ["a.txt"]
    assert met(".venv") == [".venv/x"]  # named, so wanted


def test_gitignore_is_obeyed_with_nesting_and_exceptions(tree):
    plant(
        tree,
        "a.log",
        "keep.log",
        "build/x",
        "sub/build/x",
        "sub/a.log",
        "sub/b.tmp",
        "sub/deep/c.log",
        "only/x",
        "sub/only/x",
    )
    (tree / ".gitignore").write_text("*.log\n!keep.log\nbuild/\n/only\n[z-a]\n!\n")
    (tree / "sub/.gitignore").write_text("!c.log\n*.tmp\n")
    assert met(".") == ["keep.log", "sub/deep/c.log", "sub/only/x"]


def test_a_hostile_gitignore_does_not_hang(tree):
    plant(tree, "a" * 200 + "c")
    (tree / ".gitignore").write_text("*a" * 30 + "*b\n" + "**/" * 40 + "x\n")
    begin = time.perf_counter()
    assert len(met(".")) == 1
    assert time.perf_counter() - begin < 1


def test_a_gitignore_that_is_a_pipe_does_not_block(tree):
    plant(tree, "a.txt")
    os.mkfifo(tree / ".gitignore")
    assert met(".") == ["a.txt"]


def test_links_out_of_the_folder_are_not_followed(tree):
    plant(tree, "secret/key", "d/a.txt", "d/in/b.txt")
    (tree / "d/file").symlink_to(tree / "secret/key")
    (tree / "d/folder").symlink_to(tree / "secret")
    (tree / "d/loop").symlink_to(tree / "d")
    (tree / "d/inner").symlink_to("in")
    found = list(folder.find("d"))
    problems = [each for each in found if isinstance(each, Problem)]
    assert [each.path for each in problems] == ["d/file", "d/folder"]
    assert all(each.severity == "warning" for each in problems)
    assert met("d") == ["d/a.txt", "d/in/b.txt"]
    assert met("d/**") == ["d/a.txt", "d/in/b.txt"]


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("*.py", ["a.py"]),
        ("**/*.py", ["a.py", "s/b.py", "s/t/c.py"]),
        ("s/**/*.py", ["s/b.py", "s/t/c.py"]),
        ("s/*", ["s/b.py", "s/n.txt", "s/t/c.py"]),
        ("s/**", ["s/b.py", "s/n.txt", "s/t/c.py"]),
        ("?/t/[cd].py", ["s/t/c.py"]),
        (".h/*.py", [".h/x.py"]),
        ("*/../*.py", []),
        ("none/*.py", []),
        ("**/**/**/**/**/**/**/**/**/**/**/**/zzz", []),
    ],
)
def test_patterns(tree, pattern, wanted):
    plant(tree, "a.py", "s/b.py", "s/n.txt", "s/t/c.py", ".h/x.py", "node_modules/m.py")
    assert met(pattern) == wanted


def test_a_file_whose_name_has_brackets_is_itself(tree):
    plant(tree, "a[1].txt")
    assert met("a[1].txt") == ["a[1].txt"]


def test_a_name_that_is_not_utf8_can_be_shown(tree):
    (tree / os.fsdecode(b"caf\xe9.txt")).write_text("x")
    assert met(".") == ["caf\ufffd.txt"]


def test_suggestions_are_near_and_in_the_first_folder_that_exists(tree):
    plant(tree, "chapter/notes.txt")
    assert folder.suggest("chapter/note.txt") == "did you mean chapter/notes.txt?"
    assert folder.suggest("chaptr/notes.txt") == "did you mean chapter?"
    assert "did you mean" not in folder.suggest("zzzzzz")
