"""How a chain of runs ended, as the caller of `result()` gets it (H6)."""

from __future__ import annotations

from typing import Any

from .. import codec, events as ev
from ..definitions import Registry
from ..errors import (
    BrokenChainError,
    WorkflowCancelledError,
    WorkflowContinuedAsNewError,
    WorkflowFailedError,
    WorkflowNotFoundError,
    WorkflowNotRegisteredError,
    WorkflowQuarantinedError,
    WorkflowTerminatedError,
    WorkflowTimedOutError,
)
from ..events import Raw
from ..history import WorkflowStatus, chain_with, chains
from ..journal import Journal
from ..stores.contract import RunRow, Summary, WorkflowKey


class Results:
    """Reads outcomes from the journal; waits for nothing.

    `registry` None is for who has no code at hand, and `plain` for who passes results on: then they are plain data, and causes as recorded.
    """

    def __init__(
        self, journal: Journal, registry: Registry | None, payloads: codec.Codec, quarantined: dict[str, str], *, plain: bool = False
    ) -> None:
        self._journal, self._payloads, self._quarantined = journal, payloads, quarantined
        self._code, self._registry = registry, Registry() if plain or registry is None else registry

    def newest_run(self, key: WorkflowKey, chain: bytes | None) -> RunRow:
        """The last run of the chain that holds the run `chain`, or of the newest chain. Raises `WorkflowNotFoundError`."""
        runs = self._journal.runs(key)
        if not runs:
            raise WorkflowNotFoundError(f"there is no workflow {key.workflow_id!r} in namespace {key.namespace!r}")
        found = chains(runs, key.workflow_id)[-1] if chain is None else chain_with(runs, chain, key.workflow_id)
        if not found:
            raise WorkflowNotFoundError(f"workflow {key.workflow_id!r} has no run {(chain or b'').hex()}")
        return found[-1]

    def run(self, key: WorkflowKey, run_id: bytes) -> tuple[RunRow, bytes | None]:
        """One run, and the id of the run that continued it, if there is one."""
        runs = self._journal.runs(key)
        if not runs:
            raise WorkflowNotFoundError(f"there is no workflow {key.workflow_id!r} in namespace {key.namespace!r}")
        run = next((row for row in runs if row.run_id == run_id), None)
        if run is None:
            raise WorkflowNotFoundError(f"workflow {key.workflow_id!r} has no run {run_id.hex()}")
        return run, next((row.run_id for row in runs if row.parent_run_id == run_id), None)

    def require_running(self, key: WorkflowKey, run: RunRow) -> None:
        """Raise `WorkflowQuarantinedError` if waiting for this workflow, whose newest run is `run`, has no end with the code at hand."""
        reason = self.quarantine_of(key.workflow_id, run)
        if reason is not None:
            raise WorkflowQuarantinedError(f"workflow {key.workflow_id!r} cannot go on: {reason}", reason)

    def quarantine_of(self, workflow_id: str, run: RunRow | Summary) -> str | None:
        """Why the run cannot go on, None if nothing is known against it. One that nothing has woken yet may lack its code as well (V1)."""
        reason = self._quarantined.get(workflow_id)
        if reason is None and self._code is not None and WorkflowStatus.of_number(run.status).open:
            try:
                self._code.workflow(run.type, run.version)
            except WorkflowNotRegisteredError as error:
                reason = f"{type(error).__name__}: {error}"
        return reason

    def outcome(self, key: WorkflowKey, run: RunRow, successor: bytes | None = None) -> Any:
        """The result of a closed run, decoded by its definition where that is loaded; otherwise raises what it ended with."""
        closing = self._journal.event(key, run.last_seq)
        if closing is None or closing[0] not in ev.CLOSING:
            raise BrokenChainError(f"workflow {key.workflow_id!r}: run {run.run_id.hex()} has no closing event at {run.last_seq}")
        return self.outcome_of(key, run, closing, successor)

    def outcome_of(self, key: WorkflowKey, run: RunRow, closing: Raw, successor: bytes | None = None) -> Any:
        """As `outcome`, where the closing event is at hand."""
        if closing[0] == ev.WORKFLOW_COMPLETED:
            return self._result(run, closing)
        raise self._error(key, closing, successor)

    def _result(self, run: RunRow, closing: Raw) -> Any:
        data = self._payloads.unwrap(closing[2])
        try:
            return self._registry.workflow(run.type, run.version).decode_result(data)
        except WorkflowNotRegisteredError:
            return codec.decode(data)

    def _error(self, key: WorkflowKey, closing: Raw, successor: bytes | None) -> Exception:
        name = f"workflow {key.workflow_id!r}"
        match closing[0]:
            case ev.WORKFLOW_FAILED:
                failure = closing[2]
                error = WorkflowFailedError(f"{name} failed: {codec.short_name(failure[1])}: {failure[2]}")
                error.__cause__ = codec.cause_of(failure, self._payloads, self._registry.raises)
                return error
            case ev.WORKFLOW_CANCELLED:
                return WorkflowCancelledError(f"{name} was cancelled: {closing[2]}")
            case ev.WORKFLOW_TERMINATED:
                return WorkflowTerminatedError(f"{name} was terminated: {closing[2]}")
            case ev.WORKFLOW_TIMED_OUT:
                return WorkflowTimedOutError(f"{name} exceeded its time-out ({closing[2]})")
            case _:
                new_run_id = (successor or b"").hex()
                return WorkflowContinuedAsNewError(f"{name}: this run continued as run {new_run_id}", new_run_id)


def is_open(run: RunRow) -> bool:
    """Whether the run's outcome is still to come: open, or continued without a successor yet."""
    return not WorkflowStatus.of_number(run.status).over
