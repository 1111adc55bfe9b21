"""Refusals and hand-overs of semaphores, channels, scopes and their AnyIO kin; what Trio has, too, is shown on both."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
import trio

from aion_trio import durable

from .worlds import Runner, in_both_worlds, on_kernel


@in_both_worlds
def test_a_release_lets_the_first_waiter_through_and_keeps_the_value(run: Runner) -> None:
    async def main() -> list[Any]:
        semaphore, seen = durable.Semaphore(0, max_value=1), list[Any]()

        async def waiter(n: int) -> None:
            await semaphore.acquire()
            seen.append((n, await now()))

        async def now() -> float:
            return round(durable.current_time() - begun)

        begun = durable.current_time()
        async with durable.open_nursery() as nursery:
            for n in range(2):
                nursery.start_soon(waiter, n)
                await durable.sleep(1)
            for _ in range(2):
                semaphore.release()
                seen.append(semaphore.value)
                await durable.sleep(1)
        semaphore.release()
        seen.append(semaphore.value)
        with pytest.raises(ValueError, match="released too many times"):
            semaphore.release()
        semaphore.acquire_nowait()
        with pytest.raises(trio.WouldBlock):
            semaphore.acquire_nowait()
        return seen

    assert run(main) == [0, (0, 2), 0, (1, 3), 1]


@in_both_worlds
def test_a_semaphore_without_a_limit_is_released_for_ever(run: Runner) -> None:
    async def main() -> int:
        semaphore = durable.Semaphore(0)
        for _ in range(3):
            semaphore.release()
        return semaphore.value

    assert run(main) == 3


@in_both_worlds
@pytest.mark.parametrize(
    ("make", "refusal"),
    [
        (lambda: durable.Semaphore("1"), TypeError),  # type: ignore[arg-type]
        (lambda: durable.Semaphore(-1), ValueError),
        (lambda: durable.Semaphore(2, max_value=1), ValueError),
        (lambda: setattr(durable.CancelScope(), "shield", 1), TypeError),
        (lambda: setattr(durable.CancelScope(), "relative_deadline", float("nan")), ValueError),
        (lambda: setattr(durable.CancelScope(), "relative_deadline", -1), ValueError),
        (lambda: setattr(durable.CancelScope(deadline=5), "relative_deadline", 1), RuntimeError),
    ],
)
def test_what_trio_refuses_is_refused(run: Runner, make: Any, refusal: type[Exception]) -> None:
    async def main() -> bool:
        with pytest.raises(refusal):
            make()
        return True

    assert run(main)


@in_both_worlds
def test_nothing_is_sent_through_an_end_that_is_closed(run: Runner) -> None:
    async def main() -> bool:
        send, receive = durable.open_memory_channel(1)
        send.close()
        with pytest.raises(trio.ClosedResourceError):
            send.send_nowait(1)
        with pytest.raises(trio.ClosedResourceError):
            await send.send(1)
        with pytest.raises(trio.EndOfChannel):
            receive.receive_nowait()
        return True

    assert run(main)


@in_both_worlds
def test_a_deadline_that_is_taken_back_does_not_fire(run: Runner) -> None:
    async def main() -> list[bool]:
        with durable.CancelScope(deadline=durable.current_time() + 1) as first, durable.move_on_after(1) as second:
            first.deadline = second.deadline = durable.current_time() + 9
            await durable.sleep(2)
            second.deadline = float("inf")
            await durable.sleep(20)
        return [first.cancelled_caught, second.cancelled_caught]

    assert run(main) == [True, False]


def test_anyio_sleeps_as_long_as_it_is_told() -> None:
    async def main() -> float:
        begun = anyio.current_time()
        await anyio.sleep(5)
        return round(anyio.current_time() - begun, 3)

    assert on_kernel(main) == 5


def test_an_anyio_limiter_makes_the_third_borrower_wait() -> None:
    async def main() -> list[int]:
        limiter, begun = anyio.CapacityLimiter(2), anyio.current_time()
        seen: list[int] = []

        async def borrow() -> None:
            async with limiter:
                seen.append(round(anyio.current_time() - begun))
                await anyio.sleep(1)

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(borrow)
        return seen

    assert on_kernel(main) == [0, 0, 1]


def test_an_anyio_group_starts_nothing_that_is_no_coroutine() -> None:
    async def main() -> bool:
        async with anyio.create_task_group() as group:
            with pytest.raises(TypeError, match="coroutine"):
                group.start_soon(lambda: 5)  # type: ignore[arg-type, return-value]
        return True

    assert on_kernel(main)
