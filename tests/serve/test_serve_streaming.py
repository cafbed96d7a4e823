"""Streams that begin late, fail, or are left."""

import asyncio

import pytest

from pollux.serve.errors import ApiError
from pollux.serve.web import streaming
from pollux.serve.web.streaming import Streamed


def sent(chunks, leave_after: float | None = None) -> tuple[list[bytes], dict]:
    """The bodies that a stream sends, and the first message."""
    messages: list[dict] = []

    async def send(message) -> None:
        messages.append(message)

    async def work() -> None:
        response = Streamed(chunks, lambda error: error.message.encode(), media_type="text/event-stream")
        await asyncio.wait_for(response({}, None, send), leave_after)

    asyncio.run(work())
    return [message["body"] for message in messages[1:]], messages[0]


def test_while_nothing_comes_empty_lines_do(monkeypatch):
    monkeypatch.setattr(streaming, "PATIENCE", 0.02)

    async def chunks():
        await asyncio.sleep(0.07)
        yield b"one"
        yield b"two"

    bodies, start = sent(chunks())
    assert start["status"] == 200 and bodies[-3:] == [b"one", b"two", b""] and set(bodies[:-3]) == {b"\n"}


def test_before_the_first_byte_an_error_has_its_own_status():
    async def chunks():
        raise ApiError(429, "full")
        yield b""

    with pytest.raises(ApiError, match="full"):
        sent(chunks())


def test_afterwards_it_is_the_last_thing_sent():
    async def chunks():
        yield b"one"
        raise ApiError(503, "away")

    assert sent(chunks())[0] == [b"one", b"away"]


@pytest.mark.parametrize("at", ["waiting", "between"])
def test_a_stream_that_is_left_is_ended(at):
    ended = []

    async def chunks():
        try:
            yield b"one"
            if at == "waiting":
                await asyncio.sleep(60)
            while True:
                yield b"more"
                await asyncio.sleep(0.01)
        finally:
            ended.append(True)

    with pytest.raises(asyncio.TimeoutError):
        sent(chunks(), leave_after=0.1)
    assert ended == [True]
