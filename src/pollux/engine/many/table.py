"""Rows of answers that share a context and an array length, and so are answered in one pass.

    join ─> [ row | row | (free) | row ] ─step─> logits for each ─> leave

What a row gives never depends on who sits beside it: rows are computed apart, whatever their number.

Axis letters: B rows, T tokens, V vocabulary, L retrieval layers, H heads, E places kept per head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

import jax
import numpy as np

from pollux.engine.contexts.context import ReadContext
from pollux.engine.runner import Runner, Turn
from pollux.model.cache import Context
from pollux.model.sizes import LOCAL
from pollux.tokens.template import own
from pollux.tokens.vocabulary import END

# Numbers of rows, tokens of a turn and tokens of a piece that programs are compiled for: few, since each takes seconds, once.
ROWS, ROOMS, PIECES = (1, 8, 32), (256, 512, 1024, 4096, 16_384), (32, 128, 256, 512)
# Tokens of room that an answer begins with, beyond its question; it gets more as it grows.
ANSWER = 128
# Short turns are taken in side by side where at least so many wait, at most so many at once, each of one piece of this size: eight
# of 100 tokens take as long as four that come one by one.
LEAST_BESIDE, MOST_BESIDE, BESIDE = 4, 8, 128

Guest = TypeVar("Guest")


class Output(NamedTuple):
    """What a step gives a row: logits float32 [V], and where it looked, index and weight [L, H, E]."""

    logits: np.ndarray
    look: tuple[np.ndarray, np.ndarray]


def fitting(sizes: Sequence[int], wanted: int) -> int:
    """The least of the sizes that is enough; the greatest where none is."""
    return next((size for size in sizes if size >= wanted), sizes[-1])


def prefill(
    runner: Runner, context: ReadContext, shared: list[Context | None], ids: np.ndarray, room: int
) -> Iterator[tuple[Turn, Output] | None]:
    """Take in a turn's tokens, a piece each time something is asked of the iterator; the last gives the turn, of one row, and what
    comes next, those before None."""
    turn = runner.start_turn(context, 1, room)
    for at in range(0, ids.size, PIECES[-1]):
        piece = ids[at : at + PIECES[-1]]
        tokens = np.zeros((1, fitting(PIECES, piece.size)), np.int32)
        tokens[0, : piece.size] = piece
        turn, step = runner.step(turn, tokens, np.array([piece.size], np.int32), shared)
        if at + PIECES[-1] < ids.size:
            yield None
    logits, index, weight = (np.asarray(x)[0] for x in step)
    yield turn, Output(logits, (index, weight))


def prefill_beside(
    runner: Runner, context: ReadContext, shared: list[Context | None], turns: Sequence[np.ndarray], room: int
) -> list[tuple[Turn, Output]]:
    """As `prefill`, of at most `MOST_BESIDE` turns of at most `BESIDE` tokens at once."""
    tokens, counts = np.full((MOST_BESIDE, BESIDE), END, np.int32), np.ones(MOST_BESIDE, np.int32)
    for row, ids in enumerate(turns):
        tokens[row, : ids.size], counts[row] = ids, ids.size
    turn, step = runner.step(runner.start_turn(context, MOST_BESIDE, room), tokens, counts, shared)
    logits, index, weight = map(np.asarray, step)
    past, filled = jax.tree.map(np.asarray, (turn.past, turn.filled))
    row = lambda i: Turn(*jax.tree.map(lambda x: x[i : i + 1], (past, filled)), turn.start)  # noqa: E731
    return [(row(i), Output(logits[i], (index[i], weight[i]))) for i in range(len(turns))]


def widen(turn: Turn, room: int, runner: Runner) -> Turn:
    """The same turn with room for more tokens: what it holds stays at the end of its arrays."""

    def longer(past, layer):
        if layer.reach == LOCAL:
            return past
        more = room - past.token.shape[1]
        before = lambda x, fill=0: np.pad(x, [(0, 0), (more, 0), *[(0, 0)] * (x.ndim - 2)], constant_values=fill)  # noqa: E731
        arrays = {name: before(np.asarray(getattr(past, name))) for name in ("key", "value", "ahead", "follows", "token")}
        return past._replace(**arrays, index=before(np.asarray(past.index), -1))

    return turn._replace(past=[longer(past, layer) for past, layer in zip(turn.past, runner.config.layers, strict=True)])


def warming(runner: Runner) -> Iterator[str]:
    """Compile what short requests need, a program each time something is asked of the iterator, which says what it was: on nothing,
    and on a text of a chunk, a question's pieces and the numbers of rows."""
    read = runner.empty()
    read.reserve(runner.chunk)
    ids = np.full(runner.chunk, END, np.int32)
    runner.read(read, 0, ids)
    read.extend(own(ids), ())
    yield "a chunk"
    for context in (runner.empty(), read):
        shared = runner.device_context(context)
        for rows, count in (*((1, piece) for piece in PIECES), (MOST_BESIDE, BESIDE), *((rows, 1) for rows in ROWS)):
            tokens = np.full((rows, count), END, np.int32)
            turn = runner.start_turn(context, rows, fitting(ROOMS, count + ANSWER))
            jax.block_until_ready(runner.step(turn, tokens, np.full(rows, count, np.int32), shared))
            yield f"{count} tokens of {rows} rows"


