"""A stand-in for the model, for suites of others that want more than the question said back. Its rules name no test, but were
chosen with Google's in view: how many of these pass says something of the server alone, and nothing of what a model would answer.

    functions that may be called   each is, once, in the order that the question speaks of them
    what functions gave back       what was asked, and what they gave back, as words
    JSON                           whole: members that may be left out too, lists with up to three items
    texts and numbers in it        the question's names and numbers in turn; within a list each item's own

It reads nothing: what is right of an answer is right of the server, that reads the request, tells the functions, holds to the form
and puts the answer on the wire.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from stub import Stub

from pollux.engine.request import Ask, Constraint
from pollux.tokens.vocabulary import END

_RETURNED = re.compile(r"^\w+ returned ", re.M)
_FUNCTIONS = "Functions:\n"
_NAME = re.compile(r"\b[A-Z]\w+(?: [A-Z]\w+)*")
_WIDTH, _DEEPEST, _MOST_ITEMS, _MOST_MEMBERS = 256, 5, 3, 8


class StandIn(Stub):
    def __init__(self) -> None:
        super().__init__()
        self._bytes = [self.vocabulary.decode_bytes([token]) for token in range(self.vocabulary.size)]

    def submit(self, ask: Ask, listener):
        return super().submit(replace(ask, constraint=self._way(ask)), listener)

    def embed(self, texts, client=""):
        rows = np.array([np.random.default_rng(len(text)).standard_normal(_WIDTH) for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=-1, keepdims=True)

    def _way(self, ask: Ask) -> Callable[[], Constraint] | None:
        """What chooses the answer's tokens; None where the question is said back."""
        returned = bool(_RETURNED.search(ask.question))
        names = [] if returned else _functions(ask)
        if ask.constraint is not None and (names or not ask.constraint().allowed()[END]):
            return lambda: Filler(ask.constraint(), self._bytes, ask.question, names)
        if returned and ask.turns:
            words = self.vocabulary.encode(f" {ask.turns[-1][0]} {ask.question}").tolist()
            return lambda: Saying(words, self.vocabulary.size)
        return None


def _functions(ask: Ask) -> list[str]:
    """The functions that may be called, as they are told of, in the order that the question speaks of them."""
    texts = [segment.text for document in ask.documents for segment in document.segments if _FUNCTIONS in segment.text]
    told = texts[0].partition(_FUNCTIONS)[2].rpartition("\n")[0] if texts else ""
    names, question = re.findall(r"^(\w+)(?::|$)", told, re.M), ask.question.lower()
    spoken = {name: [at for part in name.split("_") if len(part) > 3 and (at := question.find(part)) >= 0] for name in names}
    return sorted(names, key=lambda name: min(spoken[name], default=len(question)))


class Saying:
    """A constraint that leaves these tokens alone."""

    def __init__(self, tokens: list[int], size: int) -> None:
        self._left, self._size = [*tokens, END], size

    def allowed(self) -> np.ndarray:
        return np.arange(self._size) == self._left[0]

    def take(self, token: int) -> None:
        self._left.pop(0)


class Filler:
    """A constraint within another, that leaves of what this allows one token, of one letter.

    Attributes:
        text: The answer so far. open: its brackets that are open, each with how many members or items it has before the last.
    """

    def __init__(self, inner: Constraint, spelt: list[bytes], question: str, functions: list[str]) -> None:
        self._inner, self._spelt, self._calls = inner, spelt, functions
        lowered = re.sub(r"(^|[.?!]\s+|\n)([A-Z])", lambda found: found[1] + found[2].lower(), question)
        self._names = _NAME.findall(lowered) or re.findall(r"\w+", question)[-1:] or ["x"]
        self._numbers = re.findall(r"\d+(?:\.\d+)?", question) or ["1"]
        self._said = {"name": 0, "number": 0}
        self.text, self.open = "", []
        self._within, self._key, self._rest = False, False, ""  # a text, a member's name, and what is left of it to be said

    def allowed(self) -> np.ndarray:
        mask = self._inner.allowed()
        letters = {self._spelt[token].decode("latin-1"): token for token in np.flatnonzero(mask) if len(self._spelt[token]) == 1}
        only = np.zeros_like(mask)
        only[self._chosen(mask, letters)] = True
        return only

    def take(self, token: int) -> None:
        self._inner.take(token)
        for letter in self._spelt[token].decode("latin-1"):
            self._note(letter)
            self.text += letter

    def _chosen(self, mask: np.ndarray, letters: dict[str, int]) -> int:
        if not letters:
            return END if mask[END] else int(np.flatnonzero(mask)[0])
        wishes = self._wishes() if self.open or self._within else [*self._call(), *([] if mask[END] else self._wishes())]
        found = next((letters[letter] for letter in wishes if letter in letters), None)
        return found if found is not None else END if mask[END] else letters[min(letters)]

    def _call(self) -> str:
        """The next letter of a call, or of the next one's line."""
        line = self.text.lstrip().rpartition("\n")[2]
        if "{" in line:
            return "\n" if len(self._calls) > 1 else ""
        whole = f"<call>{self._calls[0]} " if self._calls else ""
        return whole[len(line) :][:1] if whole.startswith(line) else ""

    def _wishes(self) -> list[str]:
        last = self.text[-1:] or " "
        bracket, count = self.open[-1] if self.open else ("", 0)
        items = min(len(self._names), _MOST_ITEMS) if len(self.open) < 3 else 1
        more = count < _MOST_MEMBERS if bracket == "{" else count + 1 < items
        ends = [",", "}", "]"] if more else ["}", "]", ","]
        if self._within:
            return ['"'] if self._key else [*self._rest[:1], '"']
        if last.isdigit() or last in ".-":
            return [*self._rest[:1], *([] if last.isdigit() else ["0"]), *ends]
        if last in '"}]el' and self.open:
            return ends
        return (["]", "}"] if len(self.open) > _DEEPEST else []) + ['"', self._number()[0], "1", "{", "[", "t", "n", ","]

    def _name(self) -> str:
        """The next name; in a list, that of its item."""
        lists = [count for bracket, count in self.open if bracket == "["]
        self._said["name"] += not lists
        return self._names[(lists[0] if lists else self._said["name"] - 1) % len(self._names)]

    def _number(self) -> str:
        return self._numbers[self._said["number"] % len(self._numbers)]

    def _note(self, letter: str) -> None:
        last, rest = self.text[-1:], self._rest[1:] if self._rest[:1] == letter else ""
        if self._within:
            self._within, self._rest = letter != '"' or last == "\\", rest
        elif letter == '"':
            self._key = bool(self.open) and self.open[-1][0] == "{" and last in "{,"
            self._within, self._rest = True, "" if self._key else self._name()
        elif letter.isdigit() or letter in "-.":
            if not (last.isdigit() or last in "-."):
                rest, self._said["number"] = (self._number()[1:] if self._number()[0] == letter else ""), self._said["number"] + 1
            self._rest = rest
        else:
            self._rest = ""
            self._bracket(letter)

    def _bracket(self, letter: str) -> None:
        if letter in "{[":
            self.open.append((letter, 0))
        elif letter in "}]" and self.open:
            self.open.pop()
        elif letter == "," and self.open:
            self.open[-1] = (self.open[-1][0], self.open[-1][1] + 1)
        elif letter == "\n":  # the next call
            self._calls = self._calls[1:]
