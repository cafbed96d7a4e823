"""Answers held to a schema: what is let through fits it, what fits it is let through, and no answer may end before it does."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from walks import accepts, steps, walk

from pollux.serve.constrain.schema import enum_constraint, json_constraint
from pollux.serve.errors import ApiError
from pollux.tokens.vocabulary import shipped

VOCABULARY = shipped()


def held(schema):
    return json_constraint(VOCABULARY, schema)


def compact(value) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def valid(schema, text: str) -> bool:
    """Whether a text is the compact JSON of a value that fits."""
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).is_valid(value)


# A schema and a value that fits it, each keyword of the contract among them.
_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\x7f"), max_size=12)
_NAME = st.sampled_from(["a", "b", "name", "first name", "größe", "日本", 'q"uote', "a.b", "$ref", "type"])


def _string(value: str):
    keywords = st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={"minLength": st.integers(0, len(value)), "maxLength": st.integers(len(value), 40), "title": st.just("t")},
    )
    return st.tuples(keywords, st.just(value))


def _integer(value: int):
    keywords = st.fixed_dictionaries(
        {"type": st.just("integer")},
        optional={"minimum": st.integers(max_value=value), "exclusiveMaximum": st.integers(min_value=value + 1)},
    )
    return st.tuples(keywords, st.just(value))


def _number(value: Decimal):
    near = st.decimals("0.001", "1000", places=3)
    bounds = st.fixed_dictionaries({}, optional={"minimum": near, "exclusiveMinimum": near, "maximum": near})
    sign = {"minimum": -1, "exclusiveMinimum": -1, "maximum": 1}
    made = bounds.map(lambda found: {"type": "number", **{key: float(value + sign[key] * by) for key, by in found.items()}})
    return st.tuples(made, st.just(float(value)))


def _enum(value):
    others = st.lists(_TEXT | st.integers(-9, 99) | st.none(), max_size=4)
    return others.map(lambda found: ({"enum": [*found, value]}, value))


def _array(pairs):
    def made(found):
        (schema, value), count = found
        least = {"minItems": str(count)} if count else {}  # int64 comes as text
        return {"type": "array", "items": schema, "maxItems": count + 1, **least}, [value] * count

    return st.tuples(pairs, st.integers(0, 3)).map(made)


def _tuple(pairs):
    def made(found):
        return {"type": "array", "prefixItems": [schema for schema, _ in found], "items": False}, [value for _, value in found]

    return st.lists(pairs, min_size=1, max_size=3).map(made)


def _object(pairs):
    def made(found):
        members, there, additional = found
        names = list(members)
        value = {name: members[name][1] for name, is_there in zip(names, there, strict=False) if is_there}
        schema = {"type": "object", "properties": {name: schema for name, (schema, _) in members.items()}}
        required = [name for name in value if hash(name) % 2]
        return schema | ({"required": required} if required else {}) | additional, value

    additional = [{}, {"additionalProperties": False}, {"additionalProperties": {"type": "integer"}}, {"maxProperties": 6}]
    there = st.lists(st.booleans(), min_size=5, max_size=5)
    return st.tuples(st.dictionaries(_NAME, pairs, max_size=5), there, st.sampled_from(additional)).map(made)


def _any_of(pairs):
    def made(found):
        (schema, value), (other, _) = found
        return {"anyOf": [other, schema]}, value

    return st.tuples(pairs, pairs).map(made)


PLAIN = (
    _TEXT.flatmap(_string)
    | st.integers(-(10**17), 10**17).flatmap(_integer)
    | st.decimals("-99999", "99999", places=2).flatmap(_number)
    | st.sampled_from([({"type": "boolean"}, True), ({"type": "null"}, None), ({"type": ["string", "null"]}, None)])
    | (_TEXT | st.integers(-9, 9) | st.booleans()).flatmap(_enum)
)
PAIRS = st.recursive(PLAIN, lambda pairs: _array(pairs) | _tuple(pairs) | _object(pairs) | _any_of(pairs), max_leaves=6)


def standard(schema):
    """A schema of ours as JSON Schema writes it: counts are numbers."""
    if isinstance(schema, dict):
        return {key: int(value) if key == "minItems" else standard(value) for key, value in schema.items()}
    return [standard(each) for each in schema] if isinstance(schema, list) else schema


@settings(max_examples=70)
@given(PAIRS)
def test_a_value_that_fits_is_let_through(pair):
    schema, value = pair
    assert valid(standard(schema), compact(value)), "the test is wrong"
    assert accepts(held(schema), VOCABULARY, compact(value), lead="")


@settings(max_examples=70)
@given(PAIRS, st.randoms(use_true_random=False))
def test_what_is_let_through_fits_and_ends_only_where_it_does(pair, rng):
    schema = pair[0]
    for text, may_end in steps(held(schema), VOCABULARY, rng, most=150):
        assert may_end == valid(standard(schema), text) or re.fullmatch(r"-0(\.0+)?([eE].*)?", text), text


_CAT = {"type": "OBJECT", "properties": {"kind": {"type": "STRING", "enum": ["cat"]}}}
_NODE = {
    "type": "object",
    "properties": {"value": {"type": "integer"}, "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}, "maxItems": 2}},
    "required": ["value", "children"],
    "additionalProperties": False,
}
_A_IS_TRUE_OR_FALSE = {"type": "object", "properties": {"a": {"type": "boolean"}}}
DRAWN = {
    "person": {
        "type": "OBJECT",
        "properties": {
            "name": {"type": "STRING", "maxLength": "10", "description": "who"},
            "age": {"type": "INTEGER", "minimum": 0, "maximum": 130},
            "mood": {"type": "STRING", "enum": ["good", "bad"], "format": "enum"},
            "height": {"type": "NUMBER", "nullable": True, "format": "double"},
            "tags": {"type": "ARRAY", "items": {"type": "STRING", "maxLength": "5"}, "minItems": "1", "maxItems": "3"},
            "pet": {"anyOf": [{"type": "BOOLEAN"}, _CAT]},
        },
        "required": ["name", "age", "pet"],
        "propertyOrdering": ["age", "name"],
    },
    "tree": {"$defs": {"Node": _NODE}, "$ref": "#/$defs/Node"},
    "list": {
        "type": "object",
        "properties": {"head": {"type": "boolean"}, "rest": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
        "required": ["head", "rest"],
    },
    "all": {
        "allOf": [
            {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"a": {"minimum": 5}, "b": {"const": 1}}},
        ]
    },
    "one": {"oneOf": [{"type": "integer"}, {"type": "boolean"}]},
    "either": {
        "oneOf": [
            {"type": "object", "properties": {"size": {"type": "integer"}, "name": {"type": "boolean"}}, "required": ["size"]},
            {"type": "object", "properties": {"tier": {"enum": [1, 2]}, "name": {"type": "boolean"}}, "required": ["tier"]},
        ]
    },
    "closed": {
        "oneOf": [
            {"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"], "additionalProperties": False},
            {"type": "object", "properties": {"a": {"const": 1}, "b": {"const": 2}}, "required": ["a", "b"]},
        ]
    },
    "set": {"type": "array", "items": {"$ref": "#/$defs/C"}, "uniqueItems": True, "$defs": {"C": {"enum": ["a", 1, True, 1.0]}}},
    "set of some": {"type": "array", "items": {"enum": list("abcde")}, "uniqueItems": True, "minItems": 2, "maxItems": 3},
    "one at most": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True, "maxItems": 1},
    "pair": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "boolean"}], "unevaluatedItems": False},
    "no more": {"type": "object", "properties": {"a": {"type": "boolean"}}, "unevaluatedProperties": False},
    "tagged": {
        "oneOf": [{"$ref": "#/definitions/A"}, {"$ref": "#/definitions/B"}],
        "discriminator": {"propertyName": "kind"},
        "definitions": {
            "A": {"type": "object", "properties": {"kind": {"const": "a", "default": "a"}, "x": {"type": "integer"}}},
            "B": {"type": "object", "properties": {"kind": {"const": "b", "default": "b"}, "y": {"type": "boolean"}}},
        },
    },
    "map": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1, "maxProperties": 3},
    "some of": {"type": "object", "properties": {c: {"type": "boolean"} for c in "abcd"}, "minProperties": 2, "maxProperties": 3},
    "literals": {"enum": [1, "1", 1.5, None, True, [1, {"a": "é"}], {}, {"a": []}, {"a": [2]}]},
    "shared begin": {"anyOf": [{"enum": [{"a": 1}, [1]]}, _A_IS_TRUE_OR_FALSE, {"type": "array", "items": {"const": 2}}]},
    "pattern": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"},
    "two patterns": {"allOf": [{"type": "string", "pattern": "^[ab]*$"}, {"pattern": "ab"}], "maxLength": 6},
    "date": {"type": "string", "format": "date-time"},
    "day": {"type": "string", "format": "date"},
    "uuid": {"type": "string", "format": "uuid"},
    "address": {"type": "string", "format": "ipv4"},
    "other format": {"type": "string", "format": "password", "maxLength": 4},
    "int32": {"type": "integer", "format": "int32"},
    "sevens": {"type": "integer", "multipleOf": 7, "minimum": -100, "maximum": 1000},
    "quarters": {"type": "number", "multipleOf": 0.25, "minimum": -3},
    "open": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    "above zero": {"type": "number", "exclusiveMinimum": 0},
    "large": {"type": "integer", "minimum": 10**25, "maximum": 10**26},
    "old exclusive": {"type": "number", "minimum": 1.5, "exclusiveMinimum": True, "maximum": 2},
}


def plain(schema):
    """A schema in Gemini's dialect as JSON Schema."""
    if isinstance(schema, list):
        return [plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("nullable") is True:
        return {"anyOf": [plain({key: value for key, value in schema.items() if key != "nullable"}), {"type": "null"}]}
    made = {key: plain(value) for key, value in schema.items()}
    if made.get("exclusiveMinimum") is True:
        made["exclusiveMinimum"] = made.pop("minimum")
    for key, value in made.items():
        if key == "type" and isinstance(value, str):
            made[key] = value.lower()
        elif key in ("minItems", "maxItems", "maxLength"):
            made[key] = int(value)
    return made


@pytest.mark.parametrize("name", DRAWN)
def test_answers_by_chance_fit(name):
    schema, ended = DRAWN[name], 0
    make = held(schema)
    for seed in range(15):
        text = walk(make, VOCABULARY, Random(seed))
        if text is not None:
            ended += 1
            assert valid(plain(schema), text), text
            assert text == compact(json.loads(text)) or any(c in text for c in "eE.u"), text
    assert ended > 3, "answers hardly ever end"


_FULL = '{"age":0,"name":"Ö","mood":"bad","height":null,"tags":["x"],"pet":{"kind":"cat"}}'
_BARE = '{"age":5,"name":"Ada","pet":true}'
_LITERALS = ["1", '"1"', "1.5", "null", "true", '[1,{"a":"é"}]', "{}", '{"a":[]}', '{"a":[2]}']


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        (
            "person",
            [_BARE, _FULL],
            [_BARE.replace("5", "131"), '{"name":"A","age":5,"pet":true}', '{"age":5,"name":"A"}', "{}", "[]"],
        ),
        ("tree", ['{"value":1,"children":[{"value":2,"children":[]}]}'], ['{"value":1}', '{"children":[],"value":1}']),
        ("list", ['{"head":true,"rest":{"head":false,"rest":null}}'], ['{"head":true}']),
        ("all", ['{"a":5}', '{"a":12,"b":1}'], ['{"a":4}', '{"b":1}', '{"a":5,"c":1}']),
        ("tagged", ['{"kind":"a","x":3}', '{"kind":"b","y":true}'], ['{"kind":"a","y":true}', "{}"]),
        ("map", ['{"x":1}', '{"a b":1,"c":2,"ü":3}'], ["{}", '{"a":1,"b":2,"c":3,"d":4}', '{"a":true}']),
        ("some of", ['{"a":true,"d":false}', '{"b":true,"c":false,"d":true}'], ['{"a":true}', "{}", '{"b":true,"a":true}']),
        ("literals", _LITERALS, ["2", "[1]", "false", '{"a":[1]}']),
        ("shared begin", ['{"a":1}', "[1]", '{"a":true}', "{}", "[]", "[2,2]"], ['{"a":2}', "[1,2]"]),
        ("large", [str(10**25), str(10**25 + 7), str(10**26)], [str(10**25 - 1), str(10**26 + 1), "0"]),
        ("int32", [str(2**31 - 1), str(-(2**31)), "0"], [str(2**31), "-0", "00", "1.0"]),
        ("above zero", ["0.1", "1e-9", "7"], ["0", "0.0", "-1", "0e5"]),
        ("old exclusive", ["1.51", "2", "2.0"], ["1.5", "1.50", "2.01"]),
    ],
)
def test_given_answers(name, right, wrong):
    make = held(DRAWN[name])
    assert [text for text in right if not accepts(make, VOCABULARY, text)] == []
    assert [text for text in right if not accepts(make, VOCABULARY, text, lead="")] == []
    assert [text for text in wrong if accepts(make, VOCABULARY, text)] == []


