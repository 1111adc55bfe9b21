"""Many tasks that call one journal or one engine at once, and a record of every call's invocation and response.

Some callers give up: their scope is cancelled while they wait. Whatever they asked for may have happened, or not.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import trio

import aion_trio as aion
from aion_trio.engine import EngineConfig
from aion_trio.errors import SequenceConflict
from aion_trio.events import WorkflowStarted
from aion_trio.journal import Journal
from aion_trio.seams import TrioClock
from aion_trio.stores import Append, LmdbStore, MemoryStore, Store, WorkflowKey
from aion_trio.stores.dump import each_frame

from .crowds import PATIENCE, Crowd, Record, crowd_of
from .linear import NEVER, Appended, Began, Seen, Sent, history_fault, signal_fault, start_fault

MAP_BYTES = 1 << 28
more = aion.Signal("more", int)


@aion.workflow
async def listens(value: int) -> list[int]:
    """All signals in the order in which they came, until a negative one."""
    heard: list[int] = []
    async for number in more:
        if number < 0:
            break
        heard.append(number)
    return heard


# ---- appends


@dataclass(slots=True)
class _Appending:
    """One journal's calls: those of each key, and what each append wrote."""

    journal: Journal
    moments: count[int] = field(default_factory=count)
    known: dict[WorkflowKey, int] = field(default_factory=dict[WorkflowKey, int])
    calls: dict[WorkflowKey, list[Appended | Seen]] = field(default_factory=dict[WorkflowKey, list[Appended | Seen]])
    frames: dict[WorkflowKey, list[tuple[int, int, bytes]]] = field(default_factory=dict[WorkflowKey, list[tuple[int, int, bytes]]])
    given_up: int = 0

    async def look(self, key: WorkflowKey, in_thread: bool) -> None:
        """Read the head, in a thread beside the writer's or on the loop."""
        began = next(self.moments)
        head = await trio.to_thread.run_sync(self.journal.head, key) if in_thread else self.journal.head(key)
        self._saw(key, began, head)

    async def append(self, key: WorkflowKey, patience: float, amount: int, name: int) -> None:
        """Append to the head that was last heard of, which may be old."""
        before = self.known.get(key, 0)
        item = Append(key, before, name.to_bytes(8) * amount, amount)
        began, after = next(self.moments), 0
        with trio.move_on_after(patience):
            try:
                after = await self.journal.append(item)
            except SequenceConflict as conflict:
                self._saw(key, began, conflict.found)
                return
        if not after:
            self.given_up += 1
            return
        self.calls.setdefault(key, []).append(Appended(began, next(self.moments), before, after))
        self.frames.setdefault(key, []).append((before + 1, amount, item.frame))
        self.known[key] = max(self.known.get(key, 0), after)

    def _saw(self, key: WorkflowKey, began: int, head: int) -> None:
        self.calls.setdefault(key, []).append(Seen(began, next(self.moments), head))
        self.known[key] = max(self.known.get(key, 0), head)


async def appends(store: Store, crowd: Crowd) -> Record:
    """Appends to a few keys and reads of their heads.

    The calls of a key have one order, and its history holds what was acknowledged and no more.
    """
    async with trio.open_nursery() as nursery:
        work = _Appending(await nursery.start(Journal(store).run))
        keys = [WorkflowKey("default", f"key-{number}") for number in range(crowd.ids)]

        async def one(chance: random.Random, name: int) -> None:
            key = chance.choice(keys)
            if chance.random() < 0.3:
                await work.look(key, store.blocking and chance.random() < 0.5)
            else:
                patience = chance.choice(PATIENCE) if chance.random() < 0.15 else float("inf")
                await work.append(key, patience, chance.randint(1, 3), name)

        await crowd_of(crowd, one)
        nursery.cancel_scope.cancel()
    record = Record(work.given_up, given_up=work.given_up)
    for key, calls in work.calls.items():
        record.count(calls)
        record.appends += sum(isinstance(call, Appended) for call in calls)
        record.judge(key.workflow_id, history_fault(calls))
        found = [(frame.first_seq, frame.count, frame.data) for frame in each_frame(store, key)]
        record.judge(key.workflow_id, "" if found == sorted(work.frames.get(key, ())) else "the history is not what was acknowledged")
    return record


# ---- starts


