"""One answer while it is heard, counted for metrics and limits."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from pollux.engine.many.service import Service
from pollux.engine.request import Ask, Done, Piece, Said
from pollux.serve.gemini.generation.candidate import Finished
from pollux.serve.web.bridge import said

if TYPE_CHECKING:
    from pollux.serve.server import Server


class Hearing:
    """Attributes:
    produced: The tokens of the answer so far. text: the same as text.
    finished: All of it, there when `pieces` has ended.
    """

    finished: Finished

    def __init__(self, server: Server, model: str, service: Service, ask: Ask) -> None:
        self.server, self.model, self.service, self.ask = server, model, service, ask
        self.produced, self.text = [], ""
        self._since = time.monotonic()

    async def pieces(self) -> AsyncIterator[str]:
        """The text so far, each time that there is more of it. Raises as `bridge.said` does."""
        async with aclosing(said(self.service, self.ask)) as events:
            async for event in events:
                self._note(event)
                if isinstance(event, Piece):
                    yield self.text

    async def whole(self) -> Finished:
        """The answer when it is finished."""
        async with aclosing(self.pieces()) as pieces:
            async for _ in pieces:
                pass
        return self.finished

    def _note(self, event: Said) -> None:
        if isinstance(event, Piece):
            if not self.produced:
                self.server.metrics.began(self.model, time.monotonic() - self._since)
            self.produced += event.tokens
            self.text += event.text
        elif isinstance(event, Done):
            usage = event.usage
            self.finished = Finished(event.answer, usage, tuple(self.produced))
            self.server.metrics.spent(self.model, usage.prompt, usage.kept, usage.produced)
            self.server.limits.spend(self.ask.client, usage.prompt - usage.kept + usage.produced)
