"""Work that is shared: begun once, and cancelled with the last who waits for it."""

from __future__ import annotations

import asyncio

from aion_trio.daemon.sharing import Shared


def test_those_who_wait_for_one_thing_share_it() -> None:
    async def scenario() -> None:
        shared: Shared[int] = Shared()
        begun: list[int] = []
        go = asyncio.Event()

        async def work() -> int:
            begun.append(1)
            await go.wait()
            return len(begun)

        first, second = shared.join("a", work), shared.join("a", work)
        other = shared.join("b", work)
        assert first is second and first is not other and len(shared) == 2
        await asyncio.sleep(0)
        shared.leave("a", first)
        go.set()
        assert await second == 2 and await other == 2
        again = shared.join("a", work)
        assert again is not second and await again == 3
        shared.leave("a", second)
        shared.leave("a", again)
        shared.leave("b", other)
        assert len(shared) == 0

    asyncio.run(scenario())


def test_the_last_who_leaves_cancels_it() -> None:
    async def scenario() -> None:
        shared: Shared[bool] = Shared()
        first, second = shared.join("a", asyncio.Event().wait), shared.join("a", asyncio.Event().wait)
        shared.leave("a", first)
        await asyncio.sleep(0)
        assert not second.cancelled() and len(shared) == 1
        shared.leave("a", second)
        await asyncio.wait((second,))
        assert second.cancelled() and len(shared) == 0

    asyncio.run(scenario())
