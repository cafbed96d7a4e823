"""Our vocabulary as the grammar library knows it, and grammars made ready to follow an answer.

    Lark text ─ready─> Callable[[], Constraint]

The library is llguidance: it keeps a parser and a lexer of derivatives, so that no pattern makes it go back, and gives with each
token the set of those that may come next. Every amount of work that it does is limited (`_LIMITS`): a grammar that would take more
is refused, or ends the answer with an error.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from llguidance import LLMatcher, LLParserLimits, LLTokenizer, TokenizerWrapper

from pollux.base.errors import ConfigError
from pollux.engine.request import Constraint
from pollux.serve.errors import ApiError
from pollux.tokens.vocabulary import END, NAMES, SPECIAL, Vocabulary

# Fuel is the library's own count of work: of the first about 50,000 are a millisecond, of a step's 14,000. States take some
# hundred bytes each, and a pattern of bounded length about 20 with every token.
_LIMITS = LLParserLimits(
    initial_lexer_fuel=2_000_000,
    step_lexer_fuel=200_000,
    step_max_items=50_000,
    max_lexer_states=200_000,
    max_grammar_size=400_000,
    verbose_errors=False,
)


@lru_cache(maxsize=8)
def tokenizer(vocabulary: Vocabulary) -> LLTokenizer:
    """The library's form of a vocabulary; made once for each, in tens of milliseconds."""
    return LLTokenizer(TokenizerWrapper(_Table(vocabulary)), n_vocab=vocabulary.size, eos_token=END)


class _Table:
    """What the library asks of a tokenizer."""

    eos_token_id, bos_token_id = END, None
    special_token_ids = range(SPECIAL)

    def __init__(self, vocabulary: Vocabulary) -> None:
        names = [f"<|{NAMES[i] if i < len(NAMES) else i}|>".encode() for i in range(SPECIAL)]
        self.tokens = names + [vocabulary.decode_bytes([i]) for i in range(SPECIAL, vocabulary.size)]
        self._vocabulary = vocabulary

    def __call__(self, text: bytes) -> list[int]:
        return self._vocabulary.encode(text.decode("utf-8", "surrogateescape")).tolist()


class Follower:
    """An answer that has to be in a grammar; a `Constraint`."""

    def __init__(self, matcher: LLMatcher, size: int) -> None:
        self._matcher, self._size = matcher, size

    def allowed(self) -> np.ndarray:
        """As `Constraint.allowed`. Raises ConfigError where to tell would take more work than is allowed for."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        if self._matcher.is_error():
            raise ConfigError("the answer's form takes too much work to hold to", "use simpler patterns and smaller bounds")
        return np.unpackbits(bits, count=self._size, bitorder="little").view(bool)

    def take(self, token: int) -> None:
        """As `Constraint.take`. Raises ValueError for a token that was not allowed."""
        if not self._matcher.consume_token(int(token)):
            raise ValueError(f"token {token} was not allowed here")


def ready(vocabulary: Vocabulary, grammar: str, where: str) -> Callable[[], Constraint]:
    """Compile a grammar, in Lark's notation, once for any number of answers to one request.

    Args:
        where: What the caller calls the grammar's origin, such as ``responseSchema``.

    Raises:
        ApiError: 400 where it is too large to compile.
    """
    whole = LLMatcher(tokenizer(vocabulary), grammar, log_level=0, limits=_LIMITS)
    whole.compute_bitmask()  # what it finds out on the way, the copies know
    if whole.is_error():
        raise ApiError(400, f"{where} cannot be compiled: {_first_line(whole.get_error())}. Make it smaller or simpler.")
    # copies share the states found on the way: one for each candidate of a request, not one for each request ever
    return lambda: Follower(whole.deep_copy(), vocabulary.size)


@lru_cache(maxsize=64)
def refusal(grammar: str) -> str:
    """Why a grammar cannot be compiled, "" where it can."""
    failed, messages = LLMatcher.validate_grammar_with_warnings(grammar, limits=_LIMITS)
    return _first_line(messages[0]) if failed else ""


def _first_line(message: str) -> str:
    """What the library says was wrong, without its place in a text that the caller never saw."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    told = next((line for line in lines if line.startswith("error: ")), lines[0] if lines else "unknown reason")
    told = told.removeprefix("error: ").rpartition("failed to compile JSON schema: ")[2]
    if told.startswith("Unable to determine"):
        return "it takes too much work"
    return told.rstrip(".:")[:200]
