"""What Prometheus reads at /metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from pollux.engine.many.service import Service

_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
# Of `Load`: name here, what it says. Those that only grow are counters.
_NOW = {
    "waiting": "requests in the queue", "reading": "requests that are read for", "answering": "requests that are answered",
    "contexts": "contexts at hand", "tokens": "tokens of the contexts at hand", "memory_bytes": "memory that contexts take",
    "disk_bytes": "disk that contexts take",
}  # fmt: skip
_SINCE = {"read": "tokens read", "reused": "tokens found read already", "produced": "tokens produced"}


class Metrics:
    """Counts of requests and times, in a registry of their own, and each model's `Load` as it is when asked."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        self.services, self.registry = services, CollectorRegistry()
        times = {"buckets": _SECONDS, "registry": self.registry}
        self.requests = Counter("pollux_requests", "requests", ["method", "route", "status"], registry=self.registry)
        self.seconds = Histogram("pollux_request_seconds", "until the last byte", ["route"], **times)
        self.first = Histogram("pollux_first_token_seconds", "until an answer begins", ["model"], **times)
        self.tokens = Counter("pollux_tokens", "tokens of requests", ["model", "kind"], registry=self.registry)
        self.registry.register(self)

    def began(self, model: str, seconds: float) -> None:
        """An answer's first token came after so long."""
        self.first.labels(model).observe(seconds)

    def spent(self, model: str, prompt: int, kept: int, produced: int) -> None:
        """Tokens of a request that is done, as `Usage` counts them."""
        for kind, count in (("prompt", prompt), ("kept", kept), ("produced", produced)):
            self.tokens.labels(model, kind).inc(count)

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Each model's load, for the registry."""
        loads = {name: service.load() for name, service in self.services.items()}
        for kind, table in ((GaugeMetricFamily, _NOW), (CounterMetricFamily, _SINCE)):
            for field, about in table.items():
                family = kind(f"pollux_engine_{field}", about, labels=["model"])
                for name, load in loads.items():
                    family.add_metric([name], getattr(load, field))
                yield family

    def text(self) -> bytes:
        return generate_latest(self.registry)
