"""The workflows of the golden histories, as they were when those were recorded: this file does not change.

Together they use every feature of the kernel that has an order, and write every event that the engine writes. What is new goes
into new workflows, at the end.
"""

from __future__ import annotations

import datetime
from typing import Any

import anyio
import trio

import aion_trio as aion
from aion_trio import durable

word = aion.Signal("word", int)


class Refused(Exception):
    """What `refuses` raises."""


@aion.activity
async def work(name: str, value: int) -> int:
    """One second of work."""
    await trio.sleep(1)
    return value + 1


@aion.activity
async def endless(name: str) -> None:
    """Never returns by itself."""
    await trio.sleep_forever()


@aion.activity(retry=aion.RetryPolicy(max_attempts=3, initial=5, factor=2))
async def second_time(name: str) -> int:
    """Fails once."""
    attempt = aion.activity_info().attempt
    if attempt < 2:
        raise OSError(f"{name} is not ready")
    return attempt


@aion.activity(raises=(Refused,))
async def refuses(name: str) -> None:
    """Fails for good."""
    raise Refused(name)


@aion.workflow
async def activities(n: int) -> list[Any]:
    """Success, retry, failure, and an attempt that a time-out cancels."""
    found: list[Any] = [await work("first", n), await second_time("retried")]
    try:
        await refuses("card")
    except Refused as error:
        found.append(str(error))
    with durable.move_on_after(3) as scope:
        await endless("cut off")
    return [*found, scope.cancelled_caught]


@aion.workflow
async def branches(n: int) -> list[Any]:
    """A nursery with started tasks, limits of every kind, and a channel; who comes first is the kernel's order."""
    said: list[Any] = []
    lock, places, limit = durable.Lock(), durable.Semaphore(2), durable.CapacityLimiter(1)
    ready, told = durable.Event(), durable.Condition()
    send, receive = durable.open_memory_channel(1)

    async def member(number: int, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started(number)
        await ready.wait()
        async with places, limit:
            said.append(("in", number, await work(f"member {number}", number)))
        async with lock:
            await durable.checkpoint()
            said.append(("out", number))
        async with told:
            told.notify()
        await send.send(number)

    async def waits_for_one() -> None:
        async with told:
            await told.wait()
        said.append("told")

    async with durable.open_nursery() as nursery:
        nursery.start_soon(waits_for_one)
        for number in range(n):
            said.append(await nursery.start(member, number))
        ready.set()
        said.append([await receive.receive() for _ in range(n)])
    return said


@aion.workflow
async def scopes(n: int) -> list[Any]:
    """Deadlines within deadlines, shields, a cancelled nursery, groups of exceptions, a sleep until a time."""
    said: list[Any] = []
    began = durable.current_time()
    with durable.move_on_after(10) as outer:
        with durable.CancelScope(shield=True, deadline=began + 12):
            await durable.sleep(11)
        said.append(durable.current_time() - began)
        await durable.sleep(1)
    said.append(outer.cancelled_caught)
    try:
        with durable.fail_after(2):
            await durable.sleep_forever()
    except trio.TooSlowError:
        said.append("too slow")

    async def fails(name: str) -> None:
        await work(name, n)
        raise ValueError(name)

    try:
        async with durable.open_nursery() as nursery:
            nursery.start_soon(fails, "one")
            nursery.start_soon(fails, "other")
            nursery.start_soon(durable.sleep, 100)
    except* ValueError as group:
        said.append(sorted(str(error) for error in group.exceptions))
    async with durable.open_nursery() as nursery:
        nursery.start_soon(endless, "left")
        await durable.sleep_until(durable.current_time() + 1)
        nursery.cancel_scope.cancel()
    return said


@aion.workflow
async def on_anyio(n: int) -> list[Any]:
    """Code that was written for AnyIO."""
    said: list[Any] = []
    done = anyio.Event()

    async def member(number: int) -> None:
        await anyio.sleep(number)
        said.append(number)
        if number == n - 1:
            done.set()

    async with anyio.create_task_group() as group:
        for number in range(n):
            group.start_soon(member, number)
        await done.wait()
        with anyio.move_on_after(1):
            await anyio.sleep(5)
    return said


@aion.workflow
async def knows(n: int) -> list[Any]:
    """What comes from the run's seed and from the event before: random numbers, time; attributes, a patch."""
    durable.set_attributes({"shop": "Ulm", "cents": n, "vip": True, "since": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)})
    said: list[Any] = [durable.random().random(), durable.random().randint(0, 10**9), durable.now().isoformat()]
    await durable.sleep(0.5)
    if durable.patched("more"):
        said.append(await work("patched", n))
    durable.set_attributes({"vip": None, "cents": n + 1})
    return [*said, durable.now().isoformat(), durable.random().getrandbits(64)]


