"""Bad input: each a clear typed error where it is given, nothing recorded, nobody else affected."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import lmdb
import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio.codec import ZlibCodec
from aion_trio.stores import LmdbStore, MemoryStore
from aion_trio.stores.lmdb_store.layout import FORMAT_VERSION, META_FORMAT, NUMBER, TABLES
from aion_trio.stores.lmdb_store.records import seal

from . import shop
from .evidence import owed
from .harness import engine_on, names_of


@dataclass
class Parcel:
    weight: float
    notes: dict[str, list[int]]


@dataclass
class Order:
    id: str
    parcels: list[Parcel]
    at: datetime | None = None


@aion.workflow
async def ships(order: Order, urgent: bool = False) -> int:
    return len(order.parcels)


@aion.activity
async def echoes(text: str) -> str:
    return text


big = aion.Signal("big", str)


@aion.workflow
async def passes_on(size: int) -> str:
    """Calls an activity with so many characters."""
    try:
        return await echoes("x" * size)
    except aion.PayloadTooLargeError:
        return "too large"


@aion.workflow
async def swells(size: int) -> str:
    """Returns so many characters."""
    return "x" * size


@aion.workflow
async def hears() -> int:
    return len(await big.receive())


WORKFLOWS = [*shop.WORKFLOWS, ships, passes_on, swells, hears]


def opened(store: Any = None, **settings: Any) -> Any:
    return engine_on(store if store is not None else MemoryStore(), workflows=WORKFLOWS, activities=[*shop.ACTIVITIES, echoes], **settings)


# ---- arguments


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ((Order("a", [Parcel("heavy", {})]),), "order.parcels[0].weight"),  # type: ignore[arg-type]
        ((Order("a", [Parcel(1.0, {}), Parcel(1.0, {"x": [1, "2"]})]),), "order.parcels[1].notes['x'][1]"),  # type: ignore[list-item]
        ((Order(7, []),), "order.id"),  # type: ignore[arg-type]
        ((Order("a", []), "yes"), "urgent"),
        (("no order",), "order"),
    ],
)
async def test_wrong_types_are_refused_with_the_path_to_the_field(arguments: Any, path: str, autojump_clock: MockClock) -> None:
    async with opened() as engine:
        with pytest.raises(aion.InvalidInputError) as caught:
            await engine.start(ships, *arguments)
        assert caught.value.path == path
        with pytest.raises(aion.InvalidInputError):
            await engine.start("ships", *arguments)
        assert await engine.count_workflows() == 0


@pytest.mark.parametrize("arguments", [(), (Order("a", []), True, 3)])
async def test_a_wrong_number_of_arguments_is_refused(arguments: Any, autojump_clock: MockClock) -> None:
    async with opened() as engine:
        with pytest.raises(aion.InvalidInputError):
            await engine.start(ships, *arguments)
        assert await engine.execute(ships, Order("a", [])) == 0


def test_an_annotation_that_cannot_be_stored_is_refused_at_registration() -> None:
    with pytest.raises(aion.UnsupportedTypeError):

        @aion.workflow
        async def odd(socket: trio.SocketStream) -> None: ...


# ---- size


async def test_what_exceeds_the_payload_limit_is_refused_where_it_is_made(autojump_clock: MockClock) -> None:
    """Input and signal at the caller, an activity's input at its line; others go on."""
    async with opened(payload_limit_bytes=1000) as engine:
        with pytest.raises(aion.PayloadTooLargeError):
            await engine.start(ships, Order("a" * 2000, []))
        assert await engine.count_workflows() == 0
        handle = await engine.start(hears, id="h")
        with pytest.raises(aion.PayloadTooLargeError):
            await handle.signal(big, "x" * 2000)
        await handle.signal(big, "x" * 900)
        assert await handle.result() == 900
        assert await engine.execute(passes_on, 2000) == "too large"
        assert await engine.execute(passes_on, 900, id="p") == "x" * 900
        assert await names_of(engine, "p") == ["WorkflowStarted", "ActivityScheduled", "ActivityCompleted", "WorkflowCompleted"]


async def test_a_result_that_is_too_large_fails_the_workflow(autojump_clock: MockClock) -> None:
    async with opened(payload_limit_bytes=1000) as engine:
        with pytest.raises(aion.WorkflowFailedError) as caught:
            await engine.execute(swells, 2000)
        assert isinstance(caught.value.__cause__, aion.PayloadTooLargeError)
        assert len(await engine.execute(swells, 900)) == 900


async def test_a_failure_without_end_is_recorded_in_short(autojump_clock: MockClock) -> None:
    """An exception of any size fails its workflow and no more than that."""

    @aion.workflow
    async def rants() -> None:
        raise ValueError("x" * 10_000_000)

    async with engine_on(MemoryStore(), workflows=[rants], payload_limit_bytes=1000) as engine:
        with pytest.raises(aion.WorkflowFailedError):
            await engine.execute(rants, id="r")
        description = await engine.handle("r").describe()
        assert description.history_bytes < 10_000


