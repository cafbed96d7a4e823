"""What stops a run early: a loss that goes wrong, and the user."""

from __future__ import annotations

import math
import signal


class Watch:
    """Notices a loss whose moving mean has risen far above its best (or that is no number)."""

    RISE = 3.0  # nats above the best moving mean
    PACE = 0.02

    def __init__(self) -> None:
        self._mean: float | None = None
        self._best = math.inf

    def wrong(self, loss: float) -> str:
        """What is wrong, empty when nothing is."""
        if not math.isfinite(loss):
            return f"the loss is {loss}"
        self._mean = loss if self._mean is None else (1 - self.PACE) * self._mean + self.PACE * loss
        self._best = min(self._best, self._mean)
        if self._mean > self._best + self.RISE:
            return f"the loss has risen to {self._mean:.2f} nats, from {self._best:.2f} at its best"
        return ""


class Stopper:
    """Turns the first Ctrl-C or SIGTERM into a request that the loop answers between two steps; a second one interrupts."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> Stopper:
        self._old = {}
        try:
            for number in self.SIGNALS:
                self._old[number] = signal.signal(number, self._ask)
        except ValueError:  # only the main thread may set handlers; elsewhere the caller stops us
            pass
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
