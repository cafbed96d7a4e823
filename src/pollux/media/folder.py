"""From what the user names to files: folders are walked and patterns matched, in a stable order.

Walking passes over hidden entries, ``node_modules``, ``__pycache__``, virtual environments and what the folder's own
``.gitignore`` files (nested ones too) leave out. It never leaves the tree through a link: a folder from a stranger must not be
able to hand over ``~/.ssh``.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice

from pathspec import GitIgnoreSpec

from pollux.media.segment import Problem

_SKIPPED_FOLDERS = {"node_modules", "__pycache__"}
_MAGIC = re.compile(r"[*?\[]")
_IGNORE_BYTES = 1 << 20
# pathspec's regular expressions backtrack: "*a*a*a*a*a*a*b" took 148 s on one file name of 121 letters, four stars 0.3 s.
# Lines with more are left out, which reads a file too many rather than hanging.
_IGNORE_STARS = 4

# Pairs (folder relative to the root, "" or ending in "/"; its rules), outermost first.
Rules = tuple[tuple[str, GitIgnoreSpec], ...]


@dataclass(frozen=True)
class Found:
    """A file to read: where it is, what to call it, and whether the user named it or a folder or pattern led to it."""

    file: str
    label: str
    named: bool = True


def label(path: str) -> str:
    """A path as it is shown: "/" between parts, and U+FFFD for bytes of a file name that are not UTF-8."""
    return path.replace(os.sep, "/").encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def find(given: str) -> Iterator[Found | Problem]:
    """Every file that ``given`` stands for: itself, what is in the folder, or what the pattern matches ("**" crosses folders).

    A name that does not exist comes back as a Found like any other: opening it says what is wrong.
    """
    if os.path.isdir(given):
        yield from walk(given)
    elif is_pattern(given):
        yield from match(given)
    else:
        yield Found(given, label(given))


def is_pattern(given: str) -> bool:
    """Whether ``given`` is a pattern; a file that exists under that very name, brackets and all, is not."""
    return _MAGIC.search(given) is not None and not os.path.lexists(given)


def walk(root: str) -> Iterator[Found | Problem]:
    """Every file under a folder that is not hidden, ignored or a link out of it, depth first, sorted by name."""
    real = os.path.realpath(root)
    stack: list[tuple[str, bool, str, Rules]] = [(root, True, "", ())]
    while stack:
        path, is_folder, name, rules = stack.pop()
        if not is_folder:
            yield from _file(path, real)
            continue
        entries = _entries(path)
        if isinstance(entries, Problem):
            yield entries
            continue
        if any(entry.name == ".gitignore" for entry in entries):
            rules = (*rules, (name, _rules(os.path.join(path, ".gitignore"))))
        for entry in reversed(entries):  # the stack's top is taken next
            folder = entry.is_dir(follow_symlinks=False)
            inner = name + label(entry.name) + "/" * folder
            if not _passed_over(entry, folder) and not _ignored(inner, rules):
                stack.append((_join(path, entry.name), folder, inner, rules))


def match(pattern: str) -> Iterator[Found | Problem]:
    """Every file that a pattern matches, sorted; a folder that it matches is walked, as if the shell had spelt it out."""
    parts = [part for part in pattern.replace(os.sep, "/").split("/") if part not in ("", ".")]
    fixed = next((i for i, part in enumerate(parts) if _MAGIC.search(part)), len(parts))
    base = ("/" if pattern.startswith("/") else "") + "/".join(parts[:fixed]) or "."
    wanted = parts[fixed:] + ["*"] * (parts[-1] == "**")
    if not os.path.isdir(base):
        return
    real = os.path.realpath(base)
    stack = [(base, True, _reach(wanted, {0}))]
    while stack:  # a state is the set of parts that may come next, so no number of "**" makes this slow
        path, is_folder, state = stack.pop()
        if len(wanted) in state:
            yield from walk(path) if is_folder else _file(path, real)
            continue
        entries = _entries(path)
        if isinstance(entries, Problem):
            yield entries
            continue
        for entry in reversed(entries):
            folder = entry.is_dir(follow_symlinks=False)
            after = _advance(wanted, state, entry, folder)
            if len(wanted) in after or (folder and after):
                stack.append((_join(path, entry.name), folder, after))


def suggest(path: str) -> str:
    """What to do about a path that does not exist: the nearest name there is, in the first folder that does exist."""
    parent, name = os.path.split(os.path.abspath(path))
    while not os.path.isdir(parent) and parent != os.path.dirname(parent):
        parent, name = os.path.split(parent)
    try:
        with os.scandir(parent) as entries:
            names = [entry.name for entry in islice(entries, 2000)]  # difflib is slow, and a folder may hold millions
    except OSError:
        names = []
    near = difflib.get_close_matches(name, names, n=1)
    where = label(os.path.join(os.path.relpath(parent), near[0])) if near else ""
    return f"did you mean {os.path.normpath(where)}?" if near else "check the name and the folder you are in."


def _advance(wanted: list[str], state: set[int], entry: os.DirEntry[str], folder: bool) -> set[int]:
    """The parts that may follow after ``entry``; ``len(wanted)`` among them means that the pattern is complete."""
    after = set()
    for i in state - {len(wanted)}:
        part, spelt = wanted[i], wanted[i] == entry.name
        if _passed_over(entry, folder) and not spelt and not part.startswith("."):
            continue
        if part == "**":
            after |= {i} if folder else set()
        elif fnmatchcase(entry.name, part):
            after.add(i + 1)
    return _reach(wanted, after)


def _reach(wanted: list[str], state: set[int]) -> set[int]:
    """Add the parts that are reached when "**" stands for no folder at all."""
    state = set(state)
    for i in range(len(wanted)):
        if i in state and wanted[i] == "**":
            state.add(i + 1)
    return state


def _file(path: str, root: str) -> Iterator[Found | Problem]:
    """A file in a tree, unless it is a link that leads out of it or to a folder (which is met under its own name)."""
    if os.path.islink(path) and os.path.exists(path):
        target = os.path.realpath(path)
        if os.path.commonpath([target, root]) != root:
            message = f"{label(path)} is a link out of the folder and was not followed"
            yield Problem(label(path), message, "name it itself if it is to be read.", "warning")
            return
        if os.path.isdir(path):
            return
    yield Found(path, label(path), named=False)


def _entries(folder: str) -> list[os.DirEntry[str]] | Problem:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        message = f"the folder {label(folder)} cannot be listed: {error.strerror}"
        return Problem(label(folder), message, "check its permissions.")


def _join(folder: str, name: str) -> str:
    return name if folder == "." else os.path.join(folder, name)


def _passed_over(entry: os.DirEntry[str], folder: bool) -> bool:
    """Whether an entry is never met by walking: hidden, or a folder of what tools wrote."""
    if entry.name.startswith("."):
        return True
    return folder and (entry.name in _SKIPPED_FOLDERS or os.path.lexists(os.path.join(entry.path, "pyvenv.cfg")))


def _ignored(name: str, rules: Rules) -> bool:
    """Whether git would leave ``name`` out: the innermost .gitignore that speaks of it decides."""
    for base, spec in reversed(rules):
        verdict = spec.check_file(name[len(base) :]).include
        if verdict is not None:
            return verdict
    return False


def _rules(path: str) -> GitIgnoreSpec:
    """The rules of one .gitignore; what cannot be read or is no pattern is left out, as git does."""
    try:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:  # it might be a pipe
            lines = (file.read(_IGNORE_BYTES) or b"").decode("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    return GitIgnoreSpec.from_lines(line for line in lines if _is_rule(line))


def _is_rule(line: str) -> bool:
    if len(re.findall(r"\*+", line)) > _IGNORE_STARS:
        return False
    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True
