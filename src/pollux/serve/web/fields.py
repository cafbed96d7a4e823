"""The fields of a request in JSON, with their types: for the surfaces that spell them in one way.

    fields = Fields.read(body)
    fields.number("temperature", 0, 2)      None where it is missing or null; a refusal names the field
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from pollux.serve.errors import ApiError


@dataclass(frozen=True)
class Fields:
    """An object of a request. ``path`` says where it stands, for refusals: "" for the whole, else as ``messages[2]``."""

    data: dict
    path: str = ""

    @classmethod
    def read(cls, body: bytes) -> Fields:
        """Raises ApiError (400) where the body is no JSON object."""
        try:
            data = orjson.loads(body or b"null")
        except orjson.JSONDecodeError as error:
            raise ApiError(400, f"Invalid JSON payload received. {error}.") from error
        if not isinstance(data, dict):
            raise ApiError(400, f"The body has to be a JSON object, got {name(data)}.")
        return cls(data)

    def where(self, field: str) -> str:
        return f"{self.path}.{field}" if self.path else field

    def refuse(self, field: str, message: str) -> ApiError:
        """The refusal of a field, for the caller to raise."""
        return ApiError(400, f"{self.where(field)}: {message}", param=self.where(field))

    def get(self, field: str, *kinds: type, default=None):
        """A field's value, the default where it is missing or null.

        Raises:
            ApiError: 400 where it is of none of these types.
        """
        value = self.data.get(field)
        if value is None:
            return default
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise self.refuse(field, f"expected {' or '.join(_NAMES[kind] for kind in kinds)}, got {name(value)}.")
        return value

    def text(self, field: str) -> str:
        """A text that has to be there."""
        value = self.get(field, str)
        if value is None:
            raise self.refuse(field, "it is required, a string.")
        return value

    def flag(self, field: str) -> bool:
        return self.get(field, bool, default=False)

    def number(self, field: str, low: float, high: float, *, whole: bool = False):
        """A number within bounds, None where it is missing."""
        value = self.get(field, int) if whole else self.get(field, int, float)
        if value is not None and not low <= value <= high:
            raise self.refuse(field, f"it has to be from {low} to {high}, got {value}.")
        return value

    def texts(self, field: str) -> list[str]:
        """A string or a list of them."""
        value = self.get(field, str, list, default=[])
        texts = [value] if isinstance(value, str) else value
        if not all(isinstance(text, str) for text in texts):
            raise self.refuse(field, "expected a string or a list of strings.")
        return texts

    def inner(self, field: str) -> Fields:
        """An object in a field, an empty one where it is missing."""
        return Fields(self.get(field, dict, default={}), self.where(field))

    def each(self, field: str) -> list[Fields]:
        """The objects of a list, none where it is missing."""
        whole = self.get(field, list, default=[])
        for number, one in enumerate(whole):
            if not isinstance(one, dict):
                raise self.refuse(f"{field}[{number}]", f"expected an object, got {name(one)}.")
        return [Fields(one, self.where(f"{field}[{number}]")) for number, one in enumerate(whole)]


_NAMES = {str: "a string", int: "an integer", float: "a number", bool: "a boolean", list: "an array", dict: "an object"}


def name(value: object) -> str:
    """What JSON calls a value."""
    return "null" if value is None else _NAMES.get(type(value), "something else")
