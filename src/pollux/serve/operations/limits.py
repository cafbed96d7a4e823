"""How much a client may use in a minute: a bucket of requests and one of tokens, filled evenly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from pollux.serve.errors import ApiError

_KIND = "type.googleapis.com/google.rpc.QuotaFailure"


@dataclass
class Bucket:
    """``level`` of ``size``, filled in a minute; may be overdrawn, as what an answer takes is known afterwards."""

    size: int
    level: float
    at: float

    def fill(self, now: float) -> None:
        self.level = min(self.size, self.level + (now - self.at) * self.size / 60)
        self.at = now

    def wait(self, count: float) -> float:
        """Seconds until so much is there."""
        return max(0.0, (count - self.level) * 60 / self.size)


class Limits:
    """Buckets by client. Used from the event loop and from threads."""

    def __init__(self, requests: int = 0, tokens: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._sizes, self._clock = {"requests": requests, "tokens": tokens}, clock
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._lock = threading.Lock()

    def admit(self, client: str) -> None:
        """Take a request in. Raises ApiError 429 where the client has used up its share."""
        with self._lock:
            for what, size in self._sizes.items():
                wait = self._bucket(client, what).wait(1) if size else 0.0
                if wait:
                    raise _exceeded(what, size, wait)
            self._take(client, "requests", 1)

    def spend(self, client: str, tokens: int) -> None:
        """Note tokens that were read and produced."""
        with self._lock:
            self._take(client, "tokens", tokens)

    def _take(self, client: str, what: str, count: int) -> None:
        if self._sizes[what]:
            self._bucket(client, what).level -= count

    def _bucket(self, client: str, what: str) -> Bucket:
        now, size = self._clock(), self._sizes[what]
        bucket = self._buckets.setdefault((client, what), Bucket(size, size, now))
        bucket.fill(now)
        return bucket


def _exceeded(what: str, size: int, wait: float) -> ApiError:
    told = f"You exceeded your current quota: {size} {what} per minute. Please retry in {max(1, round(wait))}s."
    failure = {"@type": _KIND, "violations": [{"subject": f"{what} per minute", "description": told}]}
    return ApiError(429, told, details=(failure,), seconds=wait)
