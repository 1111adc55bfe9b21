"""Scenarios over everything that the engine offers, for the exploration of crashes.

Each is what clients do, written so that it can be done again after a crash: with ids and request ids. What a scenario returns
depends on nothing but its arguments. Where clients must wait for a workflow to get somewhere, they watch its history.
"""

from __future__ import annotations

from typing import Any, Literal

import trio

import aion_trio as aion
from aion_trio import durable

from .harness import until

word = aion.Signal("word", int)
place = aion.Query("place", str)


@aion.activity
async def step(name: str, value: int) -> int:
    """One second of work."""
    await trio.sleep(1)
    return value + 1


@aion.activity
async def at_once(name: str, value: int) -> int:
    """No work at all."""
    return value + 1


@aion.activity
async def endless(name: str) -> None:
    """Never returns by itself."""
    await trio.sleep_forever()


@aion.activity(retry=aion.RetryPolicy(max_attempts=4, initial=5, factor=2))
async def third_time(name: str) -> str:
    """Fails twice, ten seconds apart."""
    if aion.activity_info().attempt < 3:
        raise OSError(f"{name} is not ready")
    return name


class Declined(Exception):
    """What `declines` raises."""


@aion.activity(raises=(Declined,))
async def declines(name: str) -> None:
    """Fails for good."""
    raise Declined(name)


# ---- steps, branches, retries, time


@aion.workflow
async def sequence(n: int) -> int:
    """Steps, a failure that is caught, retries."""
    for number in range(n):
        n = await step(f"s{number}", n)
    try:
        await declines("card")
    except Declined:
        n = await at_once("undo", n)
    return n + len(await third_time("third"))


@aion.workflow
async def fan_out(n: int) -> list[int]:
    """Many steps side by side, which take no time."""
    found = [0] * n

    async def one(number: int) -> None:
        found[number] = await at_once(f"f{number}", number)

    async with durable.open_nursery() as nursery:
        for number in range(n):
            nursery.start_soon(one, number)
    return found


@aion.workflow
async def two_branches(n: int) -> dict[str, list[int]]:
    """Two branches of sequential steps."""
    found: dict[str, list[int]] = {"left": [], "right": []}

    async def branch(name: str) -> None:
        for number in range(n):
            found[name].append(await at_once(name, number))

    async with durable.open_nursery() as nursery:
        nursery.start_soon(branch, "left")
        nursery.start_soon(branch, "right")
    return found


@aion.workflow
async def sleeper(seconds: float) -> list[str]:
    """Timers one after the other, two together, and one that is cancelled."""
    await durable.sleep(seconds)
    async with durable.open_nursery() as nursery:
        nursery.start_soon(durable.sleep, seconds)
        nursery.start_soon(durable.sleep, 2 * seconds)
    with durable.move_on_after(1) as scope:
        await durable.sleep(1000)
    return ["slept", "cut off" if scope.cancelled_caught else "not cut off"]


@aion.workflow
async def impatient(n: int) -> str:
    """Durable time-outs around activities that never end, then one that is not needed."""
    for _ in range(n):
        with durable.move_on_after(10):
            await endless("endless")
    with durable.fail_after(1000):
        await step("quick", 1)
    return "moved on"


@aion.workflow(timeout=30)
async def too_long(n: int) -> int:
    """Exceeds its run time-out, with an activity and a timer in hand."""
    async with durable.open_nursery() as nursery:
        nursery.start_soon(endless, "endless")
        nursery.start_soon(durable.sleep, 500)
    return n


# ---- signals, queries


@aion.workflow
async def listens(n: int) -> list[int]:
    """Receives `n` signals and takes a step for each."""
    heard: list[int] = []
    place.serve(lambda: f"heard {len(heard)}")
    for _ in range(n):
        heard.append(await at_once("heard", await word.receive()))
    return heard


@aion.workflow
async def tells(target: str, values: list[int]) -> list[str]:
    """Signals another workflow, in order; says which signals were refused."""
    said: list[str] = []
    for value in values:
        try:
            await durable.signal_workflow(target, word, value)
            said.append("delivered")
        except aion.SignalNotDeliveredError:
            said.append("refused")
    return said


# ---- children


@aion.workflow
async def leaf(n: int) -> int:
    """One step."""
    return await step("leaf", n)


@aion.workflow
async def fails(n: int) -> int:
    """A child that fails after a step."""
    await step("doomed", n)
    raise ValueError(f"no {n}")


@aion.workflow
async def hangs(n: int) -> int:
    """Waits for ever, and undoes its work when it is cancelled."""
    try:
        await endless("hang")
    except durable.Cancelled:
        with durable.CancelScope(shield=True):
            await at_once("undo", n)
        raise
    return n


@aion.workflow
async def counts_down(n: int) -> str:
    """A chain of runs."""
    await at_once("count", n)
    if n > 0:
        durable.continue_as_new(n - 1)
    return "zero"


