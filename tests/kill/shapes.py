"""Workflows of every shape that the engine has, each with the result that it must have, whatever happens to the process.

Every effect is one line in a file: idempotency key, workflow and step. A result is a function of the arguments alone, so that
it can be compared with what an undisturbed run gives.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass

import trio

import aion_trio as aion
from aion_trio import durable

EFFECTS: ContextVar[int] = ContextVar("EFFECTS")
"""The descriptor of the file that activities append to; short appends are whole or not there."""


def note(workflow_id: str, name: str) -> None:
    """Append one effect."""
    os.write(EFFECTS.get(), f"{aion.activity_info().idempotency_key} {workflow_id} {name}\n".encode())


@aion.activity
async def step(workflow_id: str, name: str, value: int) -> int:
    """An effect, then twice the value."""
    await trio.sleep(0.002)
    note(workflow_id, name)
    return 2 * value


@aion.activity
def step_in_thread(workflow_id: str, name: str, value: int) -> int:
    """The same in a thread."""
    note(workflow_id, name)
    return 2 * value


@aion.activity(retry=aion.RetryPolicy(max_attempts=20, initial=0.01, factor=1))
async def flaky(workflow_id: str, name: str, value: int) -> int:
    """Fails in its first two attempts."""
    if aion.activity_info().attempt < 3:
        raise OSError("try again")
    return await step.fn(workflow_id, name, value)


@aion.activity
async def endless(workflow_id: str) -> None:
    """Never returns by itself."""
    await trio.sleep_forever()


word = aion.Signal("word", int)


@aion.workflow
async def chain(me: str) -> list[int]:
    """Sequential steps, in tasks, in threads and with retries."""
    value = 1
    values = [value]
    for number, activity in enumerate((step, step_in_thread, flaky, step)):
        value = await activity(me, f"s{number}", value)
        values.append(value)
    return values


@aion.workflow
async def branches(me: str) -> dict[str, list[int]]:
    """Two concurrent branches of sequential steps."""
    found: dict[str, list[int]] = {"left": [], "right": []}

    async def branch(name: str, start: int) -> None:
        for number in range(3):
            found[name].append(await step(me, f"{name}{number}", start + number))

    async with durable.open_nursery() as nursery:
        nursery.start_soon(branch, "left", 10)
        nursery.start_soon(branch, "right", 20)
    return found


@aion.workflow
async def leaf(me: str, value: int) -> int:
    """A child: sleeps, then one step."""
    await durable.sleep(0.02)
    return await step(me, "leaf", value)


@aion.workflow
async def family(me: str) -> list[int]:
    """Awaited children side by side, and one that outlives its parent."""
    results = [0, 0]

    async def adopt(place: int) -> None:
        results[place] = await leaf(f"{me}/{place}", place + 1)

    async with durable.open_nursery() as nursery:
        nursery.start_soon(adopt, 0)
        nursery.start_soon(adopt, 1)
    await durable.start_child(leaf, f"{me}/late", 7, id=f"{me}/late", on_parent_close="abandon")
    return results


@aion.workflow
async def impatient(me: str) -> str:
    """A durable time-out around an activity that never ends."""
    with durable.move_on_after(0.05) as scope:
        await endless(me)
    await step(me, "after", 1)
    return "timed out" if scope.cancelled_caught else "impossible"


@aion.workflow
async def generations(me: str, left: int, seen: list[int]) -> list[int]:
    """A chain of runs by continue-as-new."""
    seen = [*seen, await step(me, f"generation{left}", left)]
    if left:
        durable.continue_as_new(me, left - 1, seen)
    return seen


@aion.workflow
async def reader(me: str) -> list[int]:
    """Waits for three words of another workflow."""
    return [await word.receive() for _ in range(3)]


@aion.workflow
async def writer(me: str) -> int:
    """Sends three words to its reader, with a step in between."""
    for number in range(3):
        await durable.signal_workflow(f"{me}/in", word, number)
        await step(me, f"said{number}", number)
    return 3


WORKFLOWS = (chain, branches, leaf, family, impatient, generations, reader, writer)
ACTIVITIES = (step, step_in_thread, flaky, endless)


@dataclass(frozen=True, slots=True)
class Due:
    """One workflow that there must be: its id, its result, the names of its steps."""

    id: str
    result: object
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """How to start a workflow, or two that belong together, under a base id; and what must have come of it."""

    start: Callable[[aion.Engine, str], Awaitable[object]]
    due: Callable[[str], tuple[Due, ...]]


def due_of_chain(me: str) -> tuple[Due, ...]:
    return (Due(me, [1, 2, 4, 8, 16], ("s0", "s1", "s2", "s3")),)


def due_of_branches(me: str) -> tuple[Due, ...]:
    steps = tuple(f"{side}{number}" for side in ("left", "right") for number in range(3))
    return (Due(me, {"left": [20, 22, 24], "right": [40, 42, 44]}, steps),)


def due_of_family(me: str) -> tuple[Due, ...]:
    """The awaited children have ids of their own making; their steps name their place."""
    return (Due(me, [2, 4], ()), Due(f"{me}/late", 14, ("leaf",)))


def due_of_impatient(me: str) -> tuple[Due, ...]:
    return (Due(me, "timed out", ("after",)),)


def due_of_generations(me: str) -> tuple[Due, ...]:
    return (Due(me, [6, 4, 2, 0], tuple(f"generation{left}" for left in (3, 2, 1, 0))),)


def due_of_mail(me: str) -> tuple[Due, ...]:
    return (Due(me, 3, ("said0", "said1", "said2")), Due(f"{me}/in", [0, 1, 2], ()))


async def start_mail(engine: aion.Engine, me: str) -> None:
    """The reader before the writer: a signal to a workflow that does not exist is refused."""
    await engine.start(reader, f"{me}/in", id=f"{me}/in")
    await engine.start(writer, me, id=me)


def due_of_letters(me: str) -> tuple[Due, ...]:
    return (Due(me, [0, 1, 2], ()),)


async def start_letters(engine: aion.Engine, me: str) -> None:
    """Three signals from outside, each sent again after a crash by the request id that it had before it."""
    handle = await engine.start(reader, me, id=me)
    for number in range(3):
        await handle.signal(word, number, request_id=f"{me}/{number}")


SHAPES = (
    Shape(lambda engine, me: engine.start(chain, me, id=me), due_of_chain),
    Shape(lambda engine, me: engine.start(branches, me, id=me), due_of_branches),
    Shape(lambda engine, me: engine.start(family, me, id=me), due_of_family),
    Shape(lambda engine, me: engine.start(impatient, me, id=me), due_of_impatient),
    Shape(lambda engine, me: engine.start(generations, me, 3, [], id=me), due_of_generations),
    Shape(start_mail, due_of_mail),
    Shape(start_letters, due_of_letters),
)
