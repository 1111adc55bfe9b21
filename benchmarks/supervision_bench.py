"""What supervision costs: ``python -m benchmarks.supervision_bench``.

The floor is measured in the same run: a bare `trio.open_memory_channel` with the same capacity and the same work.
"""

from __future__ import annotations

import gc
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import trio
from trio.testing import wait_all_tasks_blocked

from aion_trio.supervision import Child, Mailbox, Request, open_directory, open_supervisor

CAPACITY = 64
ROUNDS = 7
SLOWEST = 0.8
LARGEST = 8192


@dataclass(frozen=True)
class Echo(Request[int]):
    """What is this number?"""

    number: int


async def channel(count: int) -> float:
    """Seconds for ``count`` messages through a bare memory channel."""
    sender, receiver = trio.open_memory_channel[int](CAPACITY)

    async def produce() -> None:
        async with sender:
            for number in range(count):
                await sender.send(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(produce)
        begun = time.perf_counter()
        async for _ in receiver:
            pass
        return time.perf_counter() - begun


async def mailbox(count: int) -> float:
    """The same through a mailbox."""
    box = Mailbox[int](CAPACITY)

    async def produce() -> None:
        for number in range(count):
            await box.address.send(number)
        box.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(produce)
        begun = time.perf_counter()
        async for _ in box:
            pass
        return time.perf_counter() - begun


async def keyed(count: int) -> float:
    """The same to one key of a directory."""

    async def activate(key: str, box: Mailbox[int]) -> None:
        async for _ in box:
            pass

    async with open_directory(activate, capacity=CAPACITY, instruments=()) as directory:
        begun = time.perf_counter()
        for number in range(count):
            await directory.send("key", number)
        directory.stop()
        await directory.stopped()
        return time.perf_counter() - begun


async def asking(count: int) -> float:
    """``count`` requests, one after the other."""
    box = Mailbox[Echo](CAPACITY)

    async def actor(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        async for request in box:
            request.reply(request.number)

    async with open_supervisor(Child("actor", actor, mailbox=box), instruments=()) as supervisor:
        begun = time.perf_counter()
        for number in range(count):
            await box.address.ask(Echo(number))
        seconds = time.perf_counter() - begun
        supervisor.stop()
    return seconds


async def idle_keys(count: int) -> tuple[float, float, float]:
    """Seconds to make and message ``count`` actors, bytes for each while all are idle, seconds to let them go."""
    received = 0

    async def activate(key: int, box: Mailbox[int]) -> None:
        nonlocal received
        async for _ in box:
            received += 1

    gc.collect()
    before = resident_bytes()
    async with open_directory(activate, idle_after=1e6, instruments=()) as directory:
        begun = time.perf_counter()
        for number in range(count):
            await directory.send(number, number)
        await wait_all_tasks_blocked()
        made = time.perf_counter() - begun
        assert received == len(directory) == count
        each = (resident_bytes() - before) / count
        begun = time.perf_counter()
        directory.stop()
        await directory.stopped()
        return made, each, time.perf_counter() - begun


async def passing_keys(count: int) -> float:
    """Seconds for ``count`` actors to be made, messaged once and let go, with room for 1000 at a time."""

    async def activate(key: int, box: Mailbox[int]) -> None:
        async for _ in box:
            pass

    begun = time.perf_counter()
    async with open_directory(activate, limit=1000, instruments=()) as directory:
        for number in range(count):
            await directory.send(number, number)
        assert len(directory) < 1100
    return time.perf_counter() - begun


async def many_children(count: int) -> tuple[float, float, float]:
    """Seconds to start ``count`` children in order, to take a snapshot, and to stop them in order."""
    stopped: list[int] = []

    async def child(number: int, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            stopped.append(number)

    children = [Child(str(number), child, (number,)) for number in range(count)]
    begun = time.perf_counter()
    async with open_supervisor(*children, instruments=()) as supervisor:
        started = time.perf_counter() - begun
        begun = time.perf_counter()
        assert len(supervisor.snapshot().children) == count
        snapshot = time.perf_counter() - begun
        begun = time.perf_counter()
        supervisor.stop()
    assert stopped == list(reversed(range(count)))
    return started, snapshot, time.perf_counter() - begun


def resident_bytes() -> int:
    """Resident memory of this process; where there is no /proc, its peak."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def rate(name: str, work: Callable[[int], Awaitable[float]], count: int) -> list[float]:
    """Measure a throughput several times and print median and spread."""
    rates = [count / trio.run(work, count) for _ in range(ROUNDS)]
    print(f"{name:34} {statistics.median(rates):>10,.0f}/s   {min(rates):,.0f} to {max(rates):,.0f}")
    return rates


def main() -> None:
    print(f"{platform.platform()}, {platform.machine()}; Python {platform.python_version()}, Trio {trio.__version__}")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f} (more than a fraction of the cores disturbs the figures)")
    count = 50_000
    floor: list[float] = []
    ratios: dict[str, list[float]] = {"mailbox": [], "directory, one key": []}
    for _ in range(ROUNDS):  # turn by turn, so that a busy moment of the machine meets both
        bare = count / trio.run(channel, count)
        floor.append(bare)
        ratios["mailbox"].append(count / trio.run(mailbox, count) / bare)
        ratios["directory, one key"].append(count / trio.run(keyed, count) / bare)
    print(f"{'bare memory channel':34} {statistics.median(floor):>10,.0f}/s   {min(floor):,.0f} to {max(floor):,.0f}")
    for name, each in ratios.items():
        print(f"{name:34} {statistics.median(each):>10.2f} x the channel   {min(each):.2f} to {max(each):.2f}")
    rate("ask and answer", asking, 10_000)
    made, each_bytes, let_go = trio.run(idle_keys, 100_000)
    print(f"100 000 keyed actors: made and messaged once in {made:.2f} s, {each_bytes:,.0f} bytes each, let go in {let_go:.2f} s")
    print(f"100 000 keyed actors through a limit of 1000: {trio.run(passing_keys, 100_000):.2f} s")
    started, snapshot, stopped = trio.run(many_children, 10_000)
    print(
        f"10 000 children: started in order in {started:.2f} s, snapshot in {snapshot * 1000:.0f} ms, stopped in order in {stopped:.2f} s"
    )
    if statistics.median(ratios["mailbox"]) < SLOWEST or each_bytes > LARGEST:
        print(f"MISSED: a mailbox is to reach {SLOWEST} x the channel, an idle actor to take {LARGEST} bytes at most")
        sys.exit(1)


if __name__ == "__main__":
    main()
