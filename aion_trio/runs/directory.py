"""All runs: who wants to tell a workflow something says it here."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import TypeVar

import trio

from ..errors import AppendOutcomeUnknown, EngineClosedError, WorkflowQuarantinedError
from ..supervision import ActorStopped, Backoff, Budget, Directory, Mailbox, NotAnswered, Request, open_directory
from .actor import RunActor
from .messages import Message, Wake
from .services import Services
from .waiting import Waiters

log = logging.getLogger("aion_trio")

AnswerT = TypeVar("AnswerT")


class Runs:
    """The directory of run actors, and of those who wait for a workflow (`waiters`).

    A run that fails in the engine's own code is restarted from the journal; over its budget it is quarantined, alone.
    """

    def __init__(self, *, idle_after: float, limit: int) -> None:
        self._idle_after, self._limit = idle_after, limit
        self._directory: Directory[str, Message] | None = None
        self._services: Services | None = None
        self._cut_off: set[str] = set()
        self.waiters = Waiters()

    def bind(self, services: Services) -> None:
        """Give the actors what they need of the rest of the engine, which is made after this object."""
        self._services = services

    async def run(self, *, task_status: trio.TaskStatus[Runs] = trio.TASK_STATUS_IGNORED) -> None:
        """Hold the actors until cancelled; then they park, and the journal is as after a crash (R10)."""
        async with open_directory(
            self._activate,
            idle_after=self._idle_after,
            limit=self._limit,
            budget=Budget(5, 60.0),
            backoff=Backoff(initial=0.05, maximum=5.0),
            on_failed=self._failed,
        ) as directory:
            self._directory = directory
            try:
                task_status.started(self)
                await trio.sleep_forever()
            finally:
                self._directory = None

    async def ask(self, workflow_id: str, request: Request[AnswerT]) -> AnswerT:
        """Say something to a workflow and wait for the answer, which is durable.

        Raises what the workflow's actor refuses with; `WorkflowQuarantinedError` if the engine failed on it again and again,
        `AppendOutcomeUnknown` if it failed while it answered, `EngineClosedError` if it does not run.
        """
        directory = self._live()
        try:
            return await directory.ask(workflow_id, request)
        except NotAnswered as error:
            raise AppendOutcomeUnknown(
                f"the engine stopped or failed before workflow {workflow_id!r} answered; whether it was recorded is seen by asking again "
                "with the same id or request id"
            ) from error
        except ActorStopped as error:
            reason = self._services_of().quarantined.get(workflow_id)
            if reason is None:
                raise EngineClosedError(f"the engine stopped before workflow {workflow_id!r} took the call: nothing was done") from error
            raise WorkflowQuarantinedError(f"workflow {workflow_id!r} cannot answer: {reason}", reason) from error

    def tell(self, workflow_id: str, message: Message) -> None:
        """Say something to a workflow, without waiting."""
        if self._directory is None:
            return
        try:
            self._directory.send_nowait(workflow_id, message, urgent=True)
        except ActorStopped:
            return  # it is quarantined, or the engine stops: the journal still owes what this was about

    def tell_wake(self, workflow_id: str) -> None:
        """Wake a workflow: what is due is done, what is owed is taken up."""
        self.tell(workflow_id, Wake())

    def release(self, workflow_id: str) -> None:
        """Let a quarantined workflow try again with its next message."""
        self._services_of().quarantined.pop(workflow_id, None)
        self._live().release(workflow_id)

    @property
    def resident(self) -> int:
        """How many workflows are in memory."""
        return 0 if self._directory is None else len(self._directory)

    def _activate(self, workflow_id: str, mailbox: Mailbox[Message]) -> Awaitable[None]:
        cut_off = workflow_id in self._cut_off
        self._cut_off.discard(workflow_id)
        return RunActor(self._services_of(), workflow_id, mailbox, cut_off=cut_off).run()

    def _failed(self, workflow_id: str, error: Exception) -> None:
        """What the actor had in hand is lost with it; the journal still owes it, so the next incarnation is woken to look."""
        directory = self._directory
        if directory is None:
            return
        if workflow_id in directory.quarantined:
            self._services_of().quarantined[workflow_id] = f"the engine failed on it again and again: {error!r}"
            self.waiters.note(workflow_id)
        else:
            log.error("workflow %r: the engine failed on it and starts it again from the journal", workflow_id, exc_info=error)
            self._cut_off.add(workflow_id)
            self.tell_wake(workflow_id)

    def _live(self) -> Directory[str, Message]:
        if self._directory is None:
            raise EngineClosedError("the engine does not run: its `async with` block was left, or it restarts after a failure")
        return self._directory

    def _services_of(self) -> Services:
        assert self._services is not None
        return self._services
