"""The bridge between the gateway's event loop and the engine's: calls go over, answers come back.

A call runs as a task in the engine's Trio loop, in AnyIO's `BlockingPortal`. Cancelling the request cancels that task and
waits for its end; a client that leaves cancels its request. The engine never waits for the gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal
from starlette.requests import Request

from ..protocol import refused

T = TypeVar("T")


class ClientLeft(Exception):
    """The client closed its connection before it had its answer; there is nobody to answer."""


class Bridge:
    """Calls into the engine from the gateway's thread."""

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal
        self.calls = 0
        """How many calls are under way."""

    async def call(self, fn: Callable[..., Awaitable[T]], *args: Any, within: float | None = None) -> T:
        """Run `fn(*args)` in the engine's loop. After `within` seconds it is cancelled, and `engine_timed_out` raised.

        Raises `DaemonUnavailableError` if the engine has gone.
        """
        self.calls += 1
        try:
            async with asyncio.timeout(within):
                return await self._portal.call_async(fn, *args)
        except TimeoutError:
            if within is None:
                raise
            raise refused("engine_timed_out", f"the engine did not answer within {within:g} s") from None
        except RuntimeError as error:
            if "portal is not running" in str(error):
                raise refused("unavailable", "the engine is stopping") from None
            raise
        finally:
            self.calls -= 1


async def until_client_leaves(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The outcome of `work`, which is cancelled, and `ClientLeft` raised, if the client leaves before."""
    task = asyncio.create_task(work)
    watch = asyncio.create_task(_left(request))
    try:
        await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientLeft
        return task.result()
    finally:
        for each in (task, watch):
            each.cancel()
        await asyncio.wait((task, watch))
        if not task.cancelled():
            task.exception()  # looked at, so that it is not reported as forgotten


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