class Table(Generic[Guest]):
    """Rows with room for as many tokens each on one context. Not safe for use from several threads at once.

    Attributes:
        seats: Whose row each is, None where it is free.
    """

    def __init__(self, runner: Runner, shared: list[Context | None], room: int) -> None:
        self.runner, self.shared, self.room = runner, shared, room
        self.seats: list[Guest | None] = []
        self._turn: Turn | None = None

    @property
    def guests(self) -> list[Guest]:
        return [guest for guest in self.seats if guest is not None]

    @property
    def free(self) -> int:
        """How many more can be seated."""
        return ROWS[-1] - len(self.guests)

    def join(self, arrivals: Sequence[tuple[Guest, Turn]]) -> None:
        """Seat guests, each with a turn of one row and of this room."""
        guests, present = self.guests, self._present()
        self._seat([*present, *(turn for _, turn in arrivals)], [*guests, *(guest for guest, _ in arrivals)])

    def leave(self, guest: Guest) -> None:
        """Free a guest's seat."""
        self.seats[self.seats.index(guest)] = None

    def take(self, guest: Guest) -> Turn:
        """Free a guest's seat, and give the turn of one row that was there."""
        row = self._rows([self.seats.index(guest)])
        self.leave(guest)
        return row

    def step(self, last: Callable[[Guest], int]) -> list[tuple[Guest, Output]]:
        """Take in each guest's last token; gives what comes next."""
        if fitting(ROWS, len(self.guests)) < len(self.seats):
            self._seat(self._present(), self.guests)
        tokens = np.array([[END if guest is None else last(guest)] for guest in self.seats], np.int32)
        self._turn, step = self.runner.step(self._turn, tokens, np.ones(len(self.seats), np.int32), self.shared)
        logits, index, weight = (np.asarray(x) for x in step)
        found = [(guest, Output(logits[i], (index[i], weight[i]))) for i, guest in enumerate(self.seats)]
        return [(guest, output) for guest, output in found if guest is not None]

    def _present(self) -> list[Turn]:
        taken = [i for i, guest in enumerate(self.seats) if guest is not None]
        return [self._rows(taken)] if taken else []

    def _rows(self, places: list[int]) -> Turn:
        past, filled = jax.tree.map(lambda x: np.asarray(x)[places], (self._turn.past, self._turn.filled))
        return Turn(past, filled, self._turn.start)

    def _seat(self, turns: list[Turn], guests: list[Guest]) -> None:
        """One turn of all these rows, and of copies of the first in seats that stay free."""
        spare = fitting(ROWS, len(guests)) - len(guests)

        def whole(*parts):
            parts = [np.asarray(part) for part in parts]
            return np.concatenate([*parts, np.repeat(parts[0][:1], spare, axis=0)])

        past, filled = jax.tree.map(whole, *((turn.past, turn.filled) for turn in turns))
        self._turn, self.seats = Turn(past, filled, turns[0].start), [*guests, *[None] * spare]
