"""Plain texts, as embeddings and plain completions are given them: a string, tokens, or several of either."""

from __future__ import annotations

from pollux.serve.web.fields import Fields, name
from pollux.tokens.vocabulary import Vocabulary


def prompts(fields: Fields, field: str, vocabulary: Vocabulary, most: int) -> list[str]:
    """The texts of a field.

    Raises:
        ApiError: 400 where there are none, more than ``most``, or something else.
    """
    given = fields.get(field, str, list)
    if not given and not isinstance(given, str):
        raise fields.refuse(field, "it is required: a string, an array of strings, or tokens.")
    whole = given if isinstance(given, list) and not _tokens(given) else [given]
    if len(whole) > most:
        raise fields.refuse(field, f"at most {most} at once, got {len(whole)}.")
    return [_text(fields, f"{field}[{number}]", one, vocabulary) for number, one in enumerate(whole)]


def _tokens(given: object) -> bool:
    return isinstance(given, list) and bool(given) and all(type(each) is int for each in given)


def _text(fields: Fields, field: str, one: object, vocabulary: Vocabulary) -> str:
    if isinstance(one, str):
        return one
    if not _tokens(one):
        raise fields.refuse(field, f"expected a string or an array of tokens, got {name(one)}.")
    if not all(0 <= token < vocabulary.size for token in one):
        raise fields.refuse(field, f"tokens are from 0 to {vocabulary.size - 1}.")
    return vocabulary.decode(one)
