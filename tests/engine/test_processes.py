"""CPU-bound activities run in worker processes (A5, A6)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import aion_trio as aion
from aion_trio import durable
from aion_trio.stores import MemoryStore


@aion.activity(runs_in="process")
def factor(n: int) -> list[int]:
    """The prime factors of n, and the process that found them."""
    found, candidate = [os.getpid()], 2
    while n > 1:
        while n % candidate == 0:
            found.append(candidate)
            n //= candidate
        candidate += 1
    return found


@aion.activity(runs_in="process", raises=[ZeroDivisionError])
def divide(n: int) -> float:
    return 1 / n


@aion.activity(runs_in="process")
def spin() -> None:
    while True:
        pass


@aion.workflow
async def factors(n: int) -> list[int]:
    return await factor(n)


@aion.workflow
async def divides(n: int) -> str:
    try:
        return str(await divide(n))
    except ZeroDivisionError as error:
        return str(error)


@aion.workflow
async def gives_up() -> bool:
    with durable.move_on_after(1.5) as scope:
        await spin()
    return scope.cancelled_caught


async def test_a_process_computes_and_its_exception_comes_back() -> None:
    """A6, and the failure as the activity lists it."""
    async with aion.open_engine(MemoryStore(), workflows=[factors, divides], activities=[factor, divide]) as engine:
        pid, *found = await engine.execute(factors, 60)
        assert pid != os.getpid()
        assert found == [2, 2, 3, 5]
        assert await engine.execute(divides, 0) == "division by zero"


async def test_cancelling_ends_the_process() -> None:
    """A5: the worker that spins for ever is gone when the engine is."""
    async with aion.open_engine(MemoryStore(), workflows=[gives_up], activities=[spin]) as engine:
        assert await engine.execute(gives_up) is True
    assert "R" not in states_of_children()


def states_of_children() -> list[str]:
    """The states of this process's children, as Linux tells them; nothing where there is no /proc."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    pids = children.read_text().split() if children.exists() else []
    return [Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] for pid in pids]


@aion.activity(runs_in="process")
def names_itself() -> list[str]:
    info = aion.activity_info()
    try:
        aion.heartbeat(1)
    except aion.NotInActivityError as error:
        return [info.workflow_id, info.idempotency_key, str(info.attempt), str(error)]
    return []


@aion.activity(runs_in="process")
def dies() -> None:
    os._exit(1)


@aion.workflow
async def asks_for_its_name() -> list[str]:
    return await names_itself()


@aion.workflow
async def loses_a_worker() -> None:
    await dies()


async def test_an_activity_in_a_process_knows_its_key() -> None:
    """A1; a heartbeat is refused, since nobody would hear it."""
    async with aion.open_engine(MemoryStore(), workflows=[asks_for_its_name], activities=[names_itself]) as engine:
        handle = await engine.start(asks_for_its_name, id="w")
        workflow_id, key, attempt, refusal = await handle.result()
        described = await handle.describe()
    assert (workflow_id, key, attempt) == ("w", f"w/{described.run_id}/1", "1")
    assert "heartbeat() is not heard from a worker process" in refusal


async def test_a_worker_that_dies_fails_the_attempt_and_says_how_that_may_come() -> None:
    """A6, R8."""
    async with aion.open_engine(MemoryStore(), workflows=[loses_a_worker], activities=[dies]) as engine:
        with pytest.raises(aion.WorkflowFailedError, match=r"the worker process of activity 'dies' died: .*__main__"):
            await engine.execute(loses_a_worker)