_ANY = [None, True, 0, -12.5, 6.02e23, 10**17, "", 'Köln 日本 😀 "\\ \n\t', [], {}, [1, [2, [3]]], {"a": {"b": [None]}}]


@pytest.mark.parametrize("value", _ANY)
def test_any_json_without_a_schema(value):
    assert accepts(held(None), VOCABULARY, compact(value))
    assert accepts(held({"type": "object", "properties": {"any": {}}}), VOCABULARY, compact({"any": value}))


def test_white_space_is_none_but_one_space_before():
    make = held({"type": "object", "properties": {"a": {"type": "integer"}}})
    assert accepts(make, VOCABULARY, '{"a":1}')
    for text in ['  {"a":1}', '\n{"a":1}', '{ "a":1}', '{"a": 1}', '{"a":1} ', '{"a":1}\n']:
        assert not accepts(make, VOCABULARY, text, lead="")


def test_what_has_no_bound_gets_one():
    assert accepts(held({"type": "string"}), VOCABULARY, compact("x" * 4096))
    assert not accepts(held({"type": "string"}), VOCABULARY, compact("x" * 4097))
    assert not accepts(held({"type": "integer"}), VOCABULARY, "1" * 19)
    assert not accepts(held({"type": "number"}), VOCABULARY, "0." + "1" * 18)
    assert not accepts(held({"type": "array", "items": {"type": "null"}}), VOCABULARY, compact([None] * 513))
    assert accepts(held({"type": "array", "items": {"type": "null"}, "maxItems": 600}), VOCABULARY, compact([None] * 600))
    assert not accepts(held(None), VOCABULARY, "[" * 10 + "]" * 10)


