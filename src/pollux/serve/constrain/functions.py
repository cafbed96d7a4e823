"""Functions that a model may call: told to it, held to in its answer, and read from that.

    Functions.of(tools, tool_config) ─describe─> text for the model
                                     ─constraint─> an answer is calls, or words   ─parse─> [Call, …], [] for words

An answer that calls has a line for each call and nothing else:

    <call>get_weather {"city":"Kiel"}
    <call>get_time {}

Words never begin with the mark, so that the two are told apart at once, while they come.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from pollux.engine.request import Constraint
from pollux.serve.constrain.declarations import (
    Function,
    Mode,
    choice_of,
    described,
    dict_of,
    google,
    list_of,
    mode_of,
    names_of,
    openai,
)
from pollux.serve.constrain.grammar import Grammar, repeated, text
from pollux.serve.constrain.schema import Reader, json_constraint
from pollux.serve.constrain.vocabulary import ready
from pollux.serve.errors import ApiError
from pollux.tokens.vocabulary import Vocabulary

MARK = "<call>"
# Calls in one answer, and functions in one request.
MOST_CALLS, MOST_FUNCTIONS = 16, 512
# Everything that is stripped from an answer's beginning when it is shown.
_BLANKS = "".join(rf"\x{{{ord(c):x}}}" for c in map(chr, range(0x3001)) if c.isspace())
_WORDS = rf"/(?s:.*)/ & ~/(?s:[{_BLANKS}]*{MARK}.*)/"


@dataclass(frozen=True)
class Call:
    name: str
    args: dict

    @property
    def text(self) -> str:
        """The call as a model writes it; what a conversation's earlier calls are shown to it as."""
        return f"{MARK}{self.name} {json.dumps(self.args, ensure_ascii=False, separators=(',', ':'))}"