# ---- settings


@pytest.mark.parametrize(
    "bad",
    [
        {"task_limit": 0},
        {"thread_limit": -1},
        {"idle_after": 0},
        {"namespace": ""},
        {"fuel": 0},
        {"resident_limit": 0},
        {"payload_limit_bytes": 0},
        {"strict": "yes"},
        {"ease_collector": 1},
        {"clock": 3},
        {"ids": None},
        {"payload_codecs": 3},
        {"payload_codecs": ["zlib"]},
    ],
)
def test_settings_that_make_no_sense_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(aion.InvalidInputError):
        aion.EngineConfig(**bad)


def test_payload_codecs_that_come_one_by_one_are_all_kept() -> None:
    """To lose one would be to store in the clear."""
    zlib = ZlibCodec()
    assert aion.EngineConfig(payload_codecs=(each for each in [zlib])).payload_codecs == (zlib,)  # type: ignore[arg-type]


async def test_two_definitions_of_one_name_and_version_are_refused(autojump_clock: MockClock) -> None:
    @aion.workflow(name="double")
    async def another(n: int) -> int:
        return n

    with pytest.raises(aion.DefinitionError):
        async with engine_on(MemoryStore(), workflows=[shop.double, another]):
            raise AssertionError("it opened")


async def test_namespaces_share_a_journal_and_nothing_else(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with opened(store, namespace="one") as engine:
        await engine.start(shop.waits, 1, id="w")
    async with opened(store, namespace="two") as engine:
        assert await engine.count_workflows() == 0
        with pytest.raises(aion.WorkflowNotFoundError):
            await engine.handle("w").describe()
        await engine.start(shop.sleeps, 5.0, id="w")
        assert await engine.handle("w").result() == "rested"
    async with opened(store, namespace="one") as engine:
        await engine.handle("w").signal(shop.go, 1)
        assert await engine.handle("w").result() == 2
    assert owed(store) == []


# ---- journals that cannot be opened


async def made(path: Path) -> None:
    """A journal with a finished and an open workflow."""
    async with opened(path) as engine:
        await engine.execute(shop.double, 4, id="d")
        await engine.start(shop.waits, 1, id="w")


async def test_a_journal_of_another_format_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    await made(path)
    with lmdb.open(str(path), max_dbs=len(TABLES)) as env:
        meta = env.open_db(b"meta", create=False)
        with env.begin(write=True) as txn:
            txn.put(META_FORMAT, seal(META_FORMAT, NUMBER.pack(FORMAT_VERSION + 1)), db=meta)
    before = (path / "data.mdb").read_bytes()
    with pytest.raises(aion.JournalFormatError, match=f"version {FORMAT_VERSION + 1}"):
        async with opened(path):
            raise AssertionError("it opened")
    assert (path / "data.mdb").read_bytes() == before


async def test_a_directory_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(aion.JournalFormatError, match=r"notes\.txt"):
        async with opened(tmp_path):
            raise AssertionError("it opened")


async def test_a_directory_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        with pytest.raises(aion.JournalNotWritableError):
            async with opened(Path("/proc/aion")):
                raise AssertionError("it opened")
        return
    await trio.Path(tmp_path).chmod(0o500)
    with pytest.raises(aion.JournalNotWritableError):
        async with opened(tmp_path / "journal"):
            raise AssertionError("it opened")


async def test_a_second_engine_on_one_journal_is_told_who_has_it(tmp_path: Path) -> None:
    """J8: in the same process and from another one; the lock dies with its holder."""
    path = tmp_path / "journal"
    async with opened(path) as engine:
        with pytest.raises(aion.JournalLockedError) as caught:
            async with opened(path):
                raise AssertionError("it opened")
        assert caught.value.pid == os.getpid()
        program = f"""
import trio, aion_trio as aion
async def main():
    try:
        async with aion.open_engine({str(path)!r}): print("opened")
    except aion.JournalLockedError as error: print(error.pid)
trio.run(main)
"""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        said = await trio.run_process([sys.executable, "-c", program], capture_stdout=True, env=environment)
        assert said.stdout.decode().split() == [str(os.getpid())]
        assert await engine.execute(shop.double, 2) == 4
    async with opened(path) as engine:
        assert await engine.count_workflows() == 1


async def test_a_journal_on_disk_does_all_that_one_in_memory_does(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    async with opened(path) as engine:
        async with trio.open_nursery() as nursery:
            for n in range(30):
                nursery.start_soon(engine.execute, shop.parent, n)
        handle = await engine.start(shop.sums, 0, id="s")
        for n in range(10):
            await handle.signal(shop.go, n)
    async with opened(path) as engine:
        await engine.handle("s").signal(shop.go, -1)
        assert await engine.handle("s").result() == 45
        assert await engine.count_workflows(status=aion.WorkflowStatus.COMPLETED) == 61
    store = LmdbStore.open(path, read_only=True)
    try:
        assert owed(store) == []
        assert store.verify() == []
    finally:
        store.close()