@aion.workflow
async def becomes(n: int) -> int:
    """Turns into another type, at once and twice in one step."""
    durable.continue_as_new(n, 2, workflow=passes_on)
    return 0


@aion.workflow
async def passes_on(n: int, left: int) -> int:
    """Continues as new before it has done anything."""
    if left:
        durable.continue_as_new(n + 1, left - 1)
    return await step("end", n)


@aion.workflow
async def family(n: int) -> list[Any]:
    """Children one after the other, in a nursery, one that fails, one that is a chain of runs."""
    found: list[Any] = [await leaf(n)]
    async with durable.open_nursery() as nursery:
        nursery.start_soon(leaf, n + 1)
        nursery.start_soon(counts_down, 1)
        nursery.start_soon(becomes, 1)
    try:
        await fails(n)
    except aion.ChildWorkflowFailedError as error:
        found.append(error.kind)
    return [*found, await counts_down(2)]


@aion.workflow
async def leaves(policy: Literal["terminate", "cancel", "abandon"], seconds: float) -> str:
    """Starts children that do not end, or not soon, and closes after a while."""
    await durable.start_child(hangs, 1, id=f"{policy} hangs {seconds}", on_parent_close=policy)
    await durable.start_child(sleeper, 40.0, id=f"{policy} sleeps {seconds}", on_parent_close=policy)
    if seconds:
        await durable.sleep(seconds)
    return policy


@aion.workflow
async def lets_go(n: int) -> list[str]:
    """Cancels children by the scope around them and by their handle, and meets an id that is taken."""
    with durable.move_on_after(5) as scope:
        await hangs(n)
    handle = await durable.start_child(hangs, n, id="by handle")
    await step("meanwhile", n)
    handle.cancel()
    said = ["cut off" if scope.cancelled_caught else "?"]
    for child in (handle, await durable.start_child(leaf, n, id="taken")):
        try:
            await child.result()
        except aion.ChildWorkflowFailedError as error:
            said.append(error.kind)
    return said


@aion.workflow
async def slow_to_go(n: int) -> int:
    """Waits for ever, and takes its time to undo its work when it is cancelled."""
    try:
        await endless("slow")
    except durable.Cancelled:
        with durable.CancelScope(shield=True):
            await step("undo slowly", n)
        raise
    return n


@aion.workflow
async def changes_its_mind(n: int) -> int:
    """Asks a child to cancel, and closes, which is to terminate it, a moment later."""
    handle = await durable.start_child(slow_to_go, n, id=f"slow {n}")
    await step("meanwhile", n)
    handle.cancel()
    for number in range(n % 3):
        await at_once("a moment", number)
    return n


@aion.workflow
async def holds(n: int) -> int:
    """Holds children of every kind until it is terminated."""
    async with durable.open_nursery() as nursery:
        nursery.start_soon(hangs, n)
        nursery.start_soon(leaves, "abandon", 1000.0)
        await durable.start_child(sleeper, 500.0, id="held", on_parent_close="cancel")
        nursery.start_soon(endless, "held")
    return n


@aion.workflow
async def simultaneous(n: int) -> str:
    """Closes at the moment at which its children close."""
    for number in range(n):
        await durable.start_child(sleeper, 2.5, id=f"twin {number}", on_parent_close="terminate" if number % 2 else "cancel")
    await durable.sleep(8.5)
    return "closed"


# ---- continue-as-new


@aion.workflow
async def carries(total: int) -> int:
    """Takes one signal a run, and works on it; those that wait are carried along."""
    total += await step("carry", await word.receive())
    if total < 100:
        durable.continue_as_new(total)
    return total


@aion.workflow
async def stubborn(n: int) -> str:
    """Continues as new in spite of a cancel request, which is carried."""
    try:
        await endless("stubborn")
    except durable.Cancelled:
        if n == 0:
            with durable.CancelScope(shield=True):
                await at_once("last words", n)
            raise
        durable.continue_as_new(n - 1)
    return "never"


WORKFLOWS = (
    sequence, fan_out, two_branches, sleeper, impatient, too_long, listens, tells, leaf, fails, hangs, counts_down, family, leaves,
    lets_go, slow_to_go, changes_its_mind, holds, simultaneous, carries, stubborn, becomes, passes_on,
)  # fmt: skip
ACTIVITIES = (step, at_once, endless, third_time, declines)


# ---- what clients do


async def outcome(handle: aion.WorkflowHandle[Any]) -> object:
    """How a workflow ended, as a value."""
    try:
        return await handle.result()
    except (aion.WorkflowFailedError, aion.WorkflowCancelledError, aion.WorkflowTerminatedError, aion.WorkflowTimedOutError) as error:
        return type(error).__name__


async def ended(engine: aion.Engine, *workflow_ids: str) -> list[object]:
    """How several workflows ended."""
    return [await outcome(engine.handle(workflow_id)) for workflow_id in workflow_ids]


async def steps(engine: aion.Engine) -> object:
    """Sequential steps, failures, retries with back-off."""
    return await engine.execute(sequence, 2, id="s")


