"""The function-calling cases of the Berkeley leaderboard: each declaration compiles, and each true answer is let through.

    POLLUX_BFCL=data/bfcl pytest -m slow tests/serve/constrain/test_serve_bfcl.py

The folder holds ``BFCL_v4_*.json`` and ``possible_answer/`` (repository ShishirPatil/gorilla, bfcl_eval/data).
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from walks import accepts

from pollux.serve.constrain.functions import Call, Functions
from pollux.tokens.vocabulary import shipped

pytestmark = [pytest.mark.slow, pytest.mark.skipif("POLLUX_BFCL" not in os.environ, reason="POLLUX_BFCL names no folder")]
FOLDER = Path(os.environ.get("POLLUX_BFCL", "."))
CASES = ("simple_python", "multiple", "parallel", "simple_java", "simple_javascript")
# The data's own names of types, which come from several languages; "any" and "" are none.
TYPES = {
    "dict": "object", "hashmap": "object", "float": "number", "double": "number", "long": "integer", "tuple": "array",
    "arraylist": "array", "char": "string",
}  # fmt: skip


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def schema(given):
    """The data's schema with types that schemas have."""
    if isinstance(given, list):
        return [schema(each) for each in given]
    if not isinstance(given, dict):
        return given
    made = {key: schema(value) for key, value in given.items() if key != "type"}
    kind = given.get("type")
    if isinstance(kind, dict):  # a property with the name type
        return made | {"type": schema(kind)}
    kind = TYPES.get(str(kind).lower(), str(kind).lower())
    return made if kind in ("any", "", "none") else made | {"type": kind}


def chosen(options, kind):
    """The first of the values that the data accepts, in the declaration's order; None where it is to be left out."""
    value = options[0] if isinstance(options, list) and options else options
    return None if value == "" and len(options) > 1 else plain(value, kind)


def plain(value, kind):
    if isinstance(value, dict):
        inner = kind.get("properties", {}) if isinstance(kind, dict) else {}
        found = {key: chosen(options, inner.get(key, {})) for key, options in value.items()}
        order = [*(key for key in inner if key in found), *(key for key in found if key not in inner)]
        return {key: found[key] for key in order if found[key] is not None}
    if isinstance(value, list):
        return [plain(each, kind.get("items", {}) if isinstance(kind, dict) else {}) for each in value]
    return value


def calls(truth: list[dict], declared: dict[str, dict]) -> list[Call]:
    return [Call(name, plain(args, declared[name])) for call in truth for name, args in call.items()]


@pytest.mark.parametrize("name", [*CASES, "irrelevance"])
def test_every_declaration_compiles(name):
    vocabulary = shipped()
    for case in lines(FOLDER / f"BFCL_v4_{name}.json"):
        declared = [{**f, "parameters": schema(f["parameters"])} for f in case["function"]]
        Functions.of([{"functionDeclarations": declared}]).constraint(vocabulary)


def test_every_class_of_functions_compiles():
    vocabulary = shipped()
    for path in sorted((FOLDER / "multi_turn_func_doc").glob("*.json")):
        declared = [{"name": f["name"], "parametersJsonSchema": schema(f["parameters"])} for f in lines(path)]
        assert Functions.of([{"functionDeclarations": declared}]).constraint(vocabulary)


@pytest.mark.parametrize("name", CASES)
def test_true_answers_are_let_through(name):
    """Some of the data's answers do not fit its own declarations, as the name of a variable for an array: those must not be."""
    vocabulary, wrong, fitting = shipped(), [], 0
    truths = {case["id"]: case["ground_truth"] for case in lines(FOLDER / "possible_answer" / f"BFCL_v4_{name}.json")}
    cases = lines(FOLDER / f"BFCL_v4_{name}.json")
    for case in cases:
        declared = {f["name"]: schema(f["parameters"]) for f in case["function"]}
        functions = Functions.of(
            [{"functionDeclarations": [{"name": key, "parameters": value} for key, value in declared.items()]}],
            {"functionCallingConfig": {"mode": "ANY"}},
        )
        true = calls(truths[case["id"]], declared)
        text = "\n".join(call.text for call in true)
        fits = all(Draft202012Validator(declared[call.name]).is_valid(call.args) for call in true)
        fitting += fits
        if accepts(functions.constraint(vocabulary), vocabulary, text) != fits or (fits and functions.parse(text) != true):
            wrong.append(case["id"])
    assert wrong == []
    assert fitting > 0.8 * len(cases)
