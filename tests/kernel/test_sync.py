"""Events, locks, semaphores, conditions, limiters and channels mean what they mean in Trio; each test runs on both."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
import trio

from aion_trio import durable

from .worlds import Runner, in_both_worlds


@in_both_worlds
def test_an_event_wakes_all_its_waiters(run: Runner) -> None:
    async def main() -> int:
        event, woken = durable.Event(), []

        async def waiter(n: int) -> None:
            await event.wait()
            woken.append(n)

        async with durable.open_nursery() as nursery:
            for n in range(3):
                nursery.start_soon(waiter, n)
            await durable.sleep(1)
            assert not event.is_set()
            event.set()
        await event.wait()
        assert event.is_set()
        return len(woken)

    assert run(main) == 3


@in_both_worlds
def test_a_lock_is_fair_and_owned_by_its_task(run: Runner) -> None:
    async def main() -> list[int]:
        lock, order = durable.Lock(), []

        async def worker(n: int) -> None:
            async with lock:
                order.append(n)
                await durable.sleep(1)

        async with durable.open_nursery() as nursery:
            async with lock:
                with pytest.raises(RuntimeError, match="re-acquire"):
                    await lock.acquire()
                for n in range(3):
                    nursery.start_soon(worker, n)
                    await durable.sleep(1)
                assert lock.locked()
            with pytest.raises(RuntimeError, match="don't own"):
                lock.release()
            with pytest.raises(trio.WouldBlock):
                lock.acquire_nowait()
        return order

    assert run(main) == [0, 1, 2]


@in_both_worlds
def test_a_lock_whose_owner_ended_is_broken_for_good(run: Runner) -> None:
    async def main() -> list[str]:
        lock, seen = durable.Lock(), []

        async def owner() -> None:
            await lock.acquire()
            await durable.sleep(1)

        async def waiter() -> None:
            try:
                await lock.acquire()
            except trio.BrokenResourceError:
                seen.append("broken while waiting")

        async with durable.open_nursery() as nursery:
            nursery.start_soon(owner)
            await durable.sleep(0.5)
            nursery.start_soon(waiter)
        with pytest.raises(trio.BrokenResourceError):
            await lock.acquire()
        return seen

    assert run(main) == ["broken while waiting"]


@in_both_worlds
def test_a_waiter_that_is_cancelled_leaves_the_queue(run: Runner) -> None:
    async def main() -> bool:
        lock = durable.Lock()

        async def hold() -> None:
            async with lock:
                await durable.sleep(5)

        async with durable.open_nursery() as nursery:
            nursery.start_soon(hold)
            await durable.checkpoint()
            with durable.move_on_after(1) as scope:
                await lock.acquire()
        return scope.cancelled_caught and not lock.locked()

    assert run(main)


@in_both_worlds
def test_a_semaphore_counts_and_refuses_too_many_releases(run: Runner) -> None:
    async def main() -> None:
        semaphore = durable.Semaphore(1, max_value=1)
        async with semaphore:
            assert semaphore.value == 0
            with pytest.raises(trio.WouldBlock):
                semaphore.acquire_nowait()
        with pytest.raises(ValueError, match="too many"):
            semaphore.release()
        with pytest.raises(ValueError, match="0"):
            durable.Semaphore(-1)
        with pytest.raises(ValueError, match="initial"):
            durable.Semaphore(2, max_value=1)

    run(main)


@in_both_worlds
def test_a_condition_hands_the_lock_to_those_it_notifies(run: Runner) -> None:
    async def main() -> list[Any]:
        condition, seen = durable.Condition(), []

        async def waiter(n: int) -> None:
            async with condition:
                await condition.wait()
                assert condition.locked()
                seen.append(n)

        async with durable.open_nursery() as nursery:
            for n in range(3):
                nursery.start_soon(waiter, n)
                await durable.sleep(1)
            async with condition:
                condition.notify()
            await durable.sleep(1)
            seen.append("then all")
            async with condition:
                condition.notify_all()
        with pytest.raises(RuntimeError, match="must hold"):
            condition.notify()
        return seen

    assert run(main) == [0, "then all", 1, 2]


@in_both_worlds
def test_a_cancelled_condition_wait_holds_the_lock_again(run: Runner) -> None:
    async def main() -> bool:
        condition = durable.Condition()
        with durable.move_on_after(1):
            async with condition:
                try:
                    await condition.wait()
                finally:
                    held = condition.locked()
        return held

    assert run(main)


@in_both_worlds
def test_a_limiter_lends_tokens_in_order(run: Runner) -> None:
    async def main() -> list[Any]:
        limiter, seen = durable.CapacityLimiter(1), []

        async def worker(n: int) -> None:
            async with limiter:
                seen.append(n)
                await durable.sleep(1)

        async with durable.open_nursery() as nursery:
            for n in range(3):
                nursery.start_soon(worker, n)
                await durable.sleep(0.1)
            assert (limiter.borrowed_tokens, limiter.available_tokens) == (1, 0)
            limiter.total_tokens = 3
            assert limiter.borrowed_tokens == 3
        with pytest.raises(RuntimeError, match="holding"):
            limiter.release()
        with pytest.raises(TypeError):
            limiter.total_tokens = 1.5
        limiter.total_tokens = inf
        limiter.acquire_nowait()
        with pytest.raises(RuntimeError, match="already holding"):
            limiter.acquire_nowait()
        return seen

    assert run(main) == [0, 1, 2]


@in_both_worlds
def test_a_channel_hands_values_over_in_order(run: Runner) -> None:
    async def main() -> list[int]:
        send, receive = durable.open_memory_channel(1)

        async def producer() -> None:
            async with send:
                for n in range(4):
                    await send.send(n)

        async with durable.open_nursery() as nursery:
            nursery.start_soon(producer)
            return [value async for value in receive]

    assert run(main) == [0, 1, 2, 3]


@in_both_worlds
def test_a_channel_may_name_the_type_of_its_values(run: Runner) -> None:
    async def main() -> int:
        send, receive = durable.open_memory_channel[int](1)
        await send.send(7)
        return await receive.receive()

    assert run(main) == 7


@in_both_worlds
def test_closing_an_end_wakes_those_who_wait_on_it(run: Runner) -> None:
    async def main() -> list[str]:
        send, receive = durable.open_memory_channel(0)
        clone, seen = receive.clone(), []

        async def wait_on(end: Any, name: str) -> None:
            try:
                await end.receive()
            except (trio.ClosedResourceError, trio.EndOfChannel) as exc:
                seen.append(f"{name}: {type(exc).__name__}")

        async with durable.open_nursery() as nursery:
            nursery.start_soon(wait_on, receive, "own end")
            nursery.start_soon(wait_on, clone, "other end")
            await durable.sleep(1)
            receive.close()
            await durable.sleep(1)
            send.close()
        with pytest.raises(trio.ClosedResourceError):
            receive.receive_nowait()
        with pytest.raises(trio.EndOfChannel):
            clone.receive_nowait()
        return seen

    assert run(main) == ["own end: ClosedResourceError", "other end: EndOfChannel"]


@in_both_worlds
def test_sending_to_nobody_is_a_broken_resource(run: Runner) -> None:
    async def main() -> None:
        send, receive = durable.open_memory_channel(0)
        with pytest.raises(trio.WouldBlock):
            send.send_nowait(1)

        async def close_later() -> None:
            await durable.sleep(1)
            receive.close()

        async with durable.open_nursery() as nursery:
            nursery.start_soon(close_later)
            with pytest.raises(trio.BrokenResourceError):
                await send.send(1)
        with pytest.raises(trio.BrokenResourceError):
            send.send_nowait(1)
        with pytest.raises(TypeError):
            durable.open_memory_channel(1.5)
        with pytest.raises(ValueError, match="0"):
            durable.open_memory_channel(-1)

    run(main)


@in_both_worlds
def test_a_value_that_was_not_received_is_not_lost_by_a_cancelled_receiver(run: Runner) -> None:
    async def main() -> Any:
        send, receive = durable.open_memory_channel(5)
        with durable.move_on_after(1):
            await receive.receive()
        send.send_nowait("kept")
        return await receive.receive()

    assert run(main) == "kept"


def _every_async_function() -> list[Any]:
    async def acquire_lock() -> None:
        await durable.Lock().acquire()

    async def acquire_semaphore() -> None:
        await durable.Semaphore(1).acquire()

    async def acquire_limiter() -> None:
        await durable.CapacityLimiter(1).acquire()

    async def wait_for_set_event() -> None:
        event = durable.Event()
        event.set()
        await event.wait()

    async def send() -> None:
        await durable.open_memory_channel(1)[0].send(1)

    async def receive() -> None:
        send, receive = durable.open_memory_channel(1)
        send.send_nowait(1)
        await receive.receive()

    async def close() -> None:
        await durable.open_memory_channel(1)[0].aclose()

    async def sleep_until_past() -> None:
        await durable.sleep_until(durable.current_time() - 1)

    async def sleep_zero() -> None:
        await durable.sleep(0)

    return [acquire_lock, acquire_semaphore, acquire_limiter, wait_for_set_event, send, receive, close, sleep_until_past, sleep_zero]


@in_both_worlds
@pytest.mark.parametrize("async_fn", _every_async_function(), ids=lambda fn: fn.__name__)
def test_every_async_function_is_a_checkpoint(run: Runner, async_fn: Any) -> None:
    async def main() -> tuple[list[str], bool]:
        seen: list[str] = []

        async def other() -> None:
            seen.append("other")

        async with durable.open_nursery() as nursery:
            nursery.start_soon(other)
            await async_fn()
            seen.append("done")
        with durable.CancelScope() as scope:
            scope.cancel()
            await async_fn()
        return seen, scope.cancelled_caught

    assert run(main) == (["other", "done"], True)
