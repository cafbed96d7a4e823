"""The answer is the line that the evidence marks, and no other line defines the name."""

import re

import pytest

from pollux.tasks.definitions import Definitions, find_definitions

PYTHON = "import os\n\n\nclass Box(dict):\n    def lid(self):\n        return 1\n\n\n"
PYTHON += "async def open_{n}(a,\n    b):\n    pass\n"
SCRIPT = "export default class Lamp{n} extends Base {{\n}}\n\nasync function glow{n}(x) {{\n  return x;\n}}\n"
FILES = [(f"src/a{n}.py", PYTHON.replace("{n}", str(n)) * (1 + n % 3)) for n in range(12)]
FILES += [(f"web/b{n}.ts", SCRIPT.format(n=n)) for n in range(12)]


def test_answers_are_the_defining_lines():
    task = Definitions(FILES, characters=(200, 1500))
    for i in range(200):
        example = task.example(i)
        for question in example.questions:
            start, end = question.evidence
            assert example.context[start:end] == question.answer == question.answer.strip()
            line = example.context[example.context.rfind("\n", 0, start) + 1 :].split("\n", 1)[0]
            assert line.strip() == question.answer
            (name,) = re.findall(r"`([^`]+)`", question.text)
            assert len(re.findall(rf"(?:def|class|function) {name}\b", example.context)) == 1
            assert question.kind == ("definition/class" if "class " in question.answer else "definition/function")


def test_every_piece_is_a_run_of_lines_of_its_file():
    sources = dict(FILES)
    for i in range(100):
        example = Definitions(FILES, characters=(300, 900)).example(i)
        assert len(example.context) <= 901 and len({path for _, path in example.files}) == len(example.files) >= 1
        stops = [start for start, _ in example.files[1:]] + [len(example.context)]
        for (start, path), stop in zip(example.files, stops, strict=True):
            assert f"\n{example.context[start:stop].rstrip()}\n" in f"\n{sources[path]}"


def test_definitions_are_found_with_their_kinds():
    found = [(d.name, d.what) for d in find_definitions("a.py", PYTHON.replace("{n}", "1"))]
    assert found == [("Box", "class"), ("lid", "method"), ("open_1", "function")]
    assert [d.name for d in find_definitions("b.ts", SCRIPT.format(n=2))] == ["Lamp2", "glow2"]
    assert find_definitions("a.py", "class of words, def inition\n") == find_definitions("c.txt", PYTHON) == ()


def test_the_same_number_gives_the_same_example():
    assert [Definitions(FILES).example(i) for i in range(5)] == [Definitions(FILES).example(i) for i in range(5)]


def test_files_that_define_nothing_are_refused():
    with pytest.raises(ValueError, match="found no definition"):
        Definitions([("a.txt", "nothing here\n" * 50)]).example(0)
    with pytest.raises(ValueError, match="no files"):
        Definitions([])
