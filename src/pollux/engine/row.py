"""One answer while it is produced: logits in, text that can be shown out.

Axis letters: V vocabulary, L retrieval layers, H heads, E places kept per head.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pollux.engine.request import Constraint, Produced, Sampling
from pollux.engine.sampler import choose, log_probabilities, penalised
from pollux.tokens.vocabulary import SPECIAL, Vocabulary


@dataclass
class Row:
    """What has been produced of an answer.

    Attributes:
        number: Tells rows of one seed apart. constraint, top: as `Ask` has them.
        looks: Where retrieval looked as each token was chosen, (index, weight) [L, H, E] each.
        text: What has been shown. reason: why the answer ended, empty while it goes on.
    """

    number: int
    sampling: Sampling
    vocabulary: Vocabulary
    constraint: Constraint | None = None
    top: int | None = None
    tokens: list[int] = field(default_factory=list)
    looks: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    text: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng([self.sampling.seed, self.number])
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    @property
    def done(self) -> bool:
        return bool(self.reason)

    def take(self, logits_V: np.ndarray, look: tuple[np.ndarray, np.ndarray]) -> str:
        """Choose the next token; returns the text that can be shown now. What may turn out to begin a stop string is held back."""
        token = choose(self._open_to(penalised(logits_V, self.tokens, self.sampling)), self.sampling, self._rng)
        if self.constraint:
            self.constraint.take(token)
        if token < SPECIAL:  # the end of the turn; any other special token ends it as well
            self.reason = "end"
            return self._show(self._decoder.decode(b"", final=True), final=True)
        self.tokens.append(token)
        self.looks.append(look)
        if len(self.tokens) >= self.sampling.limit:
            self.reason = "limit"
        return self._show(self._decoder.decode(self.vocabulary.decode_bytes([token]), final=self.done), final=self.done)

    def report(self, logits_V: np.ndarray) -> Produced:
        """The last token, as `Ask.top` wants it told; the logits are those that it was chosen by."""
        token = self.tokens[-1]
        content = self.vocabulary.decode_bytes([token])
        if self.top is None:
            return Produced(token, content)
        log_V = log_probabilities(logits_V)
        best = np.argsort(-log_V, kind="stable")[: self.top]
        return Produced(token, content, float(log_V[token]), tuple((int(i), float(log_V[i])) for i in best))

    def _open_to(self, logits_V: np.ndarray) -> np.ndarray:
        """The logits, those of tokens that may not come next at minus infinity."""
        return logits_V if self.constraint is None else np.where(self.constraint.allowed(), logits_V, -np.inf)

    def _show(self, piece: str, *, final: bool) -> str:
        pending = self._held + piece
        if not self.text:
            pending = pending.lstrip()
        cut = min((at for stop in self.sampling.stop if (at := pending.find(stop)) >= 0), default=-1)
        if cut >= 0:
            self.reason, pending, final = "stop", pending[:cut], True
        keep = 0 if final else _may_begin(pending, self.sampling.stop)
        shown, self._held = (pending[: len(pending) - keep], pending[len(pending) - keep :])
        self.text += shown
        return shown


def _may_begin(text: str, stops: Sequence[str]) -> int:
    """How many last characters of the text are the beginning of a stop string."""
    return max((n for stop in stops for n in range(1, len(stop)) if text.endswith(stop[:n])), default=0)
