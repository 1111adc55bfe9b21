"""The cyclic collector rests while recovery sweeps, and only then."""

from __future__ import annotations

import gc

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio.collector import collector_at_rest, rest_collector
from aion_trio.stores import MemoryStore

from .harness import engine_on

seen: list[bool] = []


@aion.activity
async def waits() -> None:
    await trio.sleep(1000)


@aion.workflow
async def looks() -> None:
    seen.append(gc.isenabled())
    await waits()


async def test_the_collector_rests_while_a_sweep_brings_runs_back(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    seen.clear()
    for _ in range(2):
        async with engine_on(store, workflows=[looks], activities=[waits]) as engine:
            await engine.start(looks, id="w", if_exists="use")
            assert gc.isenabled()
    assert seen == [True, False]


def test_the_collector_is_on_again_also_when_the_sweep_fails() -> None:
    with pytest.raises(ValueError, match="torn"), collector_at_rest():
        assert not gc.isenabled()
        raise ValueError("torn")
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with collector_at_rest():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_process_may_let_it_run_rarely_for_good() -> None:
    before = gc.get_threshold()
    try:
        rest_collector()
        assert gc.isenabled() and gc.get_threshold() > before
        assert gc.get_freeze_count() > 0
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