def test_options_and_properties_that_nothing_fits_are_left_out():
    nothing = {"type": "integer", "minimum": 2, "maximum": 1}
    make = held({"type": "object", "properties": {"a": nothing, "b": False, "c": {"type": "null"}}})
    assert accepts(make, VOCABULARY, '{"c":null}') and not accepts(make, VOCABULARY, '{"a":1}')
    assert accepts(held({"type": "string", "anyOf": [{"type": "integer"}, {"minLength": 2}]}), VOCABULARY, '"ab"')


def test_items_that_never_end_are_left_out():
    endless = {"type": "object", "properties": {"again": {"$ref": "#/$defs/Endless"}}, "required": ["again"]}
    some = {"type": "array", "items": {"$ref": "#/$defs/Endless"}}
    schema = {"type": "object", "properties": {"a": some, "b": {"$ref": "#/$defs/Endless"}}}
    make = held(schema | {"$defs": {"Endless": endless}})
    assert accepts(make, VOCABULARY, '{"a":[]}') and accepts(make, VOCABULARY, "{}")
    assert not any(accepts(make, VOCABULARY, text) for text in ('{"a":[{}]}', '{"b":{}}'))


def test_googles_way_to_write_definitions():
    make = held({"type": "ARRAY", "items": {"ref": "#/$defs/Bit"}, "defs": {"Bit": {"type": "INTEGER", "enum": ["0", "1"]}}})
    assert accepts(make, VOCABULARY, "[0,1]") and not accepts(make, VOCABULARY, '["0"]') and not accepts(make, VOCABULARY, "[2]")


