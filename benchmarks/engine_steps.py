"""What a durable step costs beside the disk: `python -m benchmarks.engine_steps [--steps 2000] [--path DIR]`.

One workflow does so many activity steps, one after the other: each is one durable append. The floor is a bare LMDB commit of as
many bytes with the same settings, in the same run and on the same disk; rounds alternate. Then the journal of that
workflow is read and replayed, with the floor of reading and decoding the same frames. Last, one-step workflows run a
thousand at a time, which is what sharing commits is for.
"""

from __future__ import annotations

import argparse
import gc
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import lmdb
import trio

import aion_trio as aion
from aion_trio.codec import decode_frame
from aion_trio.definitions import Registry
from aion_trio.replay import Execution, RunIdentity, World
from aion_trio.stores import LmdbStore, WorkflowKey
from aion_trio.stores.dump import each_frame

ROUNDS = 5
COMMIT_BYTES = 300
"""Events and index rows of one step, about."""


@aion.activity
async def charge(number: int) -> int:
    """A step that costs nothing itself."""
    return number


@aion.workflow
async def long_run(steps: int) -> int:
    """One step after the other."""
    for number in range(steps):
        await charge(number)
    return steps


@aion.workflow
async def one_step(number: int) -> int:
    """As short as a workflow is."""
    return await charge(number)


@contextmanager
def fresh_directory(path: Path) -> Iterator[Path]:
    """A new directory on the disk that is measured, for one round."""
    directory = Path(tempfile.mkdtemp(prefix="benchmark-", dir=path))
    yield directory
    shutil.rmtree(directory)


def bare_commits(path: Path, count: int) -> float:
    """Seconds a synchronous commit of bare LMDB takes."""
    with fresh_directory(path) as directory:
        environment = lmdb.open(str(directory), map_size=1 << 30, sync=True, metasync=True, writemap=False, readahead=False)
        value = bytes(COMMIT_BYTES)
        began = time.perf_counter()
        for number in range(count):
            with environment.begin(write=True) as transaction:
                transaction.put(number.to_bytes(8, "big"), value, append=True)
        seconds = (time.perf_counter() - began) / count
        environment.close()
    return seconds


def durable_steps(journal: Path, count: int) -> float:
    """Seconds a step takes in a workflow of `count` steps."""

    async def run() -> float:
        async with aion.open_engine(journal, workflows=[long_run], activities=[charge]) as engine:
            began = time.perf_counter()
            await engine.execute(long_run, count, id="long")
            return (time.perf_counter() - began) / count

    return trio.run(run)


def short_workflows(path: Path, count: int) -> float:
    """Seconds a one-step workflow takes, a thousand at a time."""

    async def run(journal: Path) -> float:
        limit = trio.CapacityLimiter(1000)

        async def one(engine: aion.Engine, number: int) -> None:
            async with limit:
                await engine.execute(one_step, number, id=f"w{number}")

        async with aion.open_engine(journal, workflows=[one_step], activities=[charge]) as engine:
            began = time.perf_counter()
            async with trio.open_nursery() as nursery:
                for number in range(count):
                    nursery.start_soon(one, engine, number)
            return (time.perf_counter() - began) / count

    with fresh_directory(path) as directory:
        return trio.run(run, directory / "journal")


def read(journal: Path) -> list[list[object]]:
    """The events of the long workflow, read, checked and decoded."""
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        frames = list(each_frame(store, WorkflowKey("default", "long")))
    return decode_frame(b"".join(frame.data for frame in frames), sum(frame.count for frame in frames))


def replay(journal: Path) -> None:
    """The same, and the workflow's code run through them."""
    events = read(journal)
    run_id = events[0][4]
    assert isinstance(run_id, bytes)
    execution = Execution(long_run, RunIdentity("long", run_id, "default"), World(Registry([long_run], [charge])))
    execution.replay(events)
    assert execution.finished


def timed(run: Callable[[], object], count: int) -> float:
    """Seconds a piece takes when `run` does `count` of them."""
    gc.collect()
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) / count


def show(name: str, seconds: list[float], unit: str) -> float:
    """Print median and spread; gives the median."""
    middle = statistics.median(seconds)
    print(
        f"{name:<44} {1 / middle:>10,.0f} {unit}/s  {middle * 1e6:>8.1f} µs  ({min(seconds) * 1e6:.1f} to {max(seconds) * 1e6:.1f})",
        flush=True,
    )
    return middle


def measure(path: Path, steps: int) -> None:
    """All of it, on the disk that holds `path`."""
    bare: list[float] = []
    durable: list[float] = []
    with fresh_directory(path) as directory:
        for number in range(ROUNDS):
            bare.append(bare_commits(path, steps))
            durable.append(durable_steps(directory / f"journal{number}", steps))
        commit = show("floor: bare LMDB commits", bare, "commits")
        step = show("durable steps of one workflow", durable, "steps")
        print(f"{'':<44} a step costs {step / commit:.2f} × a commit, {(step - commit) * 1e6:+.0f} µs")
        journal = directory / "journal0"
        events = len(read(journal))
        read_s = show("floor: read and decode its journal", [timed(partial(read, journal), events) for _ in range(ROUNDS)], "events")
        replay_s = show("read, decode and replay", [timed(partial(replay, journal), events) for _ in range(ROUNDS)], "events")
        print(f"{'':<44} replay costs {replay_s / read_s:.2f} × reading and decoding")
    show("one-step workflows, 1000 at a time", [short_workflows(path, 3000) for _ in range(3)], "workflows")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--path", type=Path, default=Path("."), help="a directory on the disk to measure")
    options = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, Trio {trio.__version__}, LMDB {'.'.join(map(str, lmdb.version()))}")
    measure(options.path, options.steps)


if __name__ == "__main__":
    main()
