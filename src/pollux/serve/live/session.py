"""A live session: turns of text over a WebSocket, an answer cut short when something new is said (contract §10).

    frames ─wire→ setup, then clientContent · realtimeInput · toolResponse ─→ the conversation ─generate.stream→ frames
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from starlette.websockets import WebSocket, WebSocketDisconnect

from pollux.serve.errors import of
from pollux.serve.gemini import generate
from pollux.serve.gemini.wire import dumps
from pollux.serve.live.messages import GOING, Refused, close, frame, question, refused, usage

if TYPE_CHECKING:
    from pollux.serve.live.desk import Desk
    from pollux.serve.server import Server

_KINDS = ("clientContent", "realtimeInput", "toolResponse", "contextUpdate")


class Session:
    """Attributes:
    setup: The request that every answer is made by, but its contents. manual: Whether the client marks where it speaks.
    remembering: Whether what comes is what was said before, not to be answered, up to the first turn that is complete.
    contents: The conversation so far. pending: Ids of calls of functions that wait for their results.
    """

    def __init__(self, socket: WebSocket, server: Server, desk: Desk, setup: dict, client: str) -> None:
        self.socket, self.server, self.desk, self.client = socket, server, desk, client
        self.setup, self.contents = setup, desk.reopened(setup)
        self.manual = setup.get("realtimeInputConfig", {}).get("automaticActivityDetection", {}).get("disabled") is True
        self.remembering = setup.get("historyConfig", {}).get("initialHistoryInClientContent", False)
        self.pending: dict[str, str] = {}
        self._results: list[dict] = []
        self._heard: list[dict] = []
        self._task: asyncio.Task | None = None

    async def run(self) -> None:
        """Take what comes until the client leaves.

        Raises:
            Refused: for what cannot be taken.
        """
        try:
            while True:
                await self._take(await frame(self.socket))
        except WebSocketDisconnect:
            pass
        finally:
            await self._stop()

    async def send(self, message: dict) -> None:
        await self.socket.send_bytes(dumps(message))

    async def leave(self, seconds: float) -> None:
        """Tell that the server stops, wait so long for the answer that is being produced, and close."""
        with suppress(RuntimeError, WebSocketDisconnect):  # the client is gone already
            await self.send({"goAway": {"timeLeft": f"{seconds:g}s"}})
        if self._task:
            await asyncio.wait({self._task}, timeout=seconds)
        await close(self.socket, GOING, "The server stops.")

    async def _take(self, message: dict) -> None:
        if len(message) != 1 or "setup" in message:
            raise Refused(f"Each message has to be one of {', '.join(_KINDS)}; setup comes once, first.")
        if "contextUpdate" in message:
            self.setup = self.setup | message["contextUpdate"]
            return None
        if "toolResponse" in message:
            return await self._take_results(message["toolResponse"].get("functionResponses", []))
        if "realtimeInput" in message:
            return await self._take_input(message["realtimeInput"])
        content = message["clientContent"]
        await self._interrupt()
        self.contents += content.get("turns", [])
        if content.get("turnComplete") and not self.remembering:
            self._answer()
        self.remembering = self.remembering and not content.get("turnComplete")
        return None

    async def _take_input(self, given: dict) -> None:
        """Text as it is typed: answered at once, or, where the client marks when it speaks, when it has ended."""
        if media := next((name for name in ("audio", "video", "mediaChunks") if given.get(name)), None):
            raise Refused(f"realtimeInput.{media} is not supported: this model reads text. Send realtimeInput.text.")
        if "activityStart" in given and self.manual:
            await self._interrupt()
            self._heard = []
        if "text" in given:
            self._heard.append({"text": given["text"]})
        if self._heard and ("activityEnd" in given or not self.manual):
            await self._interrupt()
            self.contents.append({"role": "user", "parts": self._heard})
            self._heard = []
            self._answer()

    async def _take_results(self, results: list[dict]) -> None:
        """What functions gave; the answer goes on when all have."""
        for result in results:
            if (name := self.pending.pop(result.get("id", ""), None)) is None:
                raise Refused(f"toolResponse: no function call of the id {result.get('id', '')!r} waits for a response.")
            self._results.append({"functionResponse": result | {"name": result.get("name") or name}})
        if self._results and not self.pending:
            self.contents.append({"role": "user", "parts": self._results})
            self._results = []
            self._answer()

    def _answer(self) -> None:
        self._task = asyncio.create_task(self._turn())

    async def _interrupt(self) -> None:
        """End the answer that is being produced, and what it waits for, as something new was said."""
        if self.pending:
            await self.send({"toolCallCancellation": {"ids": list(self.pending)}})
            self.pending, self._results = {}, []
            self.contents[-1]["parts"] = [part for part in self.contents[-1]["parts"] if "functionCall" not in part]
        if self._task and not self._task.done() and self._patient:
            await self._task
        elif await self._stop():
            await self.send({"serverContent": {"interrupted": True}})
            await self.send({"serverContent": {"turnComplete": True}})

    @property
    def _patient(self) -> bool:
        """Whether the client wants answers to be finished before it is heard again."""
        return self.setup.get("realtimeInputConfig", {}).get("activityHandling") == "NO_INTERRUPTION"

    async def _stop(self) -> bool:
        """Whether an answer was under way; it is no more."""
        task, self._task = self._task, None
        if task is None or task.done():
            return False
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return True

    async def _turn(self) -> None:
        """Produce one answer."""
        said: list[dict] = []
        try:
            await self._produce(said)
        except (WebSocketDisconnect, RuntimeError):
            pass  # the client is gone; `run` learns of it too
        except Exception as error:
            await refused(self.socket, of(error))
        finally:
            if said:
                self.contents.append({"role": "model", "parts": said})

    async def _produce(self, said: list[dict]) -> None:
        prepared = await question(self.server, self.setup, self.contents, self.client)
        counts, calls = {}, []
        async with aclosing(generate.stream(self.server, prepared)) as chunks:
            async for chunk in chunks:
                counts = chunk.get("usageMetadata", counts)
                parts = chunk.get("candidates", [{}])[0].get("content", {}).get("parts", [])
                texts = [part for part in parts if part.get("text")]
                calls += [part for part in parts if "functionCall" in part]
                said += texts
                if texts:
                    await self.send({"serverContent": {"modelTurn": {"role": "model", "parts": texts}}})
        if calls:
            said += calls
            self.pending = {part["functionCall"]["id"]: part["functionCall"]["name"] for part in calls}
            called = {"functionCalls": [part["functionCall"] for part in calls]}
            await self.send({"toolCall": called, "usageMetadata": usage(counts)})
            return
        await self._complete(said, counts)

    async def _complete(self, said: list[dict], counts: dict) -> None:
        """Tell that a turn is over; nothing of it may follow the last message."""
        if "sessionResumption" in self.setup:
            handle = self.desk.keep([*self.contents, {"role": "model", "parts": list(said)}])
            await self.send({"sessionResumptionUpdate": {"newHandle": handle, "resumable": True}})
        await self.send({"serverContent": {"generationComplete": True}})
        await self.send({"serverContent": {"turnComplete": True}, "usageMetadata": usage(counts)})
