"""The same programs on Trio's own objects: an oracle for everything that the kernel says it does as Trio does.

Trio promises no order, so `orderly_trio` makes its choices the kernel's for the time of a run; and deadlines fire when
told, ties in the order of setting.

Written differences, which the programs avoid: deadlines closer together than a microsecond; `cancel_called`, which
Trio evaluates against the clock when it is read and the kernel only when told; the text of Cancelled (Trio names the
task by address); a durable sleep, which is a parked operation here (Trio's is a scope).
"""

from __future__ import annotations

from typing import Any

import outcome
import trio
import trio._core._run as _run
import trio.abc
import trio.testing

from aion_trio import events as ev
from aion_trio.codec import decode

from .interpreter import DurableNames, Interpreter, OpFailed, Trace
from .lives import Life
from .orderly import Ordered, orderly_trio


class _Deadlines:
    """Trio's heap of deadlines, replaced: they fire when the oracle says so, for exactly one time."""

    def __init__(self) -> None:
        self.scopes: dict[Any, tuple[int, float]] = {}
        self.count = 0

    def add(self, deadline: float, scope: Any) -> None:
        self.count += 1
        self.scopes[scope] = (self.count, deadline)

    def remove(self, deadline: float, scope: Any) -> None:
        self.scopes.pop(scope, None)

    def next_deadline(self) -> float:
        return float("inf")

    def expire(self, now: float) -> bool:
        return False

    def fire(self, due_us: int) -> int:
        due = sorted((n, s) for s, (n, deadline) in self.scopes.items() if round(deadline * 1e6) == due_us)
        for _, scope in due:
            scope._cancel(_run.CancelReason(source="deadline"))
        return len(due)


class _Clock(trio.abc.Clock):
    def __init__(self) -> None:
        self.now_us = 0

    def start_clock(self) -> None:
        pass

    def current_time(self) -> float:
        return self.now_us / 1e6

    def deadline_to_sleep_time(self, deadline: float) -> float:
        return 0 if deadline <= self.current_time() else 999


class OnTrio:
    """The environment of a program on Trio; operations get ordinals as commands do and are resolved by ordinal."""

    names: Any = DurableNames

    def __init__(self, clock: _Clock) -> None:
        self.clock = clock
        self.waiting: dict[int, Any] = {}
        self.count = 0
        self.signals_in, self.signals_out = trio.open_memory_channel[int](10_000)

    def now_us(self) -> int:
        return self.clock.now_us

    async def op(self, label: str) -> int:
        await trio.lowlevel.checkpoint_if_cancelled()
        self.count = ordinal = self.count + 1
        self.waiting[ordinal] = trio.lowlevel.current_task()

        def abort(_: Any) -> trio.lowlevel.Abort:
            del self.waiting[ordinal]
            return trio.lowlevel.Abort.SUCCEEDED

        value: int = await trio.lowlevel.wait_task_rescheduled(abort)
        return value

    async def child(self, label: str) -> int:
        return await self.op(label)

    async def sleep(self, seconds: float) -> None:
        if round(seconds * 1e6) == 0:
            await trio.lowlevel.checkpoint()
        else:
            await self.op("sleep")

    async def signal(self) -> int:
        return await self.signals_out.receive()

    def event(self) -> Any:
        event = trio.Event()
        event._tasks = Ordered()  # type: ignore[assignment]
        return event

    def apply(self, raw: Any, deadlines: _Deadlines, root: trio.CancelScope) -> None:
        code, self.clock.now_us = raw[0], raw[1]
        if code == ev.DEADLINE_PASSED:
            assert deadlines.fire(raw[2]), f"Trio has no deadline {raw[2]}"
        elif code == ev.SIGNAL_RECEIVED:
            self.signals_in.send_nowait(decode(raw[3]))
        elif code == ev.CANCEL_REQUESTED:
            root.cancel()
        elif (task := self.waiting.pop(raw[2], None)) is not None:
            if code == ev.ACTIVITY_FAILED:
                trio.lowlevel.reschedule(task, outcome.Error(OpFailed(raw[3][2])))
            else:
                trio.lowlevel.reschedule(task, outcome.Value(None if code == ev.TIMER_FIRED else decode(raw[3])))


def lived_on_trio(life: Life) -> Trace:
    """The trace that the program of a life writes on Trio, told the same stimuli in the same order."""
    clock, trace = _Clock(), Trace()
    program = life.program

    async def main() -> None:
        deadlines = _run.GLOBAL_RUN_CONTEXT.runner.deadlines = _Deadlines()  # type: ignore[assignment]
        env = OnTrio(clock)
        clock.now_us = life.history[0][1]
        async with trio.open_nursery() as nursery:

            async def run() -> None:
                with root:
                    try:
                        await Interpreter(env, trace).main(program)
                    except BaseExceptionGroup as group:  # the run's end is not this test's matter
                        _ = group.split(trio.Cancelled)

            root = trio.CancelScope()
            nursery.start_soon(run)
            for raw in life.history[1:]:
                if raw[0] in ev.STIMULI:
                    await trio.testing.wait_all_tasks_blocked()
                    env.apply(raw, deadlines, root)  # type: ignore[arg-type]
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()  # a program that has not ended by now has gone another way

    with orderly_trio():
        trio.run(main, clock=clock)
    return trace
