"""The form that an answer has to have, and its parts on the wire: text, JSON, one of some names, or calls of functions.

What an answer is constrained to is the business of `pollux.serve.constrain`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from pollux.engine.request import Answer, Constraint
from pollux.serve.constrain.computer import actions
from pollux.serve.constrain.functions import Functions
from pollux.serve.constrain.schema import enum_constraint, json_constraint
from pollux.serve.errors import ApiError
from pollux.serve.gemini.generation.candidate import finish_reason
from pollux.serve.gemini.generation.settings import Wanted
from pollux.tokens.vocabulary import Vocabulary

_AT = "generationConfig.responseSchema"


@dataclass(frozen=True)
class Form:
    """Attributes: ``constraint``: as `Ask.constraint`. ``functions``: those that are declared, None where there are none."""

    constraint: Callable[[], Constraint] | None = None
    functions: Functions | None = None

    def may_call(self, text: str) -> bool:
        """Whether an answer that begins like this calls a function, or may turn out to."""
        return self.functions is not None and self.functions.calls(text) is not False

    def parts(self, answer: Answer) -> tuple[list[dict], str]:
        """The parts of an answer's content, and its finishReason. Of a call that was cut short nothing is shown."""
        reason = finish_reason(answer)
        if self.functions is None or not self.functions.calls(answer.text):
            return [{"text": answer.text}], reason
        calls = self.functions.parse(answer.text)
        if not calls:
            return [{"text": ""}], reason if reason == "MAX_TOKENS" else "MALFORMED_FUNCTION_CALL"
        # each has a name of its own, by which its result is told from others
        return [{"functionCall": {"id": secrets.token_hex(8), "name": call.name, "args": call.args}} for call in calls], reason


def form(wanted: Wanted, functions: Functions | None, vocabulary: Vocabulary) -> Form:
    """The form of an answer.

    Raises:
        ApiError: 400 where a schema cannot be compiled, with the keyword, and for functions beside one of some names.
    """
    if wanted.mime == "text/x.enum":
        if functions is not None:
            raise ApiError(400, f"Function calling with a response mime type: '{wanted.mime}' is unsupported.")
        return Form(enum_constraint(vocabulary, _names(wanted.schema), f"{_AT}.enum"))
    json = wanted.mime == "application/json"
    schema = (True if wanted.schema is None else wanted.schema) if json else None
    if functions is not None:
        return Form(functions.constraint(vocabulary, schema), functions)
    return Form(json_constraint(vocabulary, schema, _AT)) if json else Form()


def functions_of(tools: list[dict], config: dict) -> Functions | None:
    """The functions that a request declares; None where it declares none.

    Raises:
        ApiError: 400 for tools that this server does not have, and for declarations that cannot be used.
    """
    others = sorted({name for tool in tools for name in tool if name not in ("functionDeclarations", "computerUse")})
    if others:
        told = f"Tool not available: {', '.join(others)}. This server has no tools of its own; declare functions instead."
        raise ApiError(400, told)
    found = Functions.of([_declaring(tool, f"tools[{number}]") for number, tool in enumerate(tools)], config)
    return found if found.declared else None


def _declaring(tool: dict, where: str) -> dict:
    """A tool as declarations of functions: the client's browser is some as well."""
    if "computerUse" not in tool:
        return tool
    browser = actions(tool["computerUse"], f"{where}.computerUse")
    return {"functionDeclarations": [*tool.get("functionDeclarations", []), *browser]}


def _names(schema: dict | bool | None) -> list[str]:
    names = schema.get("enum") if isinstance(schema, dict) else None
    if not isinstance(names, list) or not names:
        told = "text/x.enum needs a schema of type STRING with an enum of names"
        raise ApiError(400, f"* GenerateContentRequest.generation_config.response_schema: {told}.")
    return names
