"""What every part of one run shares: its identity, kernel, record and codec, and the one way to ask for something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import events as ev
from ..codec import Codec
from ..errors import NonDeterminismError
from ..events import Raw
from ..kernel import Evicted, Kernel
from ..kernel.tasks import Task
from .ledger import Ledger

if TYPE_CHECKING:
    from ..definitions import Registry


class Pending:
    """A task that waits for the stimulus of a command: `kind` is the code of the command, `raw` its event.

    `alarm` is the number of a timer's alarm; other commands have none.
    """

    __slots__ = ("alarm", "definition", "kind", "raw", "task")
    alarm: int

    def __init__(self, kind: int, task: Task, raw: Raw, definition: Any = None) -> None:
        self.kind, self.task, self.raw, self.definition = kind, task, raw, definition


class RunState:
    """One run, which whoever makes this names. Invariant: every ordinal in `pending` was issued and is neither resolved nor given up."""

    __slots__ = (
        "attributes", "codec", "definition", "kernel", "ledger", "pending", "reading", "registry", "run_id", "step_owed", "workflow_id",
    )  # fmt: skip
    workflow_id: str
    run_id: bytes
    definition: Any

    def __init__(self, kernel: Kernel, ledger: Ledger, codec: Codec, registry: Registry) -> None:
        self.kernel, self.ledger, self.codec, self.registry = kernel, ledger, codec, registry
        self.pending: dict[int, Pending] = {}
        self.attributes: dict[str, Any] = {}
        self.reading = False
        """A query or a validator runs: it may look, and change nothing."""
        self.step_owed = False
        """The newest recorded stimuli lack their outputs: what they do is done for the first time."""

    def emit(self, raw: Raw) -> Raw:
        """Ask for `raw`: its record if history has one, else itself. A disagreement with history makes the step void."""
        kernel = self.kernel
        if kernel.closing:
            raise Evicted
        self.require_writable(ev.name_of(raw[0]))
        kernel.charge()
        try:
            return self.ledger.emit(raw)
        except NonDeterminismError as error:
            kernel.fail(error)

    def require_writable(self, what: str) -> None:
        """RuntimeError inside of a query or validator."""
        if self.reading:
            raise RuntimeError(f"a query or validator asked for {what}: it can look at the workflow's state but change nothing")

    def next_ordinal(self) -> int:
        """The number of the next command."""
        self.require_writable("a command")
        ledger = self.ledger
        ledger.ordinal = ordinal = ledger.ordinal + 1
        return ordinal

    def wrapped(self, encoded: bytes) -> bytes:
        """The payload of an encoding."""
        self.ledger.size_bytes += len(encoded)
        return self.codec.wrap(encoded)