@dataclass(frozen=True)
class Functions:
    """What may be called in an answer.

    Attributes:
        declared: All that the request declares. allowed: names of those that may be called.
        mode: AUTO and VALIDATED: words or calls. ANY: calls. NONE: words. A call's arguments always fit their schema.
        most: How many calls an answer may have.
    """

    declared: tuple[Function, ...] = ()
    mode: Mode = "AUTO"
    allowed: tuple[str, ...] = ()
    most: int = MOST_CALLS

    @classmethod
    def of(cls, tools: list | None, tool_config: dict | None = None) -> Functions:
        """From a request's ``tools`` and ``toolConfig``, as Google has them, names in camel case.

        Raises:
            ApiError: 400 for tools of other kinds, wrong or repeated names, and modes that do not fit what is declared.
        """
        declared = []
        for number, tool in enumerate(list_of(tools, "tools")):
            where = f"tools[{number}]"
            others = [kind for kind, value in dict_of(tool, where).items() if value is not None and kind != "functionDeclarations"]
            if others:
                raise ApiError(400, f"{where}.{others[0]} is not available on this server: its tools are functionDeclarations.")
            place = f"{where}.functionDeclarations"
            found = list_of(tool.get("functionDeclarations"), place)
            declared += [google(function, f"{place}[{i}]") for i, function in enumerate(found)]
        place = "toolConfig.functionCallingConfig"
        config = dict_of(dict_of(tool_config or {}, "toolConfig").get("functionCallingConfig") or {}, place)
        mode = mode_of(config.get("mode"), place)
        names = names_of(config.get("allowedFunctionNames"), f"{place}.allowedFunctionNames")
        if names and mode not in ("ANY", "VALIDATED"):
            raise ApiError(400, f"{place}.allowedFunctionNames goes with the modes ANY and VALIDATED, not with {mode}.")
        return cls._checked(declared, mode, names, place)

    @classmethod
    def of_openai(cls, tools: list | None, tool_choice: str | dict | None = None, *, parallel: bool = True) -> Functions:
        """From OpenAI's ``tools`` and ``tool_choice``, and from those of the Interactions API, which has no ``function`` within a
        tool, and calls ``any`` what is ``required`` there. Raises ApiError as `of`.

        Args:
            parallel: OpenAI's ``parallel_tool_calls``: whether an answer may have more than one call.
        """
        declared = [openai(tool, f"tools[{number}]") for number, tool in enumerate(list_of(tools, "tools"))]
        mode, names = choice_of(tool_choice)
        if not declared and tool_choice in ("auto", "none", None):
            return cls()
        return cls._checked(declared, mode, names, "tool_choice", MOST_CALLS if parallel else 1)

    @classmethod
    def _checked(
        cls, declared: list[Function], mode: Mode, names: tuple[str, ...], place: str, most: int = MOST_CALLS
    ) -> Functions:
        if len(declared) > MOST_FUNCTIONS:
            raise ApiError(400, f"tools: {len(declared)} functions are declared, at most {MOST_FUNCTIONS} can be.")
        known: set[str] = set()
        for function in declared:
            if function.name in known:
                raise ApiError(400, f"{function.where}: the function {function.name} is declared twice.")
            known.add(function.name)
        for name in names:
            if name not in known:
                raise ApiError(400, f"{place}: there is no function {name[:60]!r} among the tools.")
        if mode == "ANY" and not declared:
            raise ApiError(400, f"{place}: mode ANY needs functions to call. Declare some in tools.")
        return cls(tuple(declared), mode, names or tuple(function.name for function in declared), most)

    @property
    def callable(self) -> tuple[Function, ...]:
        """Those that an answer may call."""
        return () if self.mode == "NONE" else tuple(function for function in self.declared if function.name in self.allowed)

    def describe(self) -> str:
        """What the model is told; empty where there is nothing to call."""
        if not self.callable:
            return ""
        functions = "\n".join(described(function.name, function.description, function.parameters) for function in self.callable)
        how = "Answer by calling functions" if self.mode == "ANY" else "Answer in words, or call functions"
        return f'Functions:\n{functions}\n{how}. Each call is a line by itself, such as: {MARK}NAME {{"parameter":value}}'

    def constraint(
        self, vocabulary: Vocabulary, schema: dict | bool | None = None, where: str = "schema"
    ) -> Callable[[], Constraint] | None:
        """Hold an answer to calls, or to words where the mode lets it; None where it is free.

        Args:
            schema: Where it is given, words are JSON by it, True for any JSON. where: what the caller calls it.

        Raises:
            ApiError: 400 naming the keyword and its place, for parameters that cannot be held to.
        """
        if not self.callable:
            return None if schema is None else json_constraint(vocabulary, schema, where)
        grammar = Grammar()
        ways = [self._calls(grammar)]
        if self.mode != "ANY" and schema is None:
            ways.append((grammar.terminal(_WORDS),))
        elif self.mode != "ANY":
            ways.append(('" "?', Reader(grammar, schema, where).start()))
        return ready(vocabulary, grammar.lark(grammar.rule(*ways)), "tools")

    def _calls(self, grammar: Grammar) -> tuple[str, ...]:
        """The symbols of an answer that calls. The first space is one with the mark, as the words may begin with one."""
        some = [(text(f"{f.name} "), Reader(grammar, f.parameters or {}, f.where).object()) for f in self.callable]
        call = grammar.rule(*some)
        more = grammar.rule((text(f"\n{MARK}"), call))
        return (grammar.terminal(f"/ ?{MARK}/"), call, *([repeated(more, 0, self.most - 1)] if self.most > 1 else []))

    def calls(self, beginning: str) -> bool | None:
        """Whether an answer that begins so calls; None where that cannot be told yet."""
        if not self.callable:
            return False
        beginning = beginning.lstrip()
        if beginning.startswith(MARK):
            return True
        return None if MARK.startswith(beginning) else False

    def parse(self, answer: str) -> list[Call]:
        """The calls of an answer, in order; none for words. Of an answer that was cut short, those that are whole.

        Integers beyond 64 bits become floating-point numbers, as they do in Google's own messages.
        """
        answer = answer.strip()
        if not self.callable or not answer.startswith(MARK):
            return []
        found = (_call(line.removeprefix(MARK)) for line in answer.split("\n") if line.startswith(MARK))
        return [call for call in found if call is not None and call.name in self.allowed]


def returned(name: str, response: object) -> str:
    """What a function gave back, as a model is shown it."""
    return f"{name} returned {json.dumps(response, ensure_ascii=False, separators=(',', ':'), default=str)}"


def _call(written: str) -> Call | None:
    name, _, rest = written.partition(" ")
    try:
        args = json.loads(rest, parse_int=_integer)
    except ValueError:
        return None
    return Call(name, args) if isinstance(args, dict) else None


def _integer(digits: str) -> int | float:
    number = int(digits)
    return number if -(2**63) <= number < 2**63 else float(digits)
