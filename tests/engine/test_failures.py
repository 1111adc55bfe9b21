"""How an activity that failed comes back to its workflow, and what of it is recorded."""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

import aion_trio as aion
from aion_trio.events import ActivityFailed
from aion_trio.stores import MemoryStore

from .calls import a_call_of
from .evidence import only
from .harness import engine_on


@aion.activity
async def fails_with_cause() -> None:
    try:
        raise OSError(28, "no space")
    except OSError as error:
        raise RuntimeError("could not write") from error


@aion.activity
async def fails_in_group() -> None:
    raise ExceptionGroup("several", [ValueError("a"), TypeError("b")])


class Ours(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Special(Ours):
    pass


@aion.activity(raises=[Ours])
async def fails_as_itself(special: bool) -> None:
    raise Special(4) if special else Ours(3)


@pytest.mark.parametrize("special", [False, True])
async def test_a_listed_exception_comes_back_as_itself(special: bool, autojump_clock: MockClock) -> None:
    """Also one of a subclass of what is listed."""

    @aion.workflow
    async def catches() -> int:
        try:
            await fails_as_itself(special)
        except Ours as error:
            return error.code
        return -1

    async with engine_on(MemoryStore(), workflows=[catches], activities=[fails_as_itself]) as engine:
        assert await engine.execute(catches) == (4 if special else 3)


async def test_other_failures_carry_type_message_details_and_causes(autojump_clock: MockClock) -> None:
    @aion.workflow
    async def catches() -> list[Any]:
        found: list[Any] = []
        for fails in (fails_with_cause, fails_in_group):
            try:
                await fails()
            except aion.ActivityFailedError as error:
                cause = error.__cause__
                found.append([error.type, error.message, error.activity, type(cause).__name__, str(cause) if cause else ""])
        return found

    async with engine_on(MemoryStore(), workflows=[catches], activities=[fails_with_cause, fails_in_group]) as engine:
        with_cause, in_group = await engine.execute(catches)
    assert with_cause == ["RuntimeError", "could not write", "fails_with_cause", "OSError", "[Errno 28] no space"]
    assert in_group[0] == "ExceptionGroup"
    assert "ValueError: a" in in_group[1] and "TypeError: b" in in_group[1]


@aion.activity
async def returns_wrong_type() -> int:
    wrong: Any = "text"
    return wrong  # type: ignore[no-any-return]


@aion.activity
async def returns_the_unspeakable() -> Any:
    return object()


@aion.activity(retry=aion.RetryPolicy(max_attempts=3, initial=1))
async def returns_too_much() -> str:
    return "x" * 5000


@pytest.mark.parametrize(
    ("definition", "error"),
    [
        (returns_wrong_type, "InvalidInputError"),
        (returns_the_unspeakable, "InvalidInputError"),
        (returns_too_much, "PayloadTooLargeError"),
    ],
)
async def test_a_result_that_cannot_be_recorded_fails_the_activity(definition: Any, error: str, autojump_clock: MockClock) -> None:
    """The workflow is told; nothing hangs, and nobody is quarantined."""

    @aion.workflow
    async def catches() -> str:
        try:
            await definition()
        except aion.ActivityFailedError as failed:
            return failed.type
        return "no error"

    async with engine_on(MemoryStore(), workflows=[catches], activities=[definition], payload_limit_bytes=1000) as engine:
        assert await engine.execute(catches) == error


@aion.activity
async def fails_with_secret() -> None:
    raise Ours("hunter2")  # type: ignore[arg-type]


class Xor:
    """A codec that hides."""

    name = "xor"

    def encode(self, data: bytes, /) -> bytes:
        return bytes(byte ^ 0x55 for byte in data)

    def decode(self, data: bytes, /) -> bytes:
        return bytes(byte ^ 0x55 for byte in data)


async def test_details_of_a_failure_pass_through_the_payload_codecs(autojump_clock: MockClock) -> None:
    store, workflow = MemoryStore(), a_call_of(fails_with_secret)
    async with engine_on(store, workflows=[workflow], activities=[fails_with_secret], payload_codecs=(Xor(),)) as engine:
        with pytest.raises(aion.WorkflowFailedError) as caught:
            await engine.execute(workflow, id="c")
        (failed,) = await only(engine, "c", ActivityFailed)
        assert b"hunter2" not in failed.failure[3]
        cause = caught.value.__cause__
        assert isinstance(cause, aion.ActivityFailedError)
