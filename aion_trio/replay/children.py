"""Children of a run, from the parent's side."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from .. import events as ev
from ..codec import child_exception_of, decode, digest, encode
from ..events import Raw
from ..inside import ChildOptions
from ..kernel.sync import WaitQueue
from ..kernel.tasks import checkpoint, checkpoint_if_cancelled, yield_turn
from .state import RunState


class Child:
    """One child that the run recorded.

    Its closing is recorded once (C2) and kept here for whoever waits, or comes to wait later; if the child was
    cancelled with the scope around it, nobody does.
    """

    __slots__ = ("_cancel_requested", "_closing", "_definition", "_run", "_waiting", "raw")

    def __init__(self, run: RunState, raw: Raw, definition: Any) -> None:
        self._run, self.raw, self._definition = run, raw, definition
        self._closing: Raw | None = None
        self._cancel_requested = False
        self._waiting = WaitQueue()

    @property
    def id(self) -> str:
        """The child's workflow id."""
        return str(self.raw[3])

    async def result(self) -> Any:
        """Wait for the child's end: its result, or ChildWorkflowFailedError."""
        if self._closing is None:
            await self._waiting.park()
        else:
            await checkpoint()
        closing, codec = self._closing, self._run.codec
        assert closing is not None
        if closing[0] == ev.CHILD_WORKFLOW_FAILED:
            raise child_exception_of(closing[3], self.id, codec)
        data = codec.unwrap(closing[3])
        return decode(data) if self._definition is None else self._definition.decode_result(data)

    def cancel(self, reason: str) -> None:
        """Ask the child to cancel; once, and only while it runs."""
        if self._closing is None and not self._cancel_requested:
            self._run.emit([ev.CHILD_CANCEL_REQUESTED, self._run.kernel.time_us, self.raw[2], reason])
            self._cancel_requested = True

    def close(self, closing: Raw) -> None:
        """The child ended: wake whoever waits."""
        self._closing = closing
        self._waiting.wake_all()


class Children:
    """The children of one run, by ordinal, until their closing is recorded."""

    __slots__ = ("_run", "open")

    def __init__(self, run: RunState) -> None:
        self._run = run
        self.open: dict[int, Child] = {}

    async def call_child(self, definition: Any, args: tuple[Any, ...]) -> Any:
        """Start a child and wait for its result; cancelling the wait asks the child to cancel and returns at once (K9)."""
        child = await self._start(definition, args, ChildOptions(timeout_us=definition.timeout_us))
        try:
            return await child.result()
        except self._run.kernel.errors.cancelled:
            child.cancel("the scope around the child was cancelled")
            raise

    async def start_child(self, workflow: Any, args: tuple[Any, ...], options: ChildOptions) -> Child:
        """Start a child and go on; it is recorded when this returns."""
        child = await self._start(workflow, args, options)
        await yield_turn()
        return child

    async def _start(self, workflow: Any, args: tuple[Any, ...], options: ChildOptions) -> Child:
        """Record the child; `workflow` is a definition, or the name of one."""
        by_name = isinstance(workflow, str)
        name = workflow if by_name else workflow.name
        encoded = encode(list(args)) if by_name else workflow.encode_input(args)
        await checkpoint_if_cancelled()
        run = self._run
        version = self._version(workflow)
        payload = run.wrapped(encoded)
        ordinal = run.next_ordinal()
        child_id = options.id or f"{run.workflow_id}/{ordinal}-{blake2b(run.run_id, digest_size=4).hexdigest()}"
        fields = [child_id, name, version, payload, digest(encoded), options.on_parent_close, options.attributes, options.timeout_us, None]
        raw = run.emit([ev.CHILD_WORKFLOW_STARTED, run.kernel.time_us, ordinal, *fields])
        child = self.open[ordinal] = Child(run, raw, None if by_name else workflow)
        return child

    def _version(self, workflow: Any) -> int:
        """The version to record: the recorded one on replay, whatever is loaded; else one that is (C4)."""
        run = self._run
        recorded = run.ledger.recorded_ahead()
        if recorded is not None and recorded[0] == ev.CHILD_WORKFLOW_STARTED:
            return int(recorded[5])
        if isinstance(workflow, str):
            return run.registry.workflow(workflow).version
        return run.registry.workflow(workflow.name, workflow.version).version
