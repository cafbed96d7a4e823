"""Several answers at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")
_END = object()


async def merged(streams: Sequence[AsyncIterator[T]]) -> AsyncIterator[tuple[int, T]]:
    """What comes of each, with its number, as it comes. Raises what the first to fail raises; the others are ended."""
    if len(streams) == 1:
        async with aclosing(streams[0]) as alone:
            async for each in alone:
                yield 0, each
        return
    queue: asyncio.Queue = asyncio.Queue()
    tasks = [asyncio.create_task(_pour(number, stream, queue)) for number, stream in enumerate(streams)]
    try:
        for _ in streams:
            while (one := await queue.get())[1] is not _END:
                if isinstance(one[1], BaseException):
                    raise one[1]
                yield one
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def gathered(waited: Sequence[Awaitable[T]]) -> list[T]:
    """What comes of each, in order. Raises what the first to fail raises; the others are ended."""
    tasks = [asyncio.ensure_future(each) for each in waited]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pour(number: int, stream: AsyncIterator, queue: asyncio.Queue) -> None:
    try:
        async with aclosing(stream):
            async for each in stream:
                queue.put_nowait((number, each))
        queue.put_nowait((number, _END))
    except Exception as error:
        queue.put_nowait((number, error))
