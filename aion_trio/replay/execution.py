"""One run in memory: raw events in, raw events out. No event loop, no clock, no I/O.

`Execution` drives a kernel. It applies stimuli one at a time, each run to quiescence (K1): first from recorded history, then
from the run's actor. What the code asks for becomes outputs (`steps`, `children`, `host`), which are compared with history as
long as there is any (`ledger`). When the workflow function ends, the closing event is the last output (`closing`).

Faults (code that does not match its history, breaks a rule or never parks) are raised by `replay` and `feed` as AionErrors.
The execution is unusable then and holds nothing that may be recorded: evict it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from .. import events as ev
from ..codec import Codec, exception_of
from ..durable import TRIO_ERRORS, uninterrupted
from ..errors import SignalNotDeliveredError
from ..events import Raw
from ..kernel import Guard, Kernel, TrioGuard
from ..kernel.stack import await_stack, line_of_coroutine
from ..kernel.tasks import Raise, Task
from .closing import closing_event
from .host import RunHost
from .ledger import END, Ledger
from .payloads import Outside
from .state import RunState

if TYPE_CHECKING:
    from ..definitions import Registry

_KINDS = {
    ev.ACTIVITY_COMPLETED: ev.ACTIVITY_SCHEDULED,
    ev.ACTIVITY_FAILED: ev.ACTIVITY_SCHEDULED,
    ev.TIMER_FIRED: ev.TIMER_STARTED,
    ev.SIGNAL_DELIVERED: ev.SIGNAL_SENT,
    ev.SIGNAL_FAILED: ev.SIGNAL_SENT,
}
"""The command that each of these stimuli resolves."""


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Which run this is."""

    workflow_id: str
    run_id: bytes
    namespace: str = "default"


@dataclass(frozen=True, slots=True)
class World:
    """What all runs of one engine share. `logger` is where `durable.logger` writes; `fuel` is how much one step may do."""

    registry: Registry
    codec: Codec = field(default_factory=Codec)
    fuel: int = 1_000_000
    guard: Guard = field(default_factory=TrioGuard)
    logger: logging.Logger = field(default_factory=lambda: logging.getLogger("aion_trio.workflow"))

    def __post_init__(self) -> None:
        object.__setattr__(self, "codec", self.codec.with_each(Outside))