@dataclass(slots=True)
class _Starting:
    """One engine's starts, by id."""

    engine: aion.Engine
    moments: count[int] = field(default_factory=count)
    calls: dict[str, list[Began]] = field(default_factory=dict[str, list[Began]])

    async def start(self, workflow_id: str, value: int, must_be_new: bool, patience: float) -> None:
        """Start one id; by a request id that all its starts share if it is one of those."""
        request_id = f"request of {workflow_id}" if workflow_id.startswith("asked") else None
        began, ended, answer = next(self.moments), NEVER, ""
        with trio.move_on_after(patience):
            try:
                handle = await self.engine.start(
                    listens, value, id=workflow_id, if_exists="fail" if must_be_new else "use", request_id=request_id
                )
                answer = str(handle.run_id)
            except aion.WorkflowAlreadyStartedError:
                pass
            ended = next(self.moments)
        if request_id is not None:  # then neither the input nor `if_exists` may matter
            value, must_be_new = 0, False
        self.calls.setdefault(workflow_id, []).append(Began(began, ended, value, must_be_new, answer))


async def starts(engine: aion.Engine, crowd: Crowd) -> Record:
    """Starts of a few ids, with different inputs and manners; each id has one winner, whom all answers name, and one run."""
    work = _Starting(engine)

    async def one(chance: random.Random, name: int) -> None:
        workflow_id = f"{chance.choice(('named', 'asked'))}-{name % crowd.calls // 3}"  # a new one for all tasks now and then
        patience = chance.choice(PATIENCE) if chance.random() < 0.1 else float("inf")
        await work.start(workflow_id, chance.randint(1, 2), chance.random() < 0.3, patience)

    await crowd_of(crowd, one)
    record = Record()
    for workflow_id, calls in work.calls.items():
        record.count(calls)
        record.judge(workflow_id, start_fault(calls) or await _run_fault(engine, workflow_id, calls))
    return record


async def _run_fault(engine: aion.Engine, workflow_id: str, calls: list[Began]) -> str:
    """The one run that the history holds is the one that was answered."""
    begun = [event async for event in engine.handle(workflow_id).history() if isinstance(event, WorkflowStarted)]
    found = {str(engine.handle(workflow_id, event.run_id.hex()).run_id) for event in begun}
    answers = {call.answer for call in calls if call.answer}
    return "" if len(begun) == 1 and answers <= found else f"{len(begun)} runs {found} where the answers were {answers}"


# ---- signals


@dataclass(slots=True)
class _Sending:
    """The signals that were sent to one workflow."""

    handle: aion.WorkflowHandle[list[int]]
    moments: count[int] = field(default_factory=count)
    calls: list[Sent] = field(default_factory=list[Sent])

    async def send(self, value: int, request_id: str | None, patience: float) -> None:
        """Send one signal."""
        began, ended = next(self.moments), NEVER
        with trio.move_on_after(patience):
            await self.handle.signal(more, value, request_id=request_id)
            ended = next(self.moments)
        self.calls.append(Sent(began, ended, value))


async def signals(engine: aion.Engine, crowd: Crowd) -> Record:
    """Signals to one workflow, some sent again by the same request id; it hears each once, in an order that real time allows."""
    work = _Sending(await engine.start(listens, 0, id="listener"))

    async def one(chance: random.Random, name: int) -> None:
        patience = chance.choice(PATIENCE) if chance.random() < 0.1 else float("inf")
        if chance.random() < 0.4:  # one of few request ids, which others use at the same time
            number = name % crowd.calls // 2
            await work.send(1_000_000 + number, f"letter {number}", patience)
        else:
            await work.send(name, None, patience)

    await crowd_of(crowd, one)
    await work.handle.signal(more, -1)
    heard = await work.handle.result()
    record = Record()
    record.count(work.calls)
    record.judge("listener", signal_fault(work.calls, heard))
    return record


# ---- on a store


@asynccontextmanager
async def engine_on(store: Store | Path) -> AsyncIterator[aion.Engine]:
    """An engine whose workflows leave memory soon, so that calls meet them asleep, too."""
    config = EngineConfig(idle_after=0.05, clock=TrioClock()) if isinstance(store, MemoryStore) else EngineConfig(idle_after=0.001)
    async with aion.open_engine(store, workflows=[listens], config=config) as engine:
        yield engine


async def in_memory(crowd: Crowd) -> Record:
    """All three on stores in memory, in the time of the caller's clock."""
    record = await appends(MemoryStore(), crowd)
    async with engine_on(MemoryStore()) as engine:
        record.add(await starts(engine, crowd))
        record.add(await signals(engine, crowd))
    return record


async def on_disk(directory: Path, crowd: Crowd) -> Record:
    """All three on LMDB, in real time."""
    store = LmdbStore.open(directory / "appends", map_bytes=MAP_BYTES)
    try:
        record = await appends(store, crowd)
    finally:
        store.close()
    async with engine_on(directory / "engine") as engine:
        record.add(await starts(engine, crowd))
        record.add(await signals(engine, crowd))
    return record