async def fan(engine: aion.Engine) -> object:
    """A fan-out, and branches."""
    return [await engine.execute(fan_out, 5, id="f"), await engine.execute(two_branches, 3, id="b")]


async def timers(engine: aion.Engine) -> object:
    """Timers and time-outs."""
    slow = await engine.start(sleeper, 3600.0, id="t")
    cut = await engine.start(impatient, 2, id="i")
    late = await engine.start(too_long, 1, id="l")
    return [await outcome(handle) for handle in (slow, cut, late)]


async def letters(engine: aion.Engine) -> object:
    """Signals from outside with request ids, and queries in between."""
    await engine.start(listens, 3, id="e")
    handle = engine.handle("e")
    for number in range(3):
        await handle.signal(word, number, request_id=f"w{number}")
        assert isinstance(await handle.query(place), str)
    heard = await handle.result()
    return [heard, await handle.query(place)]


async def gossip(engine: aion.Engine) -> object:
    """Signals between workflows: delivered in order, refused by the closed and the missing."""
    await engine.start(listens, 4, id="ear")
    first = await engine.start(tells, "ear", [10, 20], id="m1")
    second = await engine.start(tells, "nobody", [1], id="m2")
    told = [await first.result(), await second.result()]
    told.append(await engine.execute(tells, "ear", [30, 40], id="m3"))
    heard = await engine.handle("ear").result()
    return [*told, heard, await engine.execute(tells, "ear", [50], id="m4")]


async def kin(engine: aion.Engine) -> object:
    """Children of every kind, awaited."""
    return await engine.execute(family, 1, id="k")


async def policies(engine: aion.Engine) -> object:
    """Parents that close before their children, at once and later, with each policy."""
    for policy in ("terminate", "cancel", "abandon"):
        for seconds in (0.0, 30.0):
            await engine.execute(leaves, policy, seconds, id=f"{policy} {seconds}")
    for seconds in (0.0, 30.0):
        await until(engine, f"abandon hangs {seconds}", "ActivityScheduled")
        await engine.handle(f"abandon hangs {seconds}").cancel(request_id="enough")
    return await ended(engine, *[f"abandon {what} {seconds}" for what in ("hangs", "sleeps") for seconds in (0.0, 30.0)])


async def letting_go(engine: aion.Engine) -> object:
    """Children that are cancelled, and an id that is taken."""
    await engine.start(listens, 1, id="taken")
    said = await engine.execute(lets_go, 1, id="g")
    await engine.handle("taken").signal(word, 1, request_id="free")
    return [said, *await ended(engine, "taken", "by handle")]


async def ending(engine: aion.Engine) -> object:
    """Cancel with clean-up under a shield; terminate a parent of many."""
    handle = await engine.start(hangs, 3, id="c")
    await until(engine, "c", "ActivityScheduled")
    await handle.cancel("enough", request_id="c1")
    holder = await engine.start(holds, 1, id="h")
    for workflow_id in ("held", "abandon hangs 1000.0", "abandon sleeps 1000.0"):
        await until(engine, workflow_id, "WorkflowStarted")
    try:
        await holder.terminate("enough")
    except aion.WorkflowClosedError:
        pass  # it was, before the crash
    await engine.handle("abandon hangs 1000.0").cancel(request_id="c2")
    return await ended(engine, "c", "h", "held")


async def minds(engine: aion.Engine) -> object:
    """A cancel request that is followed by a termination at once: the termination is not lost with the request's row."""
    handles = [await engine.start(changes_its_mind, number, id=f"mind {number}") for number in range(6)]
    closed = [await outcome(handle) for handle in handles]
    return [closed, await ended(engine, *[f"slow {number}" for number in range(6)])]


async def twins(engine: aion.Engine) -> object:
    """Parent and children close at the same moment."""
    return await engine.execute(simultaneous, 4, id="x")


async def generations(engine: aion.Engine) -> object:
    """Continue-as-new with carried signals, with a carried cancel request, into another type."""
    carrier = await engine.start(carries, 0, id="carrier")
    for number in range(4):
        await carrier.signal(word, 25 + number, request_id=f"n{number}")
    stubborn_one = await engine.start(stubborn, 2, id="stubborn")
    await until(engine, "stubborn", "ActivityScheduled")
    await stubborn_one.cancel("please", request_id="p")
    other = await engine.start(becomes, 1, id="becomes")
    return [await outcome(handle) for handle in (carrier, stubborn_one, other)]


async def crowd(engine: aion.Engine) -> object:
    """Many of different kinds at once."""
    handles = [
        await engine.start(family, 1, id="k1"),
        await engine.start(two_branches, 2, id="k2"),
        await engine.start(counts_down, 2, id="k3"),
        await engine.start(listens, 2, id="k4"),
        await engine.start(tells, "k4", [1, 2], id="k5"),
        await engine.start(impatient, 1, id="k6"),
    ]
    return [await outcome(handle) for handle in handles]