class Execution:
    """The code's state of one run.

    Invariant: between calls every task is parked or the run is `finished`, and every output is either matched with its
    record or waits for `take_outputs`.
    """

    __slots__ = ("_cancel_reason", "_closing", "_host", "_kernel", "_ledger", "_main", "_run", "finished")

    def __init__(self, definition: Any, identity: RunIdentity, world: World) -> None:
        self._ledger = Ledger(identity.workflow_id, world.codec)
        self._kernel = Kernel(errors=TRIO_ERRORS, fuel=world.fuel, guard=world.guard)
        self._run = run = RunState(self._kernel, self._ledger, world.codec, world.registry)
        run.workflow_id, run.run_id, run.definition = identity.workflow_id, identity.run_id, definition
        self._host = RunHost(run, world.logger, identity.namespace)
        self._kernel.host = self._host
        self._main: Task | None = None
        self._cancel_reason: str | None = None
        self._closing: Raw = []
        self.finished = False

    # ---- driving

    @uninterrupted
    def replay(self, raws: Iterable[Raw], *, step_owed: bool = False) -> None:
        """Apply this run's recorded events, `raws[0]` being its WorkflowStarted.

        Outputs that history does not hold yet wait in `take_outputs`. Say `step_owed` if the newest stimuli were recorded
        without their step, which is then run for the first time; if not, `require_settled` must hold afterwards.
        """
        ledger = self._ledger
        self._run.step_owed = step_owed
        ledger.open(raws)
        token = self._kernel.enter()
        try:
            while (raw := ledger.page[ledger.at]) is not END:
                if raw[0] in ev.OUTPUTS:
                    ledger.settle(raw, self._where())
                else:
                    ledger.advance()
                    self._apply(raw)
        finally:
            self._kernel.leave(token)
        ledger.close()

    @uninterrupted
    def feed(self, raw: Raw) -> None:
        """Apply one event as it happens and run the code until it waits; markers only count."""
        ledger = self._ledger
        ledger.count(raw)
        if raw[0] not in self._STIMULI:
            return
        ledger.pass_live()
        token = self._kernel.enter()
        try:
            self._apply(raw)
        finally:
            self._kernel.leave(token)

    def _apply(self, raw: Raw) -> None:
        kernel = self._kernel
        kernel.time_us = raw[1]
        kernel.fuel = kernel.full_tank
        if self.finished:
            self._pass_to_successor(raw)
            return
        self._STIMULI[raw[0]](self, raw)
        kernel.run()

    def _where(self) -> str:
        """Where the workflow function waits, for errors."""
        return line_of_coroutine(self._main.coro) if self._main is not None and self._main.coro is not None else ""

    # ---- stimuli

    def _start(self, raw: Raw) -> None:
        run = self._run
        self._host.started = raw
        run.attributes.update(raw[12])
        for name, payload, sender in raw[8]:
            self._host.mail.deliver(name, payload, sender)
        data = run.codec.unwrap(raw[7])
        self._ledger.size_bytes += len(data)
        self._main = self._kernel.spawn(self._call(data), run.definition.name, self._main_ended)

    async def _call(self, data: bytes) -> Any:
        definition = self._run.definition
        return await definition.fn(*definition.decode_input(data))

    def _resolve(self, raw: Raw) -> None:
        """Wake the task that waits for this ordinal; if it gave up, the stimulus goes to no code."""
        pending = self._run.pending.pop(raw[2], None)
        if pending is None or pending.kind != _KINDS[raw[0]]:
            if pending is not None or raw[2] > self._ledger.ordinal:
                self._ledger.fail(raw, None, self._where())
            return
        code = raw[0]
        value: Any = None
        if code == ev.ACTIVITY_COMPLETED:
            value = raw[3]
            self._ledger.size_bytes += len(value)
        elif code == ev.ACTIVITY_FAILED:
            definition = pending.definition
            value = Raise(exception_of(raw[3], definition.raises, definition.name, self._run.codec))
        elif code == ev.TIMER_FIRED:
            self._kernel.alarms.clear_timer(pending.alarm)
        elif code == ev.SIGNAL_FAILED:
            value = Raise(SignalNotDeliveredError(f"signal {pending.raw[4]!r} to workflow {pending.raw[3]!r} was not delivered: {raw[3]}"))
        self._kernel.reschedule(pending.task, value)

    def _pass_deadline(self, raw: Raw) -> None:
        if not self._kernel.deadline_passed(raw[2]):
            self._ledger.fail(raw, None, self._where())

    def _close_child(self, raw: Raw) -> None:
        child = self._host.children.open.pop(raw[2], None)
        if child is not None:
            child.close(raw)
        elif raw[2] > self._ledger.ordinal:
            self._ledger.fail(raw, None, self._where())

    def _receive(self, raw: Raw) -> None:
        self._ledger.size_bytes += len(raw[3])
        self._host.mail.deliver(raw[2], raw[3], raw[4])

    def _cancel(self, raw: Raw) -> None:
        if self._cancel_reason is None:
            self._cancel_reason = raw[2]
            self._kernel.root.cancel_from("explicit", raw[2])

    def _accept_update(self, raw: Raw) -> None:
        self._host.mail.accept_update(raw)

    _STIMULI: ClassVar[dict[int, Callable[[Execution, Raw], None]]] = {
        ev.WORKFLOW_STARTED: _start,
        ev.ACTIVITY_COMPLETED: _resolve,
        ev.ACTIVITY_FAILED: _resolve,
        ev.TIMER_FIRED: _resolve,
        ev.DEADLINE_PASSED: _pass_deadline,
        ev.CHILD_WORKFLOW_COMPLETED: _close_child,
        ev.CHILD_WORKFLOW_FAILED: _close_child,
        ev.SIGNAL_RECEIVED: _receive,
        ev.SIGNAL_DELIVERED: _resolve,
        ev.SIGNAL_FAILED: _resolve,
        ev.CANCEL_REQUESTED: _cancel,
        ev.UPDATE_ACCEPTED: _accept_update,
    }
    """What each stimulus does; other events are markers."""

    def _main_ended(self, value: Any, exc: BaseException | None) -> None:
        if not self._kernel.closing:
            self._ledger.ended = self._run.definition.fn
            closing = closing_event(self._run, value, exc, self._cancel_reason, self._host.mail.unconsumed())
            self._closing = self._run.emit(closing)
            self.finished = True
            self._kernel.runq.clear()

    def _pass_to_successor(self, raw: Raw) -> None:
        """What arrived after the code had ended and before that was recorded: its successor gets it, if there is one (S3).

        It happens where a step was owed: its stimulus and those after it are recorded, and the closing is not.
        """
        if self._closing[0] != ev.WORKFLOW_CONTINUED_AS_NEW:
            return
        if raw[0] == ev.SIGNAL_RECEIVED:
            self._closing[5].append([raw[2], raw[3], raw[4]])
        elif raw[0] == ev.CANCEL_REQUESTED and self._closing[6] is None:
            self._closing[6] = raw[2]

    # ---- outputs

    def take_outputs(self) -> list[Raw]:
        """The events that the code caused and history does not hold, in order, each with its stimulus's `recorded_at`.

        When the code has finished, the closing event is the last one. What is taken counts as recorded.
        """
        return self._ledger.take()

    def require_settled(self) -> None:
        """NonDeterminismError if the code asked for more than its history holds."""
        self._ledger.require_settled()

    # ---- time

    @property
    def time_us(self) -> int:
        """The workflow's time: `recorded_at` of the stimulus applied last (K2)."""
        return self._kernel.time_us

    def next_due(self) -> int | None:
        """When the earliest timer or deadline is due, None if there is none."""
        first = None if self.finished else self._kernel.alarms.first()
        return None if first is None else first[0]

    def due(self, until_us: int, at_us: int) -> Raw | None:
        """The next TimerFired or DeadlinePassed due at or before `until_us`, stamped `at_us`, in the order (due, set order)."""
        first = None if self.finished else self._kernel.alarms.first()
        if first is None or first[0] > until_us:
            return None
        due_us, owner = first
        return [ev.TIMER_FIRED, at_us, owner] if isinstance(owner, int) else [ev.DEADLINE_PASSED, at_us, due_us]

    # ---- looking in

    @property
    def spoiled(self) -> bool:
        """Whether no further step can be taken: a fault was raised, or a query changed the workflow's state."""
        return self._kernel.fault is not None

    @property
    def position(self) -> int:
        """`seq` of the newest event that was replayed, fed or taken; set it before `replay` if the run does not begin at 1."""
        return self._ledger.position

    @position.setter
    def position(self, seq: int) -> None:
        self._ledger.position = seq

    @uninterrupted
    def query(self, name: str) -> bytes:
        """The answer to a query, encoded; QueryNotServedError. Appends nothing and changes nothing (K6, S4)."""
        return self._host.mail.query(name)

    @uninterrupted
    def validate_update(self, name: str, data: bytes) -> None:
        """Ask the workflow's validator before an UpdateAccepted is recorded; what it raises is raised (S5)."""
        self._host.mail.validate_update(name, self._run.codec.unwrap(data))

    def pending_activities(self) -> dict[int, Raw]:
        """Ordinal to ActivityScheduled, of the activities that are neither resolved nor cancelled."""
        return {ordinal: p.raw for ordinal, p in self._run.pending.items() if p.kind == ev.ACTIVITY_SCHEDULED}

    def unconsumed_signals(self) -> list[list[Any]]:
        """`[name, payload, sender]` of each signal that no code received, in order of arrival (S3)."""
        return self._host.mail.unconsumed()

    def stack(self) -> str:
        """Where every task of the workflow waits, as text."""
        return await_stack(self._kernel)

    @uninterrupted
    def evict(self) -> None:
        """Drop the run from memory; nothing is recorded, whatever its cleanup code does."""
        self._kernel.evict()
        self._main = None  # it leads back here, and would leave each run to the collector
