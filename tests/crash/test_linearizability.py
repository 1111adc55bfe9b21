"""Appends, starts and signals of many tasks at once are linearizable, as recorded invocations and responses show."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
import trio

from aion_trio.stores import Append, MemoryStore, Outcome, WorkflowKey
from aion_trio.testing import run_virtual

from .concurrency import appends, engine_on, in_memory, on_disk, signals, starts
from .crowds import Crowd, Record


@pytest.mark.parametrize("seed", range(8))
def test_calls_in_memory_could_have_been_made_one_after_the_other(seed: int) -> None:
    """J1, J2, J5, S1, S2, S6: under a schedule of its own for each seed."""
    record = run_virtual(in_memory, Crowd(seed), seed=seed)
    assert record.faults == []
    assert record.overlapping and record.given_up


@pytest.mark.parametrize("seed", range(2))
def test_calls_on_disk_could_have_been_made_one_after_the_other(seed: int, tmp_path: Path) -> None:
    """J1, J2, J3, J5, S1, S2, S6: with the writer's thread, readers in threads, and commits that wait for the disk."""
    record = trio.run(on_disk, tmp_path, Crowd(seed, virtual=False))
    assert record.faults == []
    assert record.overlapping > record.calls // 10 and record.given_up


# ---- what the checks are worth


class LateStore(MemoryStore):
    """Reads answer what was true one read ago."""

    _seen = 0

    def head(self, key: WorkflowKey) -> int:
        seen, self._seen = self._seen, super().head(key)
        return seen


class HastyStore(MemoryStore):
    """A call acknowledges what the next one writes."""

    _held: Sequence[Append] = ()

    def apply(self, batch: Sequence[Append]) -> list[Outcome]:
        held, self._held = self._held, batch
        super().apply(held)
        return [append.expected_seq + append.count for append in batch]


class ForgetfulStore(MemoryStore):
    """Nothing is remembered of request ids."""

    def mark(self, key: WorkflowKey, name: bytes) -> bytes | None:
        return None


async def starts_on(store: MemoryStore, crowd: Crowd) -> Record:
    async with engine_on(store) as engine:
        return await starts(engine, crowd)


async def signals_on(store: MemoryStore, crowd: Crowd) -> Record:
    async with engine_on(store) as engine:
        return await signals(engine, crowd)


@pytest.mark.parametrize("store", [LateStore, HastyStore])
def test_a_store_that_answers_too_early_or_too_late_is_found(store: type[MemoryStore]) -> None:
    assert run_virtual(appends, store(), Crowd(1, ids=1)).faults


@pytest.mark.parametrize("calls", [starts_on, signals_on])
def test_a_store_that_forgets_request_ids_is_found(calls: Callable[[MemoryStore, Crowd], Awaitable[Record]]) -> None:
    assert run_virtual(calls, ForgetfulStore(), Crowd(1)).faults
