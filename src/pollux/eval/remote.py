"""Models behind an HTTP API, measured as ours are: each question is one request with the whole context in front of it.

Two dialects: Gemini's ``generateContent`` and OpenAI's ``chat/completions``, which most other servers speak. The key comes from the
environment. A busy server is asked again, when it says; why a reply ended is kept with it, so that one that was cut short or
withheld is not taken for a wrong one.
"""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pollux.base.errors import ConfigError, RemoteError
from pollux.eval.run import Reply
from pollux.tasks.task import Example
from pollux.tokens.template import reading

# Seconds before a request is sent again, each time it fails in a way that may pass; and how long a server may ask us to wait.
_WAITS, _LONGEST_WAIT = (1, 4, 16, 60), 600
_MAY_PASS = (408, 429, 500, 502, 503, 504)
_SECONDS = 600  # a long context takes a server minutes


@dataclass(frozen=True)
class Dialect:
    """How a prompt is sent and a reply read.

    Attributes:
        url: Where the service is. keys: names of the environment's variables that may hold the key.
        path: From the model's name to the rest of the address.
        body: From model, prompt and settings (``most`` tokens of the reply, perhaps a temperature) to the request's JSON.
        header: From the key to the header that carries it.
        reply: From the response's JSON to the text, and to why it ended ("end" where it is whole).
        tokens: From it to how many the prompt had, 0 where it does not say.
    """

    url: str
    keys: tuple[str, ...]
    path: Callable[[str], str]
    body: Callable[[str, str, dict], dict]
    header: Callable[[str], dict[str, str]]
    reply: Callable[[dict], tuple[str, str]]
    tokens: Callable[[dict], int]


def _gemini_reply(response: dict) -> tuple[str, str]:
    if not response.get("candidates"):
        return "", response["promptFeedback"]["blockReason"]
    candidate = response["candidates"][0]
    parts = candidate.get("content", {}).get("parts", [])
    why = candidate.get("finishReason", "STOP")
    return "".join(part.get("text", "") for part in parts if not part.get("thought")), "end" if why == "STOP" else why


def _openai_reply(response: dict) -> tuple[str, str]:
    choice = response["choices"][0]
    why = choice.get("finish_reason") or "stop"
    return choice["message"].get("content") or "", "end" if why == "stop" else why


DIALECTS = {
    "gemini": Dialect(
        "https://generativelanguage.googleapis.com",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        lambda model: f"/v1beta/models/{urllib.parse.quote(model)}:generateContent",
        lambda model, prompt, settings: {
            "contents": [{"role": "user", "parts": [{"text": prompt}]}],
            "generationConfig": {{"most": "maxOutputTokens"}.get(name, name): value for name, value in settings.items()},
        },
        lambda key: {"x-goog-api-key": key},
        _gemini_reply,
        lambda response: response.get("usageMetadata", {}).get("promptTokenCount", 0),
    ),
    "openai": Dialect(
        "https://api.openai.com/v1",
        ("OPENAI_API_KEY",),
        lambda model: "/chat/completions",
        lambda model, prompt, settings: {
            "model": model, "messages": [{"role": "user", "content": prompt}],
            **{{"most": "max_completion_tokens"}.get(name, name): value for name, value in settings.items()},
        },
        lambda key: {"authorization": f"Bearer {key}"},
        _openai_reply,
        lambda response: (response.get("usage") or {}).get("prompt_tokens", 0),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Remote:
    """A model of a service.

    Attributes:
        dialect: "gemini" or "openai". model: its name there. url: in place of the dialect's own; an openai one ends in /v1.
        most: Tokens of a reply at most; of a model that thinks, its thoughts among them.
        instruction: What is set behind every question.
        temperature: None to send none, for models that take none.
    """

    dialect: str
    model: str
    url: str = ""
    most: int = 8192
    instruction: str = ""
    temperature: float | None = 0.0
    cites: bool = False

    def __post_init__(self) -> None:
        if self.dialect not in DIALECTS:
            raise ConfigError(f"there is no dialect {self.dialect!r}", f"one of {', '.join(DIALECTS)}, as in openai:MODEL")
        if not self.model:
            raise ConfigError("the remote model has no name", f"name it behind the colon: {self.dialect}:MODEL")
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ConfigError(f"{self.url} is no address of a server", "one begins with http:// or https://")
        if not self.url and not self._key:
            raise ConfigError(f"no key for {self._speaks.url}", f"put it into the environment as {self._speaks.keys[0]}")

    def ask(self, examples: Sequence[Example]) -> tuple[int, list[Reply]]:
        replies = [self._reply(_prompt(e, q.text) + self.instruction) for e in examples for q in e.questions]
        return max(tokens for tokens, _ in replies), [reply for _, reply in replies]

    def _reply(self, prompt: str) -> tuple[int, Reply]:
        """Tokens of the prompt, and the reply to it."""
        response = _post(self._request(prompt))
        try:
            text, end = self._speaks.reply(response)
            return self._speaks.tokens(response), Reply(text, (), end)
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise RemoteError(f"{self._address} gave a reply that is none of {self.dialect}'s", "check --url") from error

    @property
    def _speaks(self) -> Dialect:
        return DIALECTS[self.dialect]

    @property
    def _key(self) -> str:
        keys = (os.environ.get(name, "").strip() for name in self._speaks.keys)
        return next(filter(None, keys), "")

    @property
    def _address(self) -> str:
        return (self.url or self._speaks.url).rstrip("/") + self._speaks.path(self.model)

    def _request(self, prompt: str) -> urllib.request.Request:
        settings = {"most": self.most} | ({} if self.temperature is None else {"temperature": self.temperature})
        body = json.dumps(self._speaks.body(self.model, prompt, settings)).encode()
        headers = {"content-type": "application/json"} | (self._speaks.header(self._key) if self._key else {})
        return urllib.request.Request(self._address, body, headers)


def _prompt(example: Example, question: str) -> str:
    """The original's prompt; files that have names are headed by them."""
    named = ((document.path, document.segments[0].text) for document in reading(example))
    files = "\n".join(f"{path}\n{text}" if path else text for path, text in named)
    return f"{files}\n{question}" if files else question


def _post(request: urllib.request.Request) -> dict:
    """The response's JSON.

    Raises:
        RemoteError: the service refuses, cannot be reached, or is busy time and again.
    """
    for wait in (*_WAITS, None):
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as response:
                return _json(response.read())
        except urllib.error.HTTPError as error:
            told = error.read(2000).decode("utf-8", "replace")
            failure, passes, asked = f"status {error.code}: {told}", error.code in _MAY_PASS, _asked_to_wait(error)
        except (OSError, http.client.HTTPException) as error:
            failure, passes, asked = f"it cannot be reached: {error!r}", True, 0.0
        if not passes or wait is None:
            break
        time.sleep(max(wait, asked))
    busy, refused = "with --out whole examples are kept; run the same command to go on", "check the model's name, the key and --url"
    hint = busy if passes else refused
    raise RemoteError(f"{request.full_url}: {failure}", hint)


def _asked_to_wait(error: urllib.error.HTTPError) -> float:
    """Seconds that a server wants to be left alone for, where it says so in seconds."""
    told = error.headers.get("retry-after", "")
    return min(float(told), _LONGEST_WAIT) if told.isdecimal() else 0.0


def _json(body: bytes) -> dict:
    try:
        return json.loads(body)
    except ValueError as error:
        raise RemoteError(f"no JSON came back, but {body[:80]!r}", "check --url") from error
