"""Functions declared in both dialects; calls held to their declarations, and read back from answers."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from walks import accepts, allowed, steps, walk

from pollux.serve.constrain.functions import MARK, Call, Functions, returned
from pollux.serve.errors import ApiError
from pollux.tokens.vocabulary import END, shipped

VOCABULARY = shipped()
WEATHER = {
    "name": "get_weather",
    "description": "The weather\nof a place.",
    "parameters": {
        "type": "OBJECT",
        "properties": {
            "city": {"type": "STRING", "description": "Name of the city", "maxLength": "12"},
            "unit": {"type": "STRING", "enum": ["c", "f"]},
            "days": {"type": "INTEGER", "minimum": 1, "maximum": 14},
        },
        "required": ["city"],
    },
}
_POINT = {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}, "required": ["x", "y"]}
PLOT = {
    "name": "plot.line",
    "parametersJsonSchema": {
        "type": "object",
        "properties": {
            "points": {"type": "array", "items": {"$ref": "#/$defs/Point"}, "maxItems": 3},
            "title": {"type": ["string", "null"], "maxLength": 5},
        },
        "required": ["points"],
        "additionalProperties": False,
        "$defs": {"Point": _POINT},
    },
}
NOW = {"name": "now", "description": "What time it is."}
TOOLS = [{"functionDeclarations": [WEATHER, NOW]}, {"functionDeclarations": [PLOT]}]
_DAYS = {"type": "integer", "minimum": 1, "maximum": 14}
SCHEMAS = {
    "get_weather": {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 12}, "unit": {"enum": ["c", "f"]}, "days": _DAYS},
        "required": ["city"],
        "additionalProperties": False,
    },
    "plot.line": PLOT["parametersJsonSchema"],
    "now": {"type": "object", "maxProperties": 0},
}
KIEL = f'{MARK}get_weather {{"city":"Kiel"}}'


def of(mode=None, names=None, tools=TOOLS) -> Functions:
    config = {key: value for key, value in (("mode", mode), ("allowedFunctionNames", names)) if value is not None}
    return Functions.of(tools, {"functionCallingConfig": config})


@settings(max_examples=40)
@given(st.randoms(use_true_random=False), st.sampled_from(["ANY", "AUTO", "VALIDATED"]))
def test_what_is_let_through_parses_and_fits(rng, mode):
    functions = of(mode)
    make = functions.constraint(VOCABULARY)
    for text, may_end in steps(make, VOCABULARY, rng, most=120):
        calls = functions.parse(text)
        if mode == "ANY":
            assert may_end == (bool(calls) and "\n".join(call.text for call in calls) == text), text
        if functions.calls(text):
            for call in calls:
                Draft202012Validator(SCHEMAS[call.name]).validate(call.args)
        elif functions.calls(text) is False:
            assert not calls and mode != "ANY"


def test_answers_by_chance_call():
    functions = of("ANY")
    make = functions.constraint(VOCABULARY)
    answers = [walk(make, VOCABULARY, Random(seed), most=200) for seed in range(40)]
    calls = [functions.parse(answer) for answer in answers if answer]
    assert {call.name for some in calls for call in some} == {"get_weather", "plot.line", "now"}
    assert max(map(len, calls)) > 1 and min(map(len, calls)) == 1


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(st.builds(Call, st.sampled_from(["get_weather", "now", "plot.line"]), st.dictionaries(st.text(), _VALUES, max_size=3)))
)
def test_calls_are_read_as_they_were_written(calls):
    assert of().parse("\n".join(call.text for call in calls)) == calls


@pytest.mark.parametrize(
    ("mode", "call", "words", "other"),
    [(None, 1, 1, 1), ("AUTO", 1, 1, 1), ("VALIDATED", 1, 1, 1), ("ANY", 1, 0, 0), (2, 1, 0, 0)],
)
def test_modes(mode, call, words, other):
    make = of(mode).constraint(VOCABULARY)
    for lead in ("", " "):
        assert accepts(make, VOCABULARY, KIEL, lead) == call
        assert accepts(make, VOCABULARY, f"{KIEL}\n{MARK}now {{}}", lead) == call
        assert accepts(make, VOCABULARY, "It rains.\n\nA <call> is no call here: {}", lead) == words
        assert accepts(make, VOCABULARY, "<ca", lead) == other
    for text in (
        f'{MARK}get_weather {{"city":3}}',
        f"{MARK}no {{}}",
        f"{MARK}now",
        f"{KIEL}\n",
        f"{KIEL} and",
        f"\n{KIEL}",
        f"  {KIEL}",
    ):
        assert not accepts(make, VOCABULARY, text, lead="")


def test_mode_none_and_no_functions_leave_an_answer_free():
    for functions in (of("NONE"), of(tools=[]), of(tools=None), of(tools=[{}]), Functions()):
        assert functions.constraint(VOCABULARY) is None
        assert functions.describe() == "" and functions.parse(KIEL) == [] and functions.calls(KIEL) is False
        make = functions.constraint(VOCABULARY, {"type": "boolean"})
        assert accepts(make, VOCABULARY, "true") and not accepts(make, VOCABULARY, KIEL)


def test_words_may_be_held_to_a_schema():
    make = of("AUTO").constraint(VOCABULARY, {"type": "boolean"})
    for lead in ("", " "):
        assert accepts(make, VOCABULARY, KIEL, lead) and accepts(make, VOCABULARY, "true", lead)
        assert not accepts(make, VOCABULARY, "It rains.", lead)


def test_allowed_names():
    functions = of("ANY", ["now"])
    make = functions.constraint(VOCABULARY)
    assert accepts(make, VOCABULARY, f"{MARK}now {{}}") and not accepts(make, VOCABULARY, KIEL)
    assert functions.parse(KIEL) == [] and "get_weather" not in functions.describe()


def test_a_function_without_parameters_takes_none():
    for parameters in ({}, {"parameters": {"type": "OBJECT"}}, {"parameters": {"type": "OBJECT", "properties": {}}}):
        make = of("ANY", tools=[{"functionDeclarations": [{"name": "f", **parameters}]}]).constraint(VOCABULARY)
        assert accepts(make, VOCABULARY, f"{MARK}f {{}}") and not accepts(make, VOCABULARY, f'{MARK}f {{"a":1}}')


def test_arguments_are_an_object_whatever_the_schema_says():
    schema = {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"a": {"type": "null"}}}], "nullable": True}
    make = of("ANY", tools=[{"functionDeclarations": [{"name": "f", "parameters": schema}]}]).constraint(VOCABULARY)
    assert accepts(make, VOCABULARY, f'{MARK}f {{"a":null}}') and not accepts(make, VOCABULARY, f'{MARK}f "a"')


def test_what_a_model_is_told():
    assert of("AUTO").describe() == (
        "Functions:\n"
        "get_weather: The weather of a place.\n"
        "  city (string): Name of the city\n"
        '  unit ("c" or "f", may be left out)\n'
        "  days (integer, may be left out)\n"
        "now: What time it is.\n"
        "plot.line\n"
        "  points (list of {x: integer, y: integer})\n"
        "  title (string or null, may be left out)\n"
        'Answer in words, or call functions. Each call is a line by itself, such as: <call>NAME {"parameter":value}'
    )
    assert "in words" not in of("ANY").describe()


WRONG = [
    {"properties": 3},
    {"properties": {"a": 3}, "required": 3},
    {"properties": {"a": {"$ref": 3}}},
    {"properties": {"a": {"anyOf": 3, "type": {}, "enum": 3}}},
    {"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}},
    {"properties": {"a": {"enum": []}, "b": {"type": ["string", 3]}, "c": {"type": "array", "items": 3}}},
]


@pytest.mark.parametrize("parameters", WRONG)
def test_telling_of_wrong_schemas_raises_nothing(parameters):
    assert of(tools=[{"functionDeclarations": [{"name": "f", "parameters": parameters}]}]).describe()


def test_telling_of_large_schemas_is_bounded():
    wide = {"type": "object", "properties": {f"p{i}": {"$ref": "#/$defs/a"} for i in range(1000)}}
    schema = wide | {"$defs": {"a": wide}}
    assert len(of(tools=[{"functionDeclarations": [{"name": "f", "parameters": schema}]}]).describe()) < 1_000_000


def test_begun_answers_are_told_apart_as_soon_as_can_be():
    functions = of("AUTO")
    assert [functions.calls(text) for text in ("", " ", " <", "<call", "<call>", " <call>no", "<b", "A", "x<call>")] == [
        None, None, None, None, True, True, False, False, False,
    ]  # fmt: skip


def test_of_a_cut_answer_the_whole_calls_remain():
    assert of().parse(f'{KIEL}\n{MARK}now {{}}\n{MARK}get_weather {{"ci') == [
        Call("get_weather", {"city": "Kiel"}),
        Call("now", {}),
    ]
    assert of().parse(f"{MARK}get_we") == [] and of().parse("Kiel") == []


def test_integers_that_messages_cannot_hold_become_floats():
    (call,) = of().parse(f'{MARK}now {{"a":{10**30},"b":{2**63 - 1}}}')
    assert call.args == {"a": 1e30, "b": 2**63 - 1} and isinstance(call.args["a"], float)


def test_names_of_any_allowed_character():
    name = "a.B-c:d_9" + "x" * 119
    functions = of("ANY", tools=[{"functionDeclarations": [{"name": name}]}])
    assert accepts(functions.constraint(VOCABULARY), VOCABULARY, f"{MARK}{name} {{}}")
    assert functions.parse(f"{MARK}{name} {{}}") == [Call(name, {})]


def test_what_is_shown_of_earlier_calls():
    assert Call("now", {"é": [1, None]}).text == '<call>now {"é":[1,null]}'
    assert returned("now", {"result": "späť"}) == 'now returned {"result":"späť"}'


@pytest.mark.parametrize(
    ("tools", "config", "words"),
    [
        ([{"functionDeclarations": [NOW, NOW]}], {}, "declared twice"),
        ([{"functionDeclarations": [{"name": "a b"}]}], {}, "tools[0].functionDeclarations[0].name"),
        ([{"functionDeclarations": [{"name": ""}]}], {}, "name"),
        ([{"functionDeclarations": [{}]}], {}, "name"),
        ([{"functionDeclarations": [{"name": "x" * 129}]}], {}, "name"),
        ([{"functionDeclarations": [{"name": "9"}]}], {}, "name"),
        ([{"functionDeclarations": {}}], {}, "has to be a list"),
        ([{"functionDeclarations": [3]}], {}, "has to be an object"),
        ({"a": 1}, {}, "has to be a list"),
        ("x", {}, "has to be a list"),
        ([{"functionDeclarations": [{"name": "f", "description": 3}]}], {}, "description"),
        ([{"functionDeclarations": [{"name": "f", "parameters": "x"}]}], {}, "parameters"),
        ([{"functionDeclarations": [{"name": "f", "parameters": {}, "parametersJsonSchema": {}}]}], {}, "both"),
        ([{"functionDeclarations": [{"name": "f", "behavior": "NON_BLOCKING"}]}], {}, "behavior"),
        ([{"googleSearch": {}}], {}, "tools[0].googleSearch is not available"),
        ([{"functionDeclarations": [{"name": f"f{i}"} for i in range(600)]}], {}, "at most"),
        (TOOLS, {"functionCallingConfig": {"mode": "SOME"}}, "there is no mode"),
        (TOOLS, {"functionCallingConfig": {"mode": 9}}, "there is no mode"),
        (TOOLS, {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["no"]}}, "there is no function 'no'"),
        (TOOLS, {"functionCallingConfig": {"mode": "AUTO", "allowedFunctionNames": ["now"]}}, "goes with"),
        (TOOLS, {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [3]}}, "names"),
        (TOOLS, {"functionCallingConfig": 3}, "has to be an object"),
        (TOOLS, 3, "has to be an object"),
        ([], {"functionCallingConfig": {"mode": "ANY"}}, "needs functions"),
    ],
)
def test_wrong_declarations_are_told(tools, config, words):
    with pytest.raises(ApiError) as told:
        Functions.of(tools, config)
    assert told.value.code == 400 and words in told.value.message


def test_parameters_that_cannot_be_held_to_are_told_with_their_place():
    wrong = {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}}}
    with pytest.raises(ApiError) as told:
        of(tools=[{"functionDeclarations": [wrong]}]).constraint(VOCABULARY)
    assert told.value.message.startswith("tools[0].functionDeclarations[0].parameters.properties.a.uniqueItems")


_NONE = {"type": "object", "properties": {}, "additionalProperties": False}
_NAMED = {"type": "function", "function": {"name": "now"}}
OPENAI = [
    {"type": "function", "function": {"name": "now", "parameters": _NONE}},
    {"type": "function", "name": "get_weather", "description": "d", "parameters": SCHEMAS["get_weather"], "strict": True},
]


@pytest.mark.parametrize(
    ("choice", "mode", "names"),
    [
        (None, "AUTO", ["now", "get_weather"]),
        ("auto", "AUTO", ["now", "get_weather"]),
        ("required", "ANY", ["now", "get_weather"]),
        ("any", "ANY", ["now", "get_weather"]),
        ("validated", "VALIDATED", ["now", "get_weather"]),
        ("none", "NONE", []),
        (_NAMED, "ANY", ["now"]),
        ({"type": "function", "name": "now"}, "ANY", ["now"]),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [_NAMED]}}, "ANY", ["now"]),
        ({"allowed_tools": {"mode": "auto", "tools": ["get_weather"]}}, "AUTO", ["get_weather"]),
    ],
)
def test_openai_tools(choice, mode, names):
    functions = Functions.of_openai(OPENAI, choice)
    assert functions.mode == mode and [function.name for function in functions.callable] == names


def test_openai_parallel_calls():
    both = f"{KIEL}\n{MARK}now {{}}"
    assert accepts(Functions.of_openai(OPENAI).constraint(VOCABULARY), VOCABULARY, both)
    single = Functions.of_openai(OPENAI, parallel=False).constraint(VOCABULARY)
    assert accepts(single, VOCABULARY, KIEL) and not accepts(single, VOCABULARY, both)
    constraint = single()
    for token in VOCABULARY.encode(KIEL).tolist():
        constraint.take(token)
    assert allowed(constraint, VOCABULARY).tolist() == [END]


@pytest.mark.parametrize(
    ("tools", "choice"),
    [
        (OPENAI, "maybe"),
        (OPENAI, {"type": "function", "function": {"name": "no"}}),
        (OPENAI, {"type": "function"}),
        (OPENAI, 3),
        (OPENAI, {"allowed_tools": {"tools": 3}}),
        ([{"type": "web_search"}], None),
        ([{"type": "function", "function": 3}], None),
        ([], "required"),
        ([], {"type": "function", "function": {"name": "no"}}),
        (3, None),
    ],
)
def test_wrong_openai_tools_are_told(tools, choice):
    with pytest.raises(ApiError) as told:
        Functions.of_openai(tools, choice)
    assert told.value.code == 400


def test_arguments_are_plain_json():
    for call in of("ANY").parse(f'{MARK}plot.line {{"points":[{{"x":1,"y":-2}}],"title":null}}'):
        assert json.loads(json.dumps(call.args)) == {"points": [{"x": 1, "y": -2}], "title": None}
