"""What every room of the server is given: the models, the settings, what is stored.

    routes(server)          each room's; put together by `app.build`
    request.state.client    who asks: the key's name, or the address where no key is asked for
    request.state.deadline  on the clock of `time.monotonic`, None where the client waits for ever
    request.state.id        of the request, as in the log and in the header x-request-id

A room with work of its own appends to ``server.opening`` (awaited before the first request) and to ``server.closing`` (awaited
with the seconds that are left when the server is to stop, while what is under way goes on).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from pollux.engine.many.service import Service
from pollux.serve.errors import ApiError
from pollux.serve.material.perceived import Perceiver
from pollux.serve.operations.keys import Keys
from pollux.serve.operations.limits import Limits
from pollux.serve.operations.metrics import Metrics

if TYPE_CHECKING:
    from pollux.serve.storage.library import Library


@dataclass(frozen=True)
class Settings:
    """How the server behaves.

    Attributes:
        data: The folder of files, contexts and the database.
        aliases: Pairs of a pattern, such as ``gemini-*``, and the model that such names stand for; "" is the default model.
        origins: Web pages that may ask, as in ``https://example.org``; ``*`` for any. None by default.
        hosts: Names by which the server may be called, any where there are none: without keys a name that somebody else's page
            has led to this machine must not open it.
        body_bytes: The longest request body. upload_bytes: The largest file uploaded.
        requests, tokens: How many a client may use in a minute; 0 for no limit.
        seconds: After how long an answer is given up; clients may ask for less.
        close_seconds: How long a server that is stopped waits for what is under way.
    """

    data: Path = Path("pollux-data")
    aliases: tuple[tuple[str, str], ...] = (("gemini-*", ""), ("text-embedding-*", ""))
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    body_bytes: int = 128 << 20
    upload_bytes: int = 2 << 30
    requests: int = 0
    tokens: int = 0
    seconds: float = 3600.0
    close_seconds: float = 30.0


@dataclass
class Server:
    """The house's shared things. ``services``: the first is the default model. ``ready``: whether requests are taken."""

    services: dict[str, Service]
    settings: Settings
    library: Library
    keys: Keys = field(default_factory=lambda: Keys(False))
    limits: Limits = field(init=False)
    metrics: Metrics = field(init=False)
    perceiver: Perceiver = field(init=False)
    opening: list[Callable[[], Awaitable[None]]] = field(default_factory=list, init=False)
    closing: list[Callable[[float], Awaitable[None]]] = field(default_factory=list, init=False)
    ready: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        self.limits = Limits(self.settings.requests, self.settings.tokens)
        self.metrics = Metrics(self.services)
        self.perceiver = Perceiver(next(iter(self.services.values())).perception)
        self.library.uploads.media = self.perceiver.perception is not None
        self.library.serve(self.services)

    def name(self, model: str, version: str = "v1beta", verb: str = "generateContent") -> str:
        """The local name of a model, of ``models/x``, ``x`` or what an alias stands for.

        Raises:
            ApiError: 404 in the words that clients know (contract §2), with the API's version and the method.
        """
        bare = model.removeprefix("models/")
        if bare in self.services:
            return bare
        for pattern, local in self.settings.aliases:
            if fnmatchcase(bare, pattern):
                return local or next(iter(self.services))
        raise ApiError(
            404,
            f"models/{bare} is not found for API version {version}, or is not supported for {verb}. Call ListModels to see the "
            "list of available models and their supported methods.",
        )

    def service(self, model: str, version: str = "v1beta", verb: str = "generateContent") -> Service:
        """The model of a name; raises as `name` does."""
        return self.services[self.name(model, version, verb)]
