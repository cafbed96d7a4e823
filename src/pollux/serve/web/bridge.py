"""From the engine's thread to asyncio.

    Service.submit ─listener→ call_soon_threadsafe ─queue→ said(): Progress … Piece … Done
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from pollux.engine.many.service import Listener, Service, Ticket
from pollux.engine.request import Ask, Done, Failed, Said


async def said(service: Service, ask: Ask) -> AsyncIterator[Said]:
    """What is said of a request, up to `Done`. Where the consumer goes away the request is cancelled.

    Raises:
        PolluxError: what `Failed` carries, or what `Service.submit` raises.
    """
    async for each in heard(lambda listener: service.submit(ask, listener)):
        yield each


async def heard(submit: Callable[[Listener], Ticket]) -> AsyncIterator[Said]:
    """The same for any way to submit, such as `Service.keep`."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Said] = asyncio.Queue()

    def listener(each: Said) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(queue.put_nowait, each)

    ticket = await _submitted(lambda: submit(listener))
    try:
        while True:
            each = await queue.get()
            if isinstance(each, Failed):
                raise each.error
            yield each
            if isinstance(each, Done):
                return
    finally:
        ticket.cancel()


async def _submitted(submit: Callable[[], Ticket]) -> Ticket:
    """Submit in a thread, as a long text takes a while to be counted; one that is taken when nobody waits any more is cancelled."""
    future = asyncio.get_running_loop().run_in_executor(None, submit)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(lambda done: None if done.cancelled() or done.exception() else done.result().cancel())
        raise