@aion.workflow
async def leaf(n: int) -> int:
    """One step."""
    return await work("leaf", n)


@aion.workflow
async def breaks(n: int) -> int:
    """Fails after a step."""
    await work("doomed", n)
    raise ValueError(f"no {n}")


@aion.workflow
async def hangs(n: int) -> int:
    """Waits for ever, and undoes its work when it is cancelled."""
    try:
        await endless("hang")
    except durable.Cancelled:
        with durable.CancelScope(shield=True):
            await work("undo", n)
        raise
    return n


@aion.workflow(timeout=20)
async def too_long(n: int) -> int:
    """Exceeds its run's time-out."""
    await durable.sleep(500)
    return n


@aion.workflow
async def parent(n: int) -> list[Any]:
    """Children that succeed, fail, time out, are cancelled, are left to each policy."""
    found: list[Any] = [await leaf(n)]
    for child in (breaks, too_long):
        try:
            await child(n)
        except aion.ChildWorkflowFailedError as error:
            found.append(error.kind)
    with durable.move_on_after(2):
        await hangs(n)
    for policy in ("terminate", "cancel", "abandon"):
        await durable.start_child(hangs if policy != "abandon" else leaf, n, id=f"left to {policy}", on_parent_close=policy)
    await durable.sleep(1.5)
    return found


@aion.workflow
async def chain(total: int) -> int:
    """Takes one signal a run; those that wait are carried along."""
    total += await work("carry", await word.receive())
    if total < 10:
        durable.continue_as_new(total)
    return total


@aion.workflow
async def tells(target: str) -> list[str]:
    """Signals another workflow, and one that is not there."""
    said: list[str] = []
    for name, value in ((target, 3), (target, 4), ("nobody", 5)):
        try:
            await durable.signal_workflow(name, word, value)
            said.append("delivered")
        except aion.SignalNotDeliveredError:
            said.append("refused")
    return said


WORKFLOWS = [activities, branches, scopes, on_anyio, knows, leaf, breaks, hangs, too_long, parent, chain, tells]
ACTIVITIES = [work, endless, second_time, refuses]


async def clients(engine: aion.Engine) -> None:
    """What the clients of the golden histories did."""
    for definition in (activities, branches, scopes, on_anyio, knows, parent):
        await engine.execute(definition, 3, id=definition.name, request_id=f"start {definition.name}")
    carried = await engine.start(chain, 0, id="chain")
    await carried.signal(word, 1, request_id="one")
    await engine.execute(tells, "chain", id="tells")
    await carried.signal(word, 9, request_id="nine")
    await carried.result()
    cancelled = await engine.start(hangs, 1, id="cancelled")
    ended = await engine.start(hangs, 2, id="terminated")
    await trio.sleep(1)
    await cancelled.cancel("a client asked")
    await ended.terminate("by hand")
    await trio.sleep(30)
    for n in (1, 2):
        await engine.execute(leaf, n, id="again", if_exists="new_run", timeout=60, attributes={"n": n})
    await trio.sleep(300)
