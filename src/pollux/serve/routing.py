"""Which function answers which request. Google's paths end in ``:verb``, which common routers do not know.

    Route("POST", "/{v}/models/{model}:generateContent", handler)

``{v}`` stands for v1, v1beta and v1alpha alike, any other ``{name}`` for characters other than a slash; names are in
``request.path_params``.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from starlette.requests import Request
from starlette.responses import Response

from pollux.serve.errors import ApiError

Handler = Callable[[Request], Awaitable[Response]]
_ANY = {"v": "v1|v1beta|v1alpha"}


@dataclass(frozen=True)
class Route:
    """Attributes:
    method: As in HTTP, or ``WEBSOCKET``, whose handler is given the socket, checks the key itself, and gives nothing.
    openai: Whether its errors, and those of getting to it, are told in OpenAI's form.
    open: Whether it is answered without a key, and not counted by limits: pages, health, a way that is a secret itself.
    """

    method: str
    path: str
    handler: Handler
    openai: bool = False
    open: bool = False

    @cached_property
    def pattern(self) -> re.Pattern:
        pieces = re.split(r"\{(\w+)\}", self.path)
        named = (f"(?P<{name}>{_ANY.get(name, '[^/]+?')})" for name in pieces[1::2])
        text = re.escape(pieces[0]) + "".join(a + re.escape(b) for a, b in zip(named, pieces[2::2], strict=True))
        return re.compile(text)


def find(routes: Sequence[Route], method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The first route for a path, and what its names stand for.

    Raises:
        ApiError: 404 where there is none, 405 where there is one for other methods alone.
    """
    others = set()
    for route in routes:
        if match := route.pattern.fullmatch(path):
            if method in (route.method, "HEAD" if route.method == "GET" else ""):
                return route, match.groupdict()
            others.add(route.method)
    if others:
        raise ApiError(405, f"{path} takes {', '.join(sorted(others))}, not {method}.")
    raise ApiError(404, f"{path} is not found on this server.")
