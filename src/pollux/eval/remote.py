"""Models behind an HTTP API, measured as ours are: each question is one request with the whole context in front of it.

Two dialects: Gemini's ``generateContent`` and OpenAI's ``chat/completions``, which most other servers speak. The key comes from the
environment. Temperature is 0; a busy server is asked again, a refusal is told.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pollux.base.errors import ConfigError, RemoteError
from pollux.eval.run import Reply
from pollux.tasks.task import Example

# Seconds before a request is sent again, each time it fails in a way that may pass.
_WAITS = (1, 4, 16, 60)
_MAY_PASS = (408, 429, 500, 502, 503, 504)
_SECONDS = 600  # a long context takes a server minutes


@dataclass(frozen=True)
class Dialect:
    """How a prompt is sent and a reply read.

    Attributes:
        url: Where the service is. keys: names of the environment's variables that may hold the key.
        path: From the model's name to the rest of the address.
        body: From model, prompt and most tokens of the reply to the request's JSON.
        header: From the key to the header that carries it.
        reply: From the response's JSON to the text; tokens: to how many the prompt had, 0 where it does not say.
    """

    url: str
    keys: tuple[str, ...]
    path: Callable[[str], str]
    body: Callable[[str, str, int], dict]
    header: Callable[[str], dict[str, str]]
    reply: Callable[[dict], str]
    tokens: Callable[[dict], int]


def _gemini_text(response: dict) -> str:
    candidates = response.get("candidates") or [{}]
    parts = candidates[0].get("content", {}).get("parts", [])
    return "".join(part.get("text", "") for part in parts if not part.get("thought"))


DIALECTS = {
    "gemini": Dialect(
        "https://generativelanguage.googleapis.com",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        lambda model: f"/v1beta/models/{model}:generateContent",
        lambda model, prompt, most: {
            "contents": [{"role": "user", "parts": [{"text": prompt}]}],
            "generationConfig": {"temperature": 0, "maxOutputTokens": most},
        },
        lambda key: {"x-goog-api-key": key},
        _gemini_text,
        lambda response: response.get("usageMetadata", {}).get("promptTokenCount", 0),
    ),
    "openai": Dialect(
        "https://api.openai.com/v1",
        ("OPENAI_API_KEY",),
        lambda model: "/chat/completions",
        lambda model, prompt, most: {
            "model": model, "temperature": 0, "max_tokens": most, "messages": [{"role": "user", "content": prompt}],
        },
        lambda key: {"authorization": f"Bearer {key}"},
        lambda response: response["choices"][0]["message"].get("content") or "",
        lambda response: (response.get("usage") or {}).get("prompt_tokens", 0),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Remote:
    """A model of a service.

    Attributes:
        dialect: "gemini" or "openai". model: its name there. url: in place of the dialect's own.
        most: Tokens of a reply at most.
    """

    dialect: str
    model: str
    url: str = ""
    most: int = 1024
    cites: bool = False

    def __post_init__(self) -> None:
        if self.dialect not in DIALECTS:
            raise ConfigError(f"there is no dialect {self.dialect!r}", f"one of {', '.join(DIALECTS)}, as in openai:MODEL")
        if not self.model:
            raise ConfigError("the remote model has no name", f"name it behind the colon: {self.dialect}:MODEL")

    def ask(self, examples: Sequence[Example]) -> tuple[int, list[Reply]]:
        prompts = [f"{example.context}\n{question.text}".strip() for example in examples for question in example.questions]
        replies = [self._reply(prompt) for prompt in prompts]
        return max(tokens for tokens, _ in replies), [Reply(text) for _, text in replies]

    def _reply(self, prompt: str) -> tuple[int, str]:
        """Tokens of the prompt, and the reply to it."""
        speaks, response = DIALECTS[self.dialect], self._send(prompt)
        try:
            return speaks.tokens(response), speaks.reply(response)
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise RemoteError(f"{self._address} gave a reply that is none of {self.dialect}'s", "check --url") from error

    @property
    def _address(self) -> str:
        speaks = DIALECTS[self.dialect]
        return (self.url or speaks.url).rstrip("/") + speaks.path(self.model)

    def _send(self, prompt: str) -> dict:
        speaks = DIALECTS[self.dialect]
        key = next((os.environ[name] for name in speaks.keys if os.environ.get(name)), "")
        if not key and not self.url:
            raise ConfigError(f"no key for {speaks.url}", f"put it into the environment as {speaks.keys[0]}")
        body = json.dumps(speaks.body(self.model, prompt, self.most)).encode()
        headers = {"content-type": "application/json"} | (speaks.header(key) if key else {})
        return _post(urllib.request.Request(self._address, body, headers))


def _post(request: urllib.request.Request) -> dict:
    """The response's JSON.

    Raises:
        RemoteError: the service refuses, cannot be reached, or is busy time and again.
    """
    for wait in (*_WAITS, None):
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            told = error.read(2000).decode("utf-8", "replace")
            failure, passes = f"status {error.code}: {told}", error.code in _MAY_PASS
        except ValueError as error:
            failure, passes = f"no JSON came back: {error}", False
        except OSError as error:
            failure, passes = f"it cannot be reached: {error}", True
        if not passes or wait is None:
            break
        time.sleep(wait)
    hint = "what was measured is kept with --out; run the same command to go on"
    raise RemoteError(f"{request.full_url}: {failure}", hint)
