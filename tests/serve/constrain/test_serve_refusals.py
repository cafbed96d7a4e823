"""Schemas that answers cannot be held to are refused by name, and hostile ones in bounded time."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from walks import accepts

from pollux.base.errors import ConfigError
from pollux.serve.constrain.functions import Functions
from pollux.serve.constrain.schema import enum_constraint, json_constraint
from pollux.serve.constrain.vocabulary import ready
from pollux.serve.errors import ApiError
from pollux.tokens.vocabulary import shipped

VOCABULARY = shipped()


def told(schema, where="responseSchema") -> str:
    with pytest.raises(ApiError) as refused:
        json_constraint(VOCABULARY, schema, where)
    assert refused.value.code == 400
    return refused.value.message


REFUSED = [
    ("not", {"type": "string"}), ("if", {}), ("dependentRequired", {"a": ["b"]}), ("dependentSchemas", {"a": {}}),
    ("uniqueItems", True), ("contains", {}),
    ("propertyNames", {"maxLength": 3}), ("patternProperties", {"^a": {}}), ("dependencies", {"a": ["b"]}), ("$dynamicRef", "#a"),
]  # fmt: skip
WRONG = [
    ("type", "text"), ("type", 9), ("type", {}), ("$ref", "http://example.com/s"), ("$ref", "#/$defs/None"), ("$ref", 3),
    ("anyOf", []), ("anyOf", {}), ("enum", "a"), ("required", "a"), ("required", [1]), ("properties", []), ("items", 3),
    ("minItems", "x"), ("minItems", -1), ("minItems", 1.5), ("minItems", 100_000), ("minLength", True), ("minLength", 10**7),
    ("minimum", "x"), ("minimum", True), ("minimum", float("nan")), ("maximum", float("inf")), ("multipleOf", 0), ("pattern", 3),
    ("pattern", "(?=a)b"), ("pattern", "("), ("pattern", "(a)\\1"), ("format", 3),
    ("propertyOrdering", "a"), ("discriminator", "a"),
]  # fmt: skip
_OTHERS = """allOf oneOf const nullable ref defs $defs default maxItems maxLength maxProperties minProperties exclusiveMinimum
exclusiveMaximum prefixItems additionalItems additionalProperties title"""
KEYWORDS = sorted({keyword for keyword, _ in REFUSED + WRONG} | set(_OTHERS.split()))
KIND = {
    "minItems": "array",
    "uniqueItems": "array",
    "minLength": "string",
    "pattern": "string",
    "minimum": "number",
    "maximum": "number",
    "multipleOf": "integer",
}


@pytest.mark.parametrize(("keyword", "value"), REFUSED + WRONG)
def test_keywords_are_named_with_their_place(keyword, value):
    inner = {"type": KIND.get(keyword, "object"), keyword: value}
    message = told({"type": "object", "properties": {"a": {"type": "array", "items": inner}}})
    assert message.startswith(f"responseSchema.properties.a.items.{keyword}"), message


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (3, "has to be an object"),
        (False, "lets nothing through"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "no integer"),
        ({"type": "number", "minimum": 3, "exclusiveMaximum": 3}, "no number"),
        ({"type": "integer", "minimum": 1.2, "maximum": 1.9}, "no integer"),
        ({"type": "number", "minimum": 1e60}, "no number"),
        ({"type": "string", "minLength": 3, "maxLength": 2}, "no text"),
        ({"type": "string", "pattern": "^aaaa$", "maxLength": 2}, "pattern"),
        ({"type": "string", "enum": [1, 2]}, "none of the values"),
        ({"type": "string", "enum": []}, "none of the values"),
        ({"enum": ["a"], "pattern": "b"}, "beside an enum"),
        ({"type": "array", "minItems": 3, "maxItems": 2}, "no array"),
        ({"type": "array", "prefixItems": [{}], "items": False, "minItems": 2}, "no array"),
        ({"type": "object", "properties": {"a": False}, "required": ["a"]}, "lets nothing through"),
        ({"type": "object", "properties": {"a": {}}, "minProperties": 2}, "many properties"),
        ({"type": "object", "additionalProperties": {}, "minProperties": 3}, "minProperties"),
        ({"type": "object", "properties": {"a": {}}, "required": ["a"], "maxProperties": 0}, "many properties"),
        ({"allOf": [{"type": "string"}, {"type": "object"}]}, "at once"),
        ({"oneOf": [{"type": "string"}, {"maxLength": 3, "type": "string"}]}, "Use anyOf"),
        ({"type": "number", "multipleOf": 0.3}, "multiples"),
        ({"type": "integer", "multipleOf": 5000}, "multiples"),
        ({"$ref": "#"}, "defined as itself"),
        ({"$ref": "#/a", "a": {"anyOf": [{"$ref": "#/b"}]}, "b": {"allOf": [{"$ref": "#/a"}]}}, "defined as itself"),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "No finite value"),
        ({"type": "array", "items": {"$ref": "#"}, "minItems": 1}, "No finite value"),
        ({"enum": ["\ud800"]}, "cannot be written"),
        ({"type": "object", "properties": {"\udfff": {}}}, "cannot be written"),
    ],
)  # fmt: skip
def test_what_nothing_fits_is_told(schema, words):
    assert words in told(schema)


@pytest.mark.parametrize("keyword", ["unevaluatedItems", "unevaluatedProperties"])
def test_what_others_evaluate_is_not_known(keyword):
    assert keyword in told({"type": ["array", "object"], "allOf": [{"items": {}}], keyword: False})


@pytest.mark.parametrize("items", [{"type": "string"}, {"enum": [[1], "a"]}, {"enum": ["a"], "pattern": "a"}, True])
def test_only_named_values_can_be_told_apart(items):
    assert "uniqueItems" in told({"type": "array", "items": items, "uniqueItems": True})


_A, _AB = {"a": {"type": "integer"}}, {"a": {"type": "integer"}, "b": {"type": "integer"}}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"properties": _A, "required": ["a"]}, {"properties": _AB, "required": ["a", "b"]}),  # the second fits the first as well
        ({"properties": _A}, {"properties": _AB, "required": ["a", "b"]}),
        ({"properties": _A, "required": ["a"], "additionalProperties": {}}, {"properties": {"b": {}}, "required": ["b"]}),
    ],
)
def test_objects_that_may_fit_both_are_not_one_of_them(one, other):
    assert "Use anyOf" in told({"oneOf": [{"type": "object", **each} for each in (one, other)]})


def test_keywords_that_say_nothing_are_passed_over():
    remarks = {"title": "t", "description": "d", "default": 1, "example": 2, "examples": [], "$schema": "s", "$id": "i", "x-y": 1}
    nothing = {"uniqueItems": False, "not": {}, "nullable": False, "minItems": None, "$comment": "c", "deprecated": True}
    schema = {"type": "boolean", **remarks, **nothing}
    assert accepts(json_constraint(VOCABULARY, schema), VOCABULARY, "true")


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["string", "OBJECT", "#", "^a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYWORDS) | st.text(max_size=3), inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(KEYWORDS), _VALUES, max_size=6))
def test_whatever_comes_is_a_form_or_a_bad_request(schema):
    try:
        json_constraint(VOCABULARY, schema)().allowed()
    except ApiError as error:
        assert error.code == 400
    function = {"name": "f", "description": "d", "parameters": schema}
    functions = Functions.of([{"functionDeclarations": [function]}])
    assert functions.describe()
    try:
        functions.constraint(VOCABULARY)
    except ApiError as error:
        assert error.code == 400


def deep(levels: int) -> dict:
    schema: dict = {"type": "null"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


def chain(count: int) -> dict:
    kinds = {f"d{i}": {"type": "object", "properties": {"x": {"$ref": f"#/$defs/d{i + 1}"}}} for i in range(count)}
    return {"$ref": "#/$defs/d0", "$defs": kinds | {f"d{count}": {"type": "null"}}}


def doubling(count: int) -> dict:
    kinds = {f"d{i}": {"allOf": [{"anyOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2}] * 2} for i in range(count)}
    return {"$ref": "#/$defs/d0", "$defs": kinds | {f"d{count}": {"type": "null"}}}


def object_of(count: int, kind) -> dict:
    return {"type": "object", "properties": {f"p{i}": kind(i) for i in range(count)}}


def string(pattern: str) -> dict:
    return {"type": "string", "pattern": pattern}


EIGHT = {"type": "array", "minItems": 8000}
HOSTILE = {
    "deep": deep(5000),
    "deep references": chain(5000),
    "fewer references": chain(1000),
    "doubling": doubling(60),
    "wide": object_of(15_000, lambda i: {"type": "string"}),
    "wide and free": object_of(15_000, lambda i: {}),
    "counted": object_of(5000, lambda i: {}) | {"minProperties": 100},
    "large enum": {"enum": [f"value {i}" for i in range(45_000)]},
    "large enums in each other": {"allOf": [{"enum": list(range(20_000))}] * 2},
    "large text": {"type": "string", "description": "x" * 1_500_000},
    "large pattern": string("|".join(f"w{i}" for i in range(60_000))),
    "counts in counts": string("((a{1000}){1000}){1000}"),
    "exponential": string("^(a|b)*a(a|b){200}$"),
    "backtracking": string("^(([a-z])+.)+[A-Z]([a-z])+$"),
    "nested stars": string("(" * 200 + "a*" + ")*" * 200),
    "many patterns": object_of(3000, lambda i: string(f"^x{i}.*y.{{100}}z$")),
    "patterns by the thousand": object_of(9000, lambda i: string(f"^x{i}[a-z]+$")),
    "many numbers": object_of(5000, lambda i: {"type": "number", "minimum": i + 0.1234567}),
    "arrays of arrays": EIGHT | {"items": EIGHT | {"items": EIGHT}},
    "anyOf of anyOf": {"anyOf": [{"anyOf": [{"type": "string", "maxLength": i * j} for i in range(1, 90)]} for j in range(1, 90)]},
    "oneOf": {"oneOf": [{"const": i} for i in range(3000)]},
    "a long text with many references": {"enum": ["x" * 400_000], "anyOf": [{"$ref": "#/$defs/A"}] * 5000, "$defs": {"A": {}}},
    "a long pattern many times": string("a|" * 200_000) | {"anyOf": [{"maxLength": i} for i in range(1, 1000)]},
    "a long name": object_of(1, lambda i: {"x" * 900_000: 3}) | {"properties": {"x" * 900_000: {"not": {"type": "null"}}}},
    "large numbers": {"type": "number", "minimum": 10**390, "maximum": -(10**390)},
    "huge number": {"type": "number", "minimum": 1e308},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_schemas_take_bounded_time(name):
    began = time.process_time()
    try:
        constraint = json_constraint(VOCABULARY, HOSTILE[name])()
    except ApiError as error:
        assert error.code == 400 and len(error.message) < 1000
    else:
        constraint.allowed()
    assert time.process_time() - began < 3


def test_too_many_values_to_choose_from():
    with pytest.raises(ApiError):
        enum_constraint(VOCABULARY, [f"value {i}" for i in range(100_000)])


@pytest.mark.parametrize("pattern", ["^(a|b| )*a(.){18}$", "^.*a.{60}b.*$", "(x+x+)+y", "^(.*a){12}$"])
def test_work_within_an_answer_is_bounded(pattern):
    constraint = json_constraint(VOCABULARY, {"type": "string", "pattern": pattern})()
    began, tokens = time.process_time(), VOCABULARY.encode('"' + "a barrel and a lamp a" * 10).tolist()
    try:
        for token in tokens:
            constraint.allowed()
            constraint.take(token)
    except (ConfigError, ValueError):
        pass
    assert time.process_time() - began < 0.02 * len(tokens)


def test_a_form_that_takes_too_much_work_is_told_and_not_ended():
    constraint = ready(VOCABULARY, 'start: "a"', "x")()
    constraint._matcher.consume_token(int(VOCABULARY.encode("b")[0]))  # the library then lets nothing but the end through
    with pytest.raises(ConfigError, match="too much work"):
        constraint.allowed()


def test_messages_are_short_and_do_not_show_the_grammar():
    message = told({"type": "string", "pattern": "(?<!a)b"})
    assert "look-around" in message and "x-guidance" not in message and len(message) < 300
    json.dumps(message)
