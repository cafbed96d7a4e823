"""The house: a room imports its own folder and lower floors only, and some rooms never import jax."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "pollux"
FLOORS = [
    ["base", "estimators"], ["media", "kernels", "segmentation"], ["tasks"], ["tokens"], ["data", "model", "perception"],
    ["engine"], ["train", "eval", "serve"], ["recipes"], ["commands"],
]  # fmt: skip
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
ROOMS = [path for path in sorted(SOURCE.rglob("*.py")) if path.parent != SOURCE]


def imports(path: Path) -> set[str]:
    """The modules of ours that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pollux."):
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names if name.name.startswith("pollux.")}
    return found


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_down(path):
    room = path.relative_to(SOURCE).parts[0]
    for module in imports(path):
        other = module.split(".")[1]
        if other == "cli":
            pytest.fail(f"{path} imports the command line")
        assert other == room or FLOOR[other] < FLOOR[room], f"{path} ({room}) imports {module}, which is not on a lower floor"


@pytest.mark.parametrize("room", FLOOR)
def test_package_files_stay_empty(room):
    assert (SOURCE / room / "__init__.py").read_text() == ""


def test_plain_rooms_never_import_jax():
    modules = [
        ".".join(("pollux", *path.relative_to(SOURCE).with_suffix("").parts))
        for room in ("media", "segmentation", "tasks", "tokens")
        for path in (SOURCE / room).rglob("*.py")
        if path.stem not in ("__init__", "pdf_child")
    ]
    modules += ["pollux.base.config", "pollux.base.errors"]
    modules += [f"pollux.engine.{name}" for name in ("request", "sampler", "many.service")]
    code = f"import importlib, sys\nfor m in {modules!r}: importlib.import_module(m)\nassert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(SOURCE.parent), "PATH": ""})
