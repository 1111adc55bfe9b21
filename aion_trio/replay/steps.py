"""Activities, timers and signals to other workflows: the commands that park a task until a stimulus resolves them.

Each command takes the next ordinal and is emitted by the task that asks, in its own turn. If the task is cancelled while
it is parked, it is taken off `pending` and in its own turn emits that it gave up, before Cancelled goes on (K9).

The fast path: while replaying, a command whose record and whose result are the very next two events returns without
parking, if no other task could have run in between and nothing waits to be matched. That is what parking would lead to, at
a fraction of the cost; its conditions are part of the durable order.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from .. import events as ev
from ..codec import digest, encode
from ..events import Raw
from ..kernel.context import current_task
from ..kernel.tasks import checkpoint, checkpoint_if_cancelled, park
from .state import Pending, RunState

_SCHEDULED, _COMPLETED = ev.ACTIVITY_SCHEDULED, ev.ACTIVITY_COMPLETED


class Steps:
    """The parking commands of one run."""

    __slots__ = ("_cancelled", "_kernel", "_ledger", "_pending", "_run", "_unwrap")

    def __init__(self, run: RunState) -> None:
        self._run, self._kernel, self._ledger, self._pending = run, run.kernel, run.ledger, run.pending
        self._cancelled = run.kernel.errors.cancelled
        self._unwrap = run.codec.unwrap

    async def call_activity(self, definition: Any, args: tuple[Any, ...]) -> Any:
        """Run an activity and return its result; its failure is raised."""
        signature = definition.typed.signature  # not `encode_input` and `decode_result`: two calls more at every step of a replay
        encoded = signature.arguments.encode(args)
        kernel, ledger = self._kernel, self._ledger
        task = kernel.current
        if task is None or task.scope._cancelled or kernel.closing:
            await checkpoint()
            task = current_task()
        at, ordinal = ledger.at, ledger.ordinal + 1
        raw = ledger.page[at]
        if (
            raw[0] == _SCHEDULED
            and raw[2] == ordinal
            and raw[3] == definition.name
            and (raw[4] == encoded or raw[5] == digest(encoded))  # which agrees whatever payload codecs were on then
            and not ledger.outputs
        ):
            ledger.ordinal = ordinal
            result = ledger.page[at + 1]
            if result[0] == _COMPLETED and result[2] == ordinal and not kernel.runq and not kernel.idlers:
                payload = result[3]
                kernel.time_us = result[1]
                kernel.fuel = kernel.full_tank - 1
                ledger.size_bytes += len(payload) + len(encoded)
                ledger.at = at = at + 2
                if at > ledger.low:
                    ledger.turn_page()
                return signature.result.decode(self._unwrap(payload))
            ledger.size_bytes += len(encoded)
            ledger.advance()
            kernel.charge()
        else:
            raw = self._schedule(definition, encoded)
        self._pending[ordinal] = Pending(_SCHEDULED, task, raw, definition)
        try:
            payload = await park(partial(self._pending.pop, ordinal))
        except self._cancelled:
            self._run.emit([ev.ACTIVITY_CANCELLED, kernel.time_us, ordinal])
            raise
        return signature.result.decode(self._unwrap(payload))

    def _schedule(self, definition: Any, encoded: bytes) -> Raw:
        run = self._run
        payload = run.wrapped(encoded)
        fields = [run.next_ordinal(), definition.name, payload, digest(encoded), definition.queue, definition.options]
        return run.emit([_SCHEDULED, self._kernel.time_us, *fields])

    async def sleep_until_us(self, fire_at_us: int) -> None:
        """Sleep durably; a time that has come is a checkpoint and records nothing."""
        kernel = self._kernel
        if fire_at_us <= kernel.time_us:
            await checkpoint()
            return
        await checkpoint_if_cancelled()
        if self._slept_already(fire_at_us):
            return
        ordinal = self._run.next_ordinal()
        raw = self._run.emit([ev.TIMER_STARTED, kernel.time_us, ordinal, fire_at_us])
        pending = self._pending[ordinal] = Pending(ev.TIMER_STARTED, current_task(), raw)
        pending.alarm = alarm = kernel.alarms.set_timer(fire_at_us, ordinal)
        try:
            await park(partial(self._pending.pop, ordinal))
        except self._cancelled:
            kernel.alarms.clear_timer(alarm)
            self._run.emit([ev.TIMER_CANCELLED, kernel.time_us, ordinal])
            raise

    def _slept_already(self, fire_at_us: int) -> bool:
        """The fast path of a sleep."""
        kernel, ledger = self._kernel, self._ledger
        at, ordinal = ledger.at, ledger.ordinal + 1
        raw, fired = ledger.page[at], ledger.page[at + 1]
        if (
            raw[0] == ev.TIMER_STARTED
            and raw[2] == ordinal
            and raw[3] == fire_at_us
            and fired[0] == ev.TIMER_FIRED
            and fired[2] == ordinal
            and not (kernel.runq or kernel.idlers or ledger.outputs)
        ):
            ledger.ordinal = ordinal
            kernel.time_us = fired[1]
            kernel.fuel = kernel.full_tank - 1
            ledger.advance()
            ledger.advance()
            return True
        return False

    async def signal_workflow(self, target: str, signal: Any, value: Any) -> None:
        """Signal another workflow; returns when it has recorded the signal (S2)."""
        name = signal if isinstance(signal, str) else signal.name
        encoded = encode(value) if isinstance(signal, str) else signal.encode(value)
        await checkpoint_if_cancelled()
        run = self._run
        payload = run.wrapped(encoded)
        ordinal = run.next_ordinal()
        raw = run.emit([ev.SIGNAL_SENT, self._kernel.time_us, ordinal, target, name, payload, digest(encoded)])
        self._pending[ordinal] = Pending(ev.SIGNAL_SENT, current_task(), raw)
        await park(partial(self._pending.pop, ordinal))
