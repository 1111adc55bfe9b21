"""The cyclic collector rests while recovery sweeps, and is at ease while an engine is open."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator

import pytest
import trio
from trio.testing import MockClock

import aion_trio as aion
from aion_trio.collector import Ease, collector_at_ease, collector_at_rest
from aion_trio.engine import assembly
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


def settings() -> tuple[tuple[int, int, int], bool]:
    return gc.get_threshold(), gc.get_freeze_count() > 0


@pytest.fixture
def collector() -> Iterator[tuple[int, int, int]]:
    """The collector as Python sets it, whatever this process does with it; and so it is again afterwards."""
    before, enabled = gc.get_threshold(), gc.isenabled()
    gc.enable()
    gc.unfreeze()
    gc.set_threshold(700, 10, 10)
    yield (700, 10, 10)
    gc.unfreeze()
    gc.set_threshold(*before)
    (gc.enable if enabled else gc.disable)()


async def test_it_is_at_ease_while_an_engine_is_open(collector: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "collector_at_ease", Ease())  # of a process that had no engine yet
    async with engine_on(MemoryStore(), workflows=[looks]):
        (youngest, *older), frozen = settings()
        assert youngest > collector[0] and tuple(older) == collector[1:] and frozen
    assert settings() == (collector, False)


async def test_an_engine_can_be_told_to_leave_it_alone(collector: tuple[int, int, int]) -> None:
    async with engine_on(MemoryStore(), workflows=[looks], ease_collector=False):
        assert settings() == (collector, False)


def test_the_last_of_overlapping_blocks_gives_it_back(collector: tuple[int, int, int]) -> None:
    ease = Ease()
    first, second = ease(), ease()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert settings() != (collector, False)
    second.__exit__(None, None, None)
    assert settings() == (collector, False)


class Circle:
    """What only the cyclic collector frees."""

    def __init__(self, kept: weakref.WeakSet[Circle]) -> None:
        self.myself = self
        kept.add(self)


@pytest.mark.usefixtures("collector")
def test_circles_do_not_pile_up_in_a_program_that_opens_one_engine_after_the_other() -> None:
    ease, alive = Ease(), weakref.WeakSet[Circle]()
    for _ in range(40):
        with ease():
            in_use = [Circle(alive) for _ in range(3000)]  # noqa: F841 - and what the last engine used is in use no more
    assert len(alive) < 60_000


@pytest.mark.usefixtures("collector")
@pytest.mark.parametrize("own", [gc.freeze, gc.disable, lambda: gc.set_threshold(50_000), lambda: gc.set_threshold(0)])
def test_a_program_that_has_set_it_itself_is_left_alone(own: Callable[[], None]) -> None:
    own()
    before = settings()
    with collector_at_ease():
        assert settings() == before
    assert settings() == before


@pytest.mark.usefixtures("collector")
def test_what_the_program_sets_meanwhile_stays() -> None:
    with collector_at_ease():
        gc.set_threshold(1234, 5, 6)
    assert gc.get_threshold() == (1234, 5, 6)
