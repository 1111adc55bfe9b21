"""Runs a random program and writes down what happens, in order, with the time of each entry.

What it uses comes from an `Environment`. With the names of `durable`, which are Trio's own outside of a workflow, the same
code runs on the kernel and on Trio; with AnyIO's names it runs on the kernel's AnyIO backend.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import Any, Protocol

import anyio
import anyio.lowlevel
import trio

from aion_trio import durable

from .programs import Node

Trace = list[tuple[Any, ...]]


class Boom(Exception):
    """What programs raise."""


class OpFailed(Exception):
    """What a failed operation raises."""


class Environment(Protocol):
    """Where a program runs: `names` is what it builds with."""

    names: Any

    def now_us(self) -> int: ...
    async def op(self, label: str) -> int: ...
    async def child(self, label: str) -> int: ...
    async def sleep(self, seconds: float) -> None: ...
    async def signal(self) -> int: ...
    def event(self) -> Any: ...


class DurableNames:
    """The vocabulary of `durable`, and of Trio."""

    open_nursery, move_on_after, fail_after = durable.open_nursery, durable.move_on_after, durable.fail_after
    checkpoint, current_time, CancelScope = durable.checkpoint, durable.current_time, durable.CancelScope
    Lock, Semaphore, Condition, CapacityLimiter = durable.Lock, durable.Semaphore, durable.Condition, durable.CapacityLimiter
    open_channel = durable.open_memory_channel
    too_slow: type[Exception] = trio.TooSlowError
    broken, closed, ended = trio.BrokenResourceError, trio.ClosedResourceError, trio.EndOfChannel


class AnyIONames:
    """The vocabulary of AnyIO."""

    open_nursery, move_on_after, fail_after = anyio.create_task_group, anyio.move_on_after, anyio.fail_after
    checkpoint, current_time, CancelScope = anyio.lowlevel.checkpoint, anyio.current_time, anyio.CancelScope
    Lock, Semaphore, Condition, CapacityLimiter = anyio.Lock, anyio.Semaphore, anyio.Condition, anyio.CapacityLimiter
    open_channel = anyio.create_memory_object_stream[Any]
    too_slow: type[Exception] = TimeoutError
    broken, closed, ended = anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream


def outline(exc: BaseException) -> Any:
    """An exception as data: groups keep their shape, Cancelled its source alone."""
    if isinstance(exc, BaseExceptionGroup):
        return [outline(part) for part in exc.exceptions]
    if isinstance(exc, trio.Cancelled):
        return "Cancelled"
    return f"{type(exc).__name__} {exc}"[:40]


class Interpreter:
    """One run of one program. `trace` is appended to, `shared` is what the tasks pass each other."""

    def __init__(self, env: Environment, trace: Trace) -> None:
        self.env, self.trace, self.shared = env, trace, list[int]()
        self.names = names = env.names
        self.lock, self.broken, self.semaphore = names.Lock(), names.Lock(), names.Semaphore(2)
        self.limiter, self.condition, self.event = names.CapacityLimiter(2), names.Condition(), env.event()
        self.send, self.receive = names.open_channel(2)

    def log(self, *what: Any) -> None:
        self.trace.append((self.env.now_us(), *what))

    async def main(self, program: Node) -> list[int]:
        self.log("start")
        try:
            await self.run(program)
        except BaseException as exc:
            self.log("end", outline(exc))
            raise
        self.log("end", len(self.shared))
        return list(self.shared)

    async def run(self, node: Node) -> None:
        await getattr(self, f"run_{node[0]}")(*node[1:])

    async def child_task(self, node: Node) -> None:
        await self.run(node)
        self.log("child done", node[1])

    async def op(self, number: int, label: str) -> int:
        value = await self.env.op(f"{label}{number}")
        self.log("op", number, value)
        return value

    # ---- leaves

    async def run_op(self, number: int, n: int) -> None:
        value = 0
        for _ in range(n + 1):
            value = await self.op(number, "op")
        self.shared.append(value)

    async def run_child(self, number: int, n: int) -> None:
        with self.names.move_on_after(0.02 if n else 1) as scope:
            self.shared.append(await self.env.child(f"child{number}"))
        self.log("child", number, scope.cancelled_caught)

    async def run_fail_op(self, number: int, n: int) -> None:
        try:
            await self.op(number, "fail")
        except OpFailed:
            self.log("failed", number)
            if n == 0:
                raise

    async def run_sleep(self, number: int, seconds: float) -> None:
        await self.env.sleep(seconds)
        self.log("slept", number)

    async def run_shared(self, number: int, _: int) -> None:
        self.shared.append(number)
        await self.names.checkpoint()
        self.log("shared", number, len(self.shared), self.shared[-1])

    async def run_branch(self, number: int, _: int) -> None:
        last = self.shared[-1] if self.shared else 0
        for _ in range((last + len(self.shared)) % 3):
            await self.op(number, f"branch{last % 7}_")
        self.shared.append(last + number)

    async def run_yield(self, number: int, n: int) -> None:
        for _ in range(n):
            await self.names.checkpoint()
            self.log("yielded", number)

    async def run_raise(self, number: int, _: int) -> None:
        await self.op(number, "before_raise")
        raise Boom(number)

    async def run_set_event(self, number: int, _: int) -> None:
        await self.op(number, "set")
        self.event.set()

    async def run_signal(self, number: int, n: int) -> None:
        with self.names.move_on_after(0.01 * (n + 1)) as scope:
            self.shared.append(await self.env.signal())
        self.log("signal", number, scope.cancelled_caught, self.shared[-1:])

    async def run_locked(self, number: int, n: int) -> None:
        async with self.lock:
            self.log("locked", number)
            if n:
                await self.op(number, "lock")

    async def run_broken_lock(self, number: int, n: int) -> None:
        """A lock whose first owner ends without releasing it."""
        try:
            with self.names.move_on_after(0.02):
                await self.broken.acquire()
                self.log("broken lock owned", number)
                if n:
                    self.broken.release()
        except (self.names.broken, RuntimeError) as exc:
            self.log("broken lock", number, type(exc).__name__)

    async def run_semaphore(self, number: int, _: int) -> None:
        async with self.semaphore:
            self.log("semaphore", number, self.semaphore.value)
            await self.op(number, "semaphore")

    async def run_limited(self, number: int, n: int) -> None:
        try:
            async with self.limiter:
                self.log("limiter", number, self.limiter.borrowed_tokens)
                await self.op(number, "limiter")
        except RuntimeError:
            self.log("limiter refused", number)
        self.limiter.total_tokens = n + 1

    async def run_condition(self, number: int, n: int) -> None:
        with self.names.move_on_after(0.01) as scope:
            async with self.condition:
                if n % 2:
                    self.condition.notify(n)
                    self.log("notified", number)
                else:
                    await self.condition.wait()
                    self.log("was notified", number)
                    await self.op(number, "condition")
        self.log("condition", number, scope.cancelled_caught)

    async def run_generator(self, number: int, n: int) -> None:
        async def values() -> Any:
            try:
                for k in range(3):
                    yield await self.op(number, f"generator{k}_")
            finally:
                self.log("generator closed", number)

        async with aclosing(values()) as generator:
            async for value in generator:
                if (value + n) % 3 == 0:
                    break

    async def run_channel(self, number: int, n: int) -> None:
        with self.names.move_on_after(0.01) as scope:
            await self.send.send(number)
        self.log("sent", number, scope.cancelled_caught)
        if n == 1:
            with self.names.move_on_after(0.01):
                self.shared.append(await self.receive.receive())

    # ---- structure

    async def run_sequence(self, _number: int, nodes: list[Node]) -> None:
        for node in nodes:
            await self.run(node)

    async def run_fan(self, number: int, nodes: list[Node]) -> None:
        async with self.names.open_nursery() as nursery:
            for node in nodes:
                nursery.start_soon(self.child_task, node)
        self.log("fan done", number)

    async def run_race(self, number: int, nodes: list[Node]) -> None:
        winners: list[int] = []

        async def racer(k: int, node: Node) -> None:
            await self.run(node)
            winners.append(k)
            nursery.cancel_scope.cancel()

        async with self.names.open_nursery() as nursery:
            for k, node in enumerate(nodes):
                nursery.start_soon(racer, k, node)
        self.log("race won", number, winners)
        self.shared.append(winners[0] if winners else -1)

    async def run_cancel_child(self, number: int, nodes: list[Node]) -> None:
        scopes: list[Any] = []

        async def cancellable(node: Node) -> None:
            with self.names.CancelScope() as scope:
                scopes.append(scope)
                await self.run(node)
            self.log("cancellable", number, scope.cancelled_caught)

        async with self.names.open_nursery() as nursery:
            for node in nodes:
                nursery.start_soon(cancellable, node)
            await self.op(number, "cancel")
            if scopes:
                scopes[len(self.shared) % len(scopes)].cancel()

    async def run_timeout(self, number: int, seconds: float, node: Node) -> None:
        with self.names.move_on_after(seconds) as scope:
            try:
                await self.run(node)
            except BaseException as exc:
                self.log("cut off", number, outline(exc))
                raise
        self.log("timeout", number, scope.cancelled_caught)

    async def run_fail_after(self, number: int, seconds: float, node: Node) -> None:
        try:
            with self.names.fail_after(seconds):
                await self.run(node)
        except self.names.too_slow:
            self.log("too slow", number)

    async def run_move_deadline(self, number: int, seconds: float, node: Node) -> None:
        with self.names.move_on_after(1) as scope:
            await self.op(number, "move")
            scope.deadline = self.names.current_time() + seconds
            await self.run(node)
        self.log("moved", number, scope.cancelled_caught)

    async def run_shielded(self, number: int, node: Node) -> None:
        try:
            await self.run(node)
        finally:
            with self.names.CancelScope(shield=True):
                await self.op(number, "cleanup")

    async def run_unshield(self, number: int, node: Node) -> None:
        with self.names.CancelScope(shield=True) as scope:
            await self.op(number, "shield")
            scope.shield = False
            await self.run(node)
        self.log("unshielded", number, scope.cancelled_caught)

    async def run_catch(self, number: int, node: Node) -> None:
        try:
            await self.run(node)
        except Exception as exc:
            self.log("caught", number, outline(exc))
            self.shared.append(number)

    async def run_start(self, number: int, node: Node) -> None:
        async def service(*, task_status: Any) -> None:
            await self.op(number, "service")
            task_status.started(number)
            await self.run(node)

        async with self.names.open_nursery() as nursery:
            self.log("started", number, await nursery.start(service))
            await self.op(number, "after_start")

    async def run_start_late(self, number: int, node: Node) -> None:
        """A child that may fail, be cancelled or end before it says that it has started, inside of a scope of its own."""

        async def service(*, task_status: Any) -> None:
            with self.names.move_on_after(0.01) as scope:
                await self.run(node)
                task_status.started(number)
                await self.op(number, "late")
            self.log("service", number, scope.cancelled_caught)

        try:
            async with self.names.open_nursery() as nursery:
                self.log("started late", number, await nursery.start(service))
        except* RuntimeError as group:
            self.log("never started", number, len(group.exceptions))

    async def run_wait_event(self, number: int, node: Node) -> None:
        with self.names.move_on_after(0.05) as scope:
            await self.event.wait()
        self.log("event", number, scope.cancelled_caught)
        await self.run(node)

    async def run_consumers(self, number: int, size: int, producers: int, consumers: int, close_after: int) -> None:
        send, receive = self.names.open_channel(size)
        shared_end = receive.clone()
        async with self.names.open_nursery() as nursery:
            for k in range(producers):
                nursery.start_soon(self._produce, number, k, send.clone())
            for k in range(consumers):  # half of them wait on the very same end, which is closed under them
                nursery.start_soon(self._consume, number, k, receive.clone() if k % 2 else shared_end)
            send.close()
            receive.close()
            for _ in range(close_after):
                await self.op(number, "close")
            if close_after > 1:
                shared_end.close()
        self.log("consumers done", number)

    async def _produce(self, number: int, k: int, send: Any) -> None:
        async with send:
            for j in range(3):
                await self.op(number, f"producer{k}_{j}_")
                try:
                    await send.send((k, j))
                except (self.names.broken, self.names.closed) as exc:
                    self.log("send failed", number, k, type(exc).__name__)
                    return

    async def _consume(self, number: int, k: int, receive: Any) -> None:
        async with receive:
            try:
                while True:
                    item = await receive.receive()
                    self.log("item", number, k, item)
                    self.shared.append(item[0])
                    if (item[0] + k) % 2:
                        await self.op(number, f"consumer{k}_")
            except (self.names.closed, self.names.ended) as exc:
                self.log("receive ended", number, k, type(exc).__name__)
