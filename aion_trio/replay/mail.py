"""What comes to a run from outside: signals in order of arrival, queries, updates."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from inspect import isawaitable, iscoroutine
from typing import Any

from .. import events as ev
from ..codec import failure_of
from ..errors import QueryNotServedError, WorkflowRuleError
from ..events import Raw
from ..kernel.sync import WaitQueue
from ..kernel.tasks import checkpoint_if_cancelled, yield_turn
from .state import RunState


class _Box:
    """The signals of one name, `(arrival number, payload, sender)` each, and the tasks that wait for one."""

    __slots__ = ("items", "waiting")

    def __init__(self) -> None:
        self.items: deque[tuple[int, bytes, Any]] | None = None  # made when needed: it takes 600 bytes, and most runs wait
        self.waiting = WaitQueue()


class Mail:
    """The mail of one run. A signal goes to the task that has waited longest; if none waits, it does (S1)."""

    __slots__ = ("_arrivals", "_boxes", "_early_updates", "_queries", "_run", "_updates")

    def __init__(self, run: RunState) -> None:
        self._run = run
        self._boxes: dict[str, _Box] = {}
        self._arrivals = 0
        self._queries: dict[str, tuple[Any, Callable[..., Any]]] = {}
        self._updates: dict[str, tuple[Any, Callable[..., Any], Callable[..., Any] | None]] = {}
        self._early_updates: list[Raw] = []

    # ---- signals

    def _box(self, name: str) -> _Box:
        box = self._boxes.get(name)
        if box is None:
            box = self._boxes[name] = _Box()
        return box

    def deliver(self, name: str, payload: bytes, sender: Any) -> None:
        """A signal arrived."""
        self._arrivals += 1
        box = self._box(name)
        if box.waiting:
            box.waiting.wake(payload)
        else:
            box.items = box.items or deque()
            box.items.append((self._arrivals, payload, sender))

    async def receive_signal(self, definition: Any) -> Any:
        """The next signal of this name."""
        box = self._box(definition.name)
        await checkpoint_if_cancelled()
        if box.items:
            _, payload, _ = box.items.popleft()
            await yield_turn()
        else:
            payload = await box.waiting.park()
        return definition.decode(self._run.codec.unwrap(payload))

    def unconsumed(self) -> list[list[Any]]:
        """`[name, payload, sender]` of every signal that no code received, in order of arrival (S3)."""
        waiting = [(number, name, payload, sender) for name, box in self._boxes.items() for number, payload, sender in box.items or ()]
        return [[name, payload, sender] for _, name, payload, sender in sorted(waiting, key=lambda item: item[0])]

    # ---- queries

    def serve_query(self, definition: Any, fn: Callable[..., Any]) -> None:
        """Answer queries of this name with `fn` from here on."""
        self._run.require_writable("a query's handler")
        self._queries[definition.name] = (definition, fn)

    def query(self, name: str) -> bytes:
        """The encoded answer."""
        served = self._queries.get(name)
        if served is None:
            known = ", ".join(sorted(self._queries)) or "none"
            raise QueryNotServedError(f"workflow {self._run.workflow_id!r} serves no query {name!r}; it serves: {known}")
        definition, fn = served
        return bytes(definition.encode(self._read(fn)))

    def _read(self, fn: Callable[..., Any], *args: Any) -> Any:
        """Call a plain function that may look at the workflow's state and change nothing (K6)."""
        run, kernel = self._run, self._run.kernel
        token = kernel.enter()
        run.reading = True
        try:
            answer = fn(*args)
        finally:
            run.reading = False
            kernel.leave(token)
            if kernel.runq:  # it woke or started a task
                kernel.poison(WorkflowRuleError(f"{fn!r} answers a query or validates an update, and changed the workflow's state"))
        if kernel.fault is not None:
            raise kernel.fault
        if isawaitable(answer):
            if iscoroutine(answer):
                answer.close()
            raise WorkflowRuleError(f"{fn!r} answers a query or validates an update: make it a plain function, not an async one")
        return answer

    # ---- updates

    def serve_update(self, definition: Any, fn: Callable[..., Any], validate: Callable[..., Any] | None) -> None:
        """Run `fn` for every update of this name, those that came early included."""
        self._run.require_writable("an update's handler")
        self._updates[definition.name] = (definition, fn, validate)
        early, self._early_updates = self._early_updates, []
        for raw in early:
            self.accept_update(raw)

    def validate_update(self, name: str, data: bytes) -> None:
        """Raise what the validator raises; an update that nobody serves yet is accepted and waits (S5)."""
        served = self._updates.get(name)
        if served is not None:
            definition, _, validate = served
            value = definition.decode_input(data)
            if validate is not None:
                self._read(validate, value)

    def accept_update(self, raw: Raw) -> None:
        """Run a recorded update as a task of its own; its end is recorded."""
        served = self._updates.get(raw[3])
        if served is None:
            self._early_updates.append(raw)
            return
        definition, fn, _ = served

        async def answer() -> Any:
            value = fn(definition.decode_input(self._run.codec.unwrap(raw[4])))
            return self._run.codec.wrap(definition.encode_result(await value if isawaitable(value) else value))

        self._run.kernel.spawn(answer(), f"update {raw[3]}", partial(self._answered, raw[2]))

    def _answered(self, update_id: str, payload: Any, exc: BaseException | None) -> None:
        run = self._run
        if not run.kernel.closing:
            outcome = [True, payload] if exc is None else [False, failure_of(exc, run.codec)]
            run.emit([ev.UPDATE_COMPLETED, run.kernel.time_us, update_id, outcome])
