"""Grammars as they are put together."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from walks import accepts

from pollux.serve.constrain.grammar import DEEPEST, Grammar, repeated, text
from pollux.serve.constrain.vocabulary import ready
from pollux.serve.errors import ApiError
from pollux.tokens.vocabulary import SPECIAL, shipped

VOCABULARY = shipped()


def nested(levels: int) -> str:
    """Rules within rules, in Lark's notation."""
    grammar = Grammar()
    symbol = text("1")
    for _ in range(levels):
        symbol = grammar.rule((text("["), symbol, text("]")))
    return grammar.lark(symbol)


def test_rules_that_say_the_same_are_one():
    grammar = Grammar()
    assert grammar.rule((text("a"),), ()) == grammar.rule((text("a"),), ()) != grammar.rule((text("a"),))
    assert grammar.terminal("/a/") == grammar.terminal("/a/") and grammar.leaf({"type": "null"}) == grammar.leaf({"type": "null"})


def test_what_never_ends_is_left_out():
    grammar = Grammar()
    endless = grammar.reserve()
    grammar.define(endless, (text("["), endless, text("]")))
    start = grammar.rule((text("a"),), (endless,), (text("b"), repeated(grammar.rule((endless,)), 0, 3)))
    lark = grammar.lark(start)
    make = ready(VOCABULARY, lark, "test")
    assert accepts(make, VOCABULARY, "a", lead="") and not accepts(make, VOCABULARY, "[", lead="")
    with pytest.raises(ApiError, match="No finite value"):
        grammar.lark(endless)


def test_depth_is_bounded_below_what_the_library_bears():
    with pytest.raises(ApiError, match="too deep"):
        nested(DEEPEST + 1)
    made = []
    thread = threading.Thread(target=lambda: made.append(ready(VOCABULARY, nested(DEEPEST - 1), "test")()))
    thread.start()
    thread.join()
    assert made[0].allowed().any()


def test_a_text_that_spells_a_special_token_is_not_it():
    make = ready(VOCABULARY, 'start: "<|end|>"', "test")
    assert accepts(make, VOCABULARY, "<|end|>", lead="")
    assert not make().allowed()[:SPECIAL].any()


def test_jax_is_not_needed():
    code = "import sys, pollux.serve.constrain.functions; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
