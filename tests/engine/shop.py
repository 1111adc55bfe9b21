"""Definitions that the engine's tests run: small, and each shows one capability."""

from __future__ import annotations

import trio

import aion_trio as aion
from aion_trio import durable

EFFECTS: list[tuple[str, object]] = []
"""What activities did, in order; a test clears it first."""

go = aion.Signal("go", int)
stage = aion.Query("stage", str)


@aion.activity
async def add(a: int, b: int) -> int:
    EFFECTS.append(("add", (a, b)))
    return a + b


@aion.activity
def add_in_thread(a: int, b: int) -> int:
    EFFECTS.append(("add_in_thread", (a, b)))
    return a + b


@aion.activity
async def hang() -> str:
    EFFECTS.append(("hang", aion.activity_info().attempt))
    await trio.sleep_forever()
    return "never"


@aion.activity(retry=aion.RetryPolicy(max_attempts=3, initial=10.0, factor=2))
async def fails_twice(n: int) -> int:
    attempt = aion.activity_info().attempt
    EFFECTS.append(("fails_twice", attempt))
    if attempt < 3:
        raise ValueError(f"attempt {attempt}")
    return n


class Declined(Exception):
    pass


@aion.activity(raises=(Declined,))
async def declines(reason: str) -> None:
    EFFECTS.append(("declines", reason))
    raise Declined(reason)


@aion.activity(retry=aion.RetryPolicy(max_attempts=5, initial=0.1, non_retryable=(KeyError,)))
async def never_again() -> None:
    EFFECTS.append(("never_again", aion.activity_info().attempt))
    raise KeyError("gone")


@aion.workflow
async def double(n: int) -> int:
    return await add(n, n)


@aion.workflow
async def waits(n: int) -> int:
    stage.serve(lambda: "waiting")
    return n + await go.receive()


@aion.workflow
async def sums(n: int) -> int:
    """All signals until a negative one."""
    total = n
    async for value in go:
        if value < 0:
            return total
        total += value
    return total


@aion.workflow
async def hangs() -> str:
    return await hang()


@aion.workflow
async def sleeps(seconds: float) -> str:
    await durable.sleep(seconds)
    return "rested"


@aion.workflow
async def parent(n: int) -> int:
    """Awaits one child."""
    return 1000 + await double(n)


@aion.workflow
async def family(sizes: list[int]) -> list[int]:
    """Children side by side, results in the order of the sizes."""
    found: dict[int, int] = {}

    async def one(position: int, n: int) -> None:
        found[position] = await double(n)

    async with durable.open_nursery() as nursery:
        for position, n in enumerate(sizes):
            nursery.start_soon(one, position, n)
    return [found[position] for position in range(len(sizes))]


@aion.workflow
async def starts_and_leaves(child_id: str, policy: str) -> str:
    """Starts a child and closes without waiting for it."""
    child = await durable.start_child(hangs, id=child_id, on_parent_close=policy)
    return child.id


@aion.workflow
async def holds_child(child_id: str) -> int:
    """Starts a child by id, waits for a signal of its own, then for the child."""
    child = await durable.start_child(waits, 1, id=child_id)
    await go.receive()
    return await child.result()


@aion.workflow
async def sends(target: str, value: int) -> str:
    try:
        await durable.signal_workflow(target, go, value)
    except aion.SignalNotDeliveredError:
        return "refused"
    return "delivered"


@aion.workflow
async def counts_down(n: int) -> str:
    await add(n, 0)
    if n > 0:
        durable.continue_as_new(n - 1)
    return "zero"


@aion.workflow
async def turns_into_double(n: int) -> int:
    await add(n, 1)
    durable.continue_as_new(n, workflow=double)
    return 0


@aion.workflow
async def carries(n: int) -> int:
    """Takes one signal a run and continues as new; signals that wait are carried."""
    total = n + await go.receive()
    if total < 100:
        durable.continue_as_new(total)
    return total


@aion.workflow
async def gives_up_after(seconds: float) -> list[object]:
    """A durable time-out around an activity that never ends."""
    with durable.move_on_after(seconds) as scope:
        await hang()
    return [scope.cancelled_caught, await add(1, 1)]


@aion.workflow
async def cleans_up(n: int) -> int:
    """Undoes its work under a shield when it is cancelled."""
    try:
        await hang()
    except durable.Cancelled:
        with durable.CancelScope(shield=True):
            await add(n, -n)
        raise
    return n


@aion.workflow
async def two_branches(n: int) -> list[str]:
    """Two concurrent branches of sequential steps; what they found, in the order in which they found it."""
    seen: list[str] = []

    async def branch(name: str, step: int) -> None:
        for i in range(3):
            value = await add(step * 10, i)
            seen.append(f"{name}{value}")

    async with durable.open_nursery() as nursery:
        nursery.start_soon(branch, "a", 1)
        nursery.start_soon(branch, "b", 2)
    return seen


@aion.workflow
async def retried(n: int) -> int:
    return await fails_twice(n)


WORKFLOWS = [
    double, waits, sums, hangs, sleeps, parent, family, starts_and_leaves, holds_child, sends, counts_down,
    turns_into_double, carries, gives_up_after, cleans_up, two_branches, retried,
]  # fmt: skip
ACTIVITIES = [add, add_in_thread, hang, fails_twice, declines, never_again]