def test_enum_is_bare_text():
    make = enum_constraint(VOCABULARY, ["red", "red wine", "日本", 'a "b"'])
    for value in ["red", "red wine", "日本", 'a "b"']:
        assert accepts(make, VOCABULARY, value) and accepts(make, VOCABULARY, value, lead="")
    for value in ["re", '"red"', "red w", "blue", ""]:
        assert not accepts(make, VOCABULARY, value)
    assert {walk(make, VOCABULARY, Random(seed)) for seed in range(40)} == {"red", "red wine", "日本", 'a "b"'}


@pytest.mark.parametrize("values", [[], [""], [" a"], ["a", "\n"], [1], ["a", None]])
def test_enums_that_cannot_be_told(values):
    with pytest.raises(ApiError) as told:
        enum_constraint(VOCABULARY, values)
    assert told.value.code == 400


def test_candidates_do_not_disturb_one_another():
    make = held({"type": "boolean"})
    one, other = make(), make()
    one.take(int(VOCABULARY.encode("true")[0]))
    assert (one.allowed() != other.allowed()).any()
    assert (other.allowed() == make().allowed()).all()


def test_a_token_that_was_not_allowed_is_told():
    with pytest.raises(ValueError, match="not allowed"):
        held({"type": "boolean"})().take(int(VOCABULARY.encode("x")[0]))


def test_another_vocabulary(vocabulary):
    make = json_constraint(vocabulary, {"type": "object", "properties": {"größe": {"type": "integer"}}})
    assert accepts(make, vocabulary, '{"größe":12}')
