"""The store that fails on purpose, and that it hides nothing of the contract."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from aion_trio.stores import (
    Fault,
    FaultyStore,
    LmdbStore,
    MemoryStore,
    SimulatedCrash,
    Store,
    StoreFailed,
    StoreFull,
    dump,
)
from aion_trio.stores.faulty import ANY, WRITES

from .building import events, full_workflow, key, write
from .operations import ARGUMENTS, operations


def test_no_operation_of_the_contract_is_left_out() -> None:
    """A wrapper that drops a method of safety is worse than none."""
    assert operations() == sorted(ARGUMENTS)
    for backend in (FaultyStore, MemoryStore, LmdbStore):
        for name in operations():
            declared, made = inspect.signature(getattr(Store, name)), inspect.signature(getattr(backend, name))
            assert list(made.parameters.values()) == list(declared.parameters.values()), (backend, name)
            assert name in vars(backend), (backend, name)


@pytest.mark.parametrize("operation", operations())
def test_every_operation_is_passed_on_counted_and_can_fail(operation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plain, store = MemoryStore(), FaultyStore(MemoryStore())
    for each in (plain, store.inner):
        write(each, *full_workflow(key()))
    answer = getattr(store, operation)(*ARGUMENTS[operation])
    monkeypatch.chdir(tmp_path.parent)
    monkeypatch.chdir(tmp_path)
    if operation != "backup":
        assert answer == getattr(plain, operation)(*ARGUMENTS[operation])
    assert store.calls == {operation: 1}
    store.plan(Fault(operation, error=StoreFailed("planned")))
    with pytest.raises(StoreFailed, match="planned"):
        getattr(store, operation)(*ARGUMENTS[operation])
    assert store.calls == {operation: 2}


class Recorder:
    """Stands for a store: answers each call with the arguments that came, by the names that the contract has for them."""

    blocking = False

    def __getattr__(self, operation: str) -> Callable[..., dict[str, object]]:
        parameters = inspect.signature(getattr(Store, operation))
        return lambda *given, **named: {**parameters.bind(self, *given, **named).arguments, "self": None}


@pytest.mark.parametrize("operation", operations())
def test_every_argument_arrives_as_it_was_given(operation: str) -> None:
    given = {name: object() for name in inspect.signature(getattr(Store, operation)).parameters if name != "self"}
    arrived = getattr(FaultyStore(cast("Store", Recorder())), operation)(**given)
    assert arrived == {**given, "self": None}


@pytest.mark.parametrize("operation", [*operations(), ANY, WRITES])
def test_every_operation_can_be_planned_for(operation: str) -> None:
    assert Fault(operation).concerns("apply" if operation in (ANY, WRITES) else operation)


def test_a_fault_that_no_call_could_meet_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no operation 'aply'.*apply, .*'writes' and '\*'"):
        Fault("aply")
    with pytest.raises(ValueError, match="from 1"):
        Fault("apply", nth=0)


def test_blocking_is_that_of_the_store_within(tmp_path: Path) -> None:
    store = LmdbStore.open(tmp_path / "journal")
    assert FaultyStore(store).blocking and not FaultyStore(MemoryStore()).blocking
    store.close()


def test_a_fault_before_a_call_keeps_it_from_taking_effect() -> None:
    store = FaultyStore(MemoryStore())
    store.plan(Fault("apply", nth=2, error=StoreFull("no space")))
    write(store, events(key(), 0))
    with pytest.raises(StoreFull):
        write(store, events(key(), 1))
    assert store.head(key()) == 1
    assert write(store, events(key(), 1)) == 2


def test_a_fault_after_a_call_leaves_its_effect_unreported() -> None:
    """J3: the outcome is unknown to the one who asked, and it did happen."""
    store = FaultyStore(MemoryStore())
    store.plan(Fault("apply", error=StoreFailed("?"), after=True))
    with pytest.raises(StoreFailed):
        write(store, events(key(), 0))
    assert store.head(key()) == 1


def test_after_a_crash_every_call_fails_and_what_was_written_is_found_within() -> None:
    store = FaultyStore(MemoryStore())
    store.plan(Fault("apply", nth=2, crash=True, after=True))
    write(store, events(key(), 0))
    with pytest.raises(SimulatedCrash, match="after apply number 2"):
        write(store, events(key(), 1))
    assert store.crashed
    for operation in operations():
        with pytest.raises(SimulatedCrash, match=f"{operation} after the crash"):
            getattr(store, operation)(*ARGUMENTS[operation])
    assert store.inner.head(key()) == 2


def test_a_crash_is_no_exception_that_a_boundary_could_turn_into_a_result() -> None:
    assert not issubclass(SimulatedCrash, Exception)


def test_failing_the_nth_write_until_a_program_passes_untouched() -> None:
    """Every prefix of the writes is met once, then none."""
    heads: list[int] = []
    for nth in range(1, 100):
        store = FaultyStore(MemoryStore())
        store.plan(Fault("writes", nth, crash=True))
        try:
            write(store, events(key(), 0))
            store.purge([key("other")])
            write(store, events(key(), 1))
        except SimulatedCrash:
            heads.append(store.inner.head(key()))
        if store.pending:
            break
    assert heads == [0, 1, 1] and nth == 4


def test_a_lasting_fault_goes_on_until_it_is_healed() -> None:
    store = FaultyStore(MemoryStore())
    store.plan(Fault("apply", nth=2, error=StoreFull("no space"), lasting=True))
    write(store, events(key(), 0))
    for _ in range(3):
        with pytest.raises(StoreFull):
            write(store, events(key(), 1))
    store.heal()
    assert write(store, events(key(), 1)) == 2


def test_a_fault_of_any_operation_counts_all_calls() -> None:
    store = FaultyStore(MemoryStore())
    store.plan(Fault("*", nth=3, error=StoreFailed("third")))
    store.head(key())
    store.stats()
    with pytest.raises(StoreFailed):
        store.keys()


def test_a_fault_concerns_its_own_operation_alone() -> None:
    store = FaultyStore(MemoryStore())
    store.plan(Fault("head", error=StoreFailed("planned")))
    write(store, events(key(), 0))
    store.purge([])
    with pytest.raises(StoreFailed):
        store.head(key())
    assert store.head(key()) == 1


def test_a_fault_is_pending_until_a_call_meets_it() -> None:
    store = FaultyStore(MemoryStore())
    first, second = Fault("head", error=StoreFailed("first")), Fault("head", nth=2, crash=True)
    store.plan(first, second)
    assert store.pending == [first, second]
    with pytest.raises(StoreFailed):
        store.head(key())
    assert store.pending == [second]
    with pytest.raises(SimulatedCrash, match="before head number 2"):
        store.head(key())
    assert store.pending == []


def test_a_call_can_be_held_while_a_test_looks() -> None:
    store = FaultyStore(MemoryStore())
    held, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        held.set()
        go_on.wait(10)

    store.plan(Fault("apply", wait=wait))
    writer = threading.Thread(target=write, args=(store, events(key(), 0)))
    writer.start()
    assert held.wait(10)
    assert store.inner.head(key()) == 0
    go_on.set()
    writer.join()
    assert list(dump(store)) == [key()]
