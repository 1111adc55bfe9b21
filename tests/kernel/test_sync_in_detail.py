"""The rest of what locks, semaphores, conditions, limiters, events and channels promise, on the kernel and on Trio."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
import trio

from aion_trio import durable
from aion_trio.kernel.limits import Condition

from .worlds import Runner, in_both_worlds, on_kernel


@in_both_worlds
def test_a_semaphore_lets_waiters_through_in_order(run: Runner) -> None:
    async def main() -> list[Any]:
        semaphore, seen = durable.Semaphore(0, max_value=2), list[Any]()

        async def worker(n: int) -> None:
            await semaphore.acquire()
            seen.append(n)

        async with durable.open_nursery() as nursery:
            for n in range(3):
                nursery.start_soon(worker, n)
                await durable.sleep(1)
            semaphore.release()
            seen.append(semaphore.value)
            await durable.sleep(1)
            semaphore.release()
            semaphore.release()
        semaphore.release()
        semaphore.acquire_nowait()
        return [*seen, semaphore.value, semaphore.max_value, durable.Semaphore(1).max_value]

    assert run(main) == [0, 0, 1, 2, 0, 2, None]


@in_both_worlds
def test_a_semaphore_counts_whole_numbers(run: Runner) -> None:
    async def main() -> None:
        not_whole: Any = 1.0
        with pytest.raises(TypeError, match="initial_value must be an int"):
            durable.Semaphore(not_whole)
        assert durable.Semaphore(0, max_value=0).value == 0

    run(main)


@in_both_worlds
def test_a_condition_is_its_lock(run: Runner) -> None:
    async def main() -> list[bool]:
        lock = durable.Lock()
        condition = durable.Condition(lock)
        condition.acquire_nowait()
        seen = [lock.locked(), condition.locked()]
        condition.release()
        with pytest.raises(RuntimeError, match="must hold the lock to wait"):
            await condition.wait()
        with pytest.raises(RuntimeError, match="must hold the lock to notify"):
            condition.notify_all()
        return [*seen, lock.locked()]

    assert run(main) == [True, True, False]


def test_a_condition_takes_a_lock_of_the_workflow() -> None:
    async def main() -> None:
        no_lock: Any = object()
        with pytest.raises(TypeError, match=r"lock must be a durable.Lock"):
            Condition(no_lock)

    on_kernel(main)


@in_both_worlds
def test_a_waiter_that_was_notified_and_is_cancelled_before_it_has_the_lock_holds_it_all_the_same(run: Runner) -> None:
    async def main() -> list[Any]:
        condition, seen = durable.Condition(), list[Any]()
        scope = durable.CancelScope()

        async def waiter() -> None:
            with scope:
                async with condition:
                    try:
                        await condition.wait()
                    finally:
                        seen.append(("holds", condition.locked(), round(durable.current_time() - began, 6)))

        began = durable.current_time()
        async with durable.open_nursery() as nursery:
            nursery.start_soon(waiter)
            await durable.sleep(1)
            async with condition:
                condition.notify()
                scope.cancel()
                await durable.sleep(1)
        return [*seen, condition.locked(), scope.cancelled_caught]

    assert run(main) == [("holds", True, 2), False, True]


@in_both_worlds
def test_no_more_waiters_are_notified_than_there_are(run: Runner) -> None:
    async def main() -> int:
        condition, woken = durable.Condition(), list[int]()

        async def waiter(n: int) -> None:
            async with condition:
                await condition.wait()
                woken.append(n)

        async with durable.open_nursery() as nursery:
            for n in range(2):
                nursery.start_soon(waiter, n)
            await durable.sleep(1)
            async with condition:
                condition.notify(5)
        return len(woken)

    assert run(main) == 2


@in_both_worlds
def test_a_limiter_has_a_number_of_tokens(run: Runner) -> None:
    async def main() -> list[Any]:
        with pytest.raises(ValueError, match="total_tokens must be >= "):
            durable.CapacityLimiter(-1)
        limiter = durable.CapacityLimiter(2)
        seen: list[Any] = [limiter.total_tokens]
        await limiter.acquire_on_behalf_of("a")
        limiter.acquire_on_behalf_of_nowait("b")
        with pytest.raises(trio.WouldBlock):
            limiter.acquire_nowait()
        with pytest.raises(RuntimeError, match="isn't holding any"):
            limiter.release_on_behalf_of("c")
        limiter.total_tokens = 1
        seen += [limiter.total_tokens, limiter.available_tokens]
        limiter.release_on_behalf_of("a")
        limiter.release_on_behalf_of("b")
        limiter.total_tokens = inf
        return [*seen, limiter.available_tokens, limiter.borrowed_tokens]

    assert run(main) == [2, 1, -1, inf, 0]


@in_both_worlds
def test_no_more_tokens_are_lent_than_there_are_when_their_number_is_lowered(run: Runner) -> None:
    async def main() -> list[Any]:
        limiter, seen = durable.CapacityLimiter(2), list[Any]()

        async def worker() -> None:
            async with limiter:
                seen.append("lent")

        limiter.acquire_on_behalf_of_nowait("a")
        limiter.acquire_on_behalf_of_nowait("b")
        async with durable.open_nursery() as nursery:
            nursery.start_soon(worker)
            await durable.sleep(1)
            limiter.total_tokens = 1
            for borrower in "ab":
                limiter.release_on_behalf_of(borrower)
                await durable.sleep(1)
                seen.append(borrower)
        return seen

    assert run(main) == ["a", "lent", "b"]


def test_a_limiter_may_have_no_tokens_until_there_are_some() -> None:
    """Older Trios ask for one."""

    async def main() -> str:
        limiter = durable.CapacityLimiter(0)
        async with durable.open_nursery() as nursery:
            nursery.start_soon(limiter.acquire_on_behalf_of, "a")
            await durable.sleep(1)
            assert (limiter.borrowed_tokens, limiter.available_tokens) == (0, 0)
            limiter.total_tokens = 1
        return str(limiter.borrowed_tokens)

    assert on_kernel(main) == "1"


@in_both_worlds
def test_who_comes_late_does_not_overtake_those_who_wait_for_a_token(run: Runner) -> None:
    async def main() -> list[int]:
        limiter, seen = durable.CapacityLimiter(1), list[int]()

        async def worker(n: int) -> None:
            async with limiter:
                seen.append(n)

        async with durable.open_nursery() as nursery:
            await limiter.acquire()
            nursery.start_soon(worker, 1)
            await durable.sleep(1)
            limiter.release()
            with pytest.raises(trio.WouldBlock):
                limiter.acquire_nowait()
        return seen

    assert run(main) == [1]


def test_an_event_is_equal_to_itself_alone_and_hashes_by_its_number() -> None:
    async def main() -> list[Any]:
        a, b = durable.Event(), durable.Event()
        return [a == a, a == b, len({a, b, a}), hash(b) - hash(a)]

    assert on_kernel(main) == [True, False, 2, 1]


@in_both_worlds
def test_every_end_of_a_channel_can_be_cloned_until_it_is_closed(run: Runner) -> None:
    async def main() -> list[Any]:
        send, receive = durable.open_memory_channel(inf)
        second_send, second_receive = send.clone(), receive.clone()
        with send:
            send.send_nowait(1)
        async with receive:
            seen: list[Any] = [receive.receive_nowait()]
        for end in (send, receive):
            end.close()
            with pytest.raises(trio.ClosedResourceError):
                end.clone()
        with pytest.raises(trio.ClosedResourceError):
            send.send_nowait(2)
        with pytest.raises(trio.ClosedResourceError):
            await receive.receive()
        second_send.send_nowait(2)
        with pytest.raises(trio.WouldBlock):
            [second_receive.receive_nowait(), second_receive.receive_nowait()]
        with second_send:
            second_send.send_nowait(3)
        return [*seen, *[value async for value in second_receive]]

    assert run(main) == [1, 3]


@in_both_worlds
def test_a_receiver_takes_the_value_of_the_sender_that_has_waited_longest(run: Runner) -> None:
    async def main() -> list[int]:
        send, receive = durable.open_memory_channel(1)

        async def sender(n: int) -> None:
            await send.send(n)

        async with durable.open_nursery() as nursery:
            for n in range(3):
                nursery.start_soon(sender, n)
                await durable.sleep(1)
            return [receive.receive_nowait(), await receive.receive(), receive.receive_nowait()]

    assert run(main) == [0, 1, 2]


@in_both_worlds
def test_a_receiver_that_was_given_a_value_keeps_it_though_its_end_is_closed_before_it_runs(run: Runner) -> None:
    async def main() -> list[Any]:
        send, receive = durable.open_memory_channel(0)
        seen: list[Any] = []

        async def take() -> None:
            seen.append(await receive.receive())

        async with durable.open_nursery() as nursery:
            nursery.start_soon(take)
            await durable.sleep(1)
            send.send_nowait("given")
            receive.close()
        return seen

    assert run(main) == ["given"]


@in_both_worlds
def test_the_last_sender_that_leaves_ends_the_channel_and_no_other(run: Runner) -> None:
    async def main() -> list[Any]:
        send, receive = durable.open_memory_channel(0)
        clone, seen = send.clone(), list[Any]()

        async def take() -> None:
            try:
                await receive.receive()
            except trio.EndOfChannel:
                seen.append(round(durable.current_time() - began, 6))

        began = durable.current_time()
        async with durable.open_nursery() as nursery:
            nursery.start_soon(take)
            await durable.sleep(1)
            send.close()
            await durable.sleep(1)
            clone.close()
        return seen

    assert run(main) == [2]


@in_both_worlds
def test_what_nobody_can_receive_any_more_is_dropped(run: Runner) -> None:
    async def main() -> list[str]:
        send, receive = durable.open_memory_channel(1)
        send.send_nowait(1)
        seen: list[str] = []

        async def sender() -> None:
            try:
                await send.send(2)
            except trio.BrokenResourceError:
                seen.append("broken")

        async with durable.open_nursery() as nursery:
            nursery.start_soon(sender)
            await durable.sleep(1)
            receive.close()
        return seen

    assert run(main) == ["broken"]


@in_both_worlds
def test_only_the_sizes_of_rooms_are_sizes(run: Runner) -> None:
    async def main() -> None:
        with pytest.raises(TypeError, match=r"max_buffer_size must be an integer or math.inf"):
            durable.open_memory_channel(1.0)
        with pytest.raises(ValueError, match="max_buffer_size must be >= 0"):
            durable.open_memory_channel(-1)

    run(main)
