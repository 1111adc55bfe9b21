"""The run as workflow code sees it: what `durable`, activities, workflows, signals and queries call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping
from hashlib import blake2b
from random import Random
from typing import Any, NoReturn

from .. import events as ev
from ..arguments import attribute_values, require_few
from ..codec import encode
from ..events import Raw
from ..inside import ChildOptions, ParentInfo, WorkflowInfo
from .children import Child, Children
from .closing import ContinueAsNew
from .mail import Mail
from .state import RunState
from .steps import Steps

SUGGESTED_LENGTH = 10_000
SUGGESTED_BYTES = 16 * 1024 * 1024
_EVENT_BYTES = 24
"""About what an event takes besides its payloads."""


class RunHost:
    """The `kernel.context.Host` of one run: commands that park live in their own parts, the plain ones here."""

    __slots__ = (
        "_log", "_namespace", "_patches", "_random", "_run", "call_activity", "children", "mail", "sleep_until_us", "started", "steps",
    )  # fmt: skip
    started: Raw
    """The event that started the run."""

    def __init__(self, run: RunState, log: logging.Logger, namespace: str) -> None:
        self._run, self._log, self._namespace = run, log, namespace
        self._patches: dict[str, bool] = {}
        self._random: Random | None = None
        self.steps, self.children, self.mail = Steps(run), Children(run), Mail(run)
        self.call_activity = self.steps.call_activity  # those that every step of a replay calls; a bound method takes room, too
        self.sleep_until_us = self.steps.sleep_until_us

    # ---- commands that park, and messages

    def call_child(self, definition: Any, args: tuple[Any, ...]) -> Coroutine[Any, Any, Any]:
        """Start a child and wait for its result."""
        return self.children.call_child(definition, args)

    def start_child(self, workflow: Any, args: tuple[Any, ...], options: ChildOptions) -> Coroutine[Any, Any, Child]:
        """Start a child and go on."""
        return self.children.start_child(workflow, args, options)

    def signal_workflow(self, target: str, signal: Any, value: Any) -> Coroutine[Any, Any, None]:
        """Signal another workflow."""
        return self.steps.signal_workflow(target, signal, value)

    def receive_signal(self, definition: Any) -> Coroutine[Any, Any, Any]:
        """The next signal of a name."""
        return self.mail.receive_signal(definition)

    def serve_query(self, definition: Any, fn: Callable[..., Any]) -> None:
        """Answer queries of a name with `fn` from here on."""
        self.mail.serve_query(definition, fn)

    def serve_update(self, definition: Any, fn: Callable[..., Any], validate: Callable[..., Any] | None) -> None:
        """Run `fn` for every update of a name."""
        self.mail.serve_update(definition, fn, validate)

    # ---- plain commands

    def continue_as_new(self, args: tuple[Any, ...], workflow: Any) -> NoReturn:
        """End this run and begin its successor with these arguments (N1)."""
        run = self._run
        run.require_writable("continue as new")
        own = run.definition
        if isinstance(workflow, str):
            raise ContinueAsNew(run.wrapped(encode(list(args))), workflow if workflow != own.name else None)
        target = own if workflow is None else workflow
        raise ContinueAsNew(run.wrapped(target.encode_input(args)), target.name if target.name != own.name else None)

    def patched(self, name: str) -> bool:
        """Whether this run takes the new branch: always in a step that runs for the first time, else as recorded (V3)."""
        known = self._patches.get(name)
        if known is None:
            run = self._run
            recorded = run.ledger.recorded_ahead()
            known = recorded == [ev.PATCH_MARKED, recorded[1], name] if recorded is not None else run.ledger.live or run.step_owed
            if run.reading:
                return known
            if known:
                run.emit([ev.PATCH_MARKED, run.kernel.time_us, name])
            self._patches[name] = known
        return known

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set searchable attributes; None deletes one."""
        run = self._run
        checked = attribute_values(attributes, deleting=True)
        require_few(sum(value is not None for value in {**run.attributes, **checked}.values()))
        run.emit([ev.ATTRIBUTES_UPDATED, run.kernel.time_us, checked, run.next_ordinal()])
        for key, value in attributes.items():
            if value is None:
                run.attributes.pop(key, None)
            else:
                run.attributes[key] = value

    # ---- what the run knows

    def random(self) -> Random:
        """The run's stream of random numbers (K2); a query gets one of its own, so that asking changes nothing."""
        self._run.kernel.charge()
        if self._run.reading:
            return self._seeded()
        if self._random is None:
            self._random = self._seeded()
        return self._random

    def _seeded(self) -> Random:
        run = self._run
        return Random(int.from_bytes(blake2b(run.workflow_id.encode() + b"\0" + run.run_id, digest_size=16).digest()))

    def info(self) -> WorkflowInfo:
        """What the run knows about itself, the same on replay."""
        run, started = self._run, self.started
        length = run.ledger.length
        size_bytes = run.ledger.size_bytes + length * _EVENT_BYTES
        parent = started[9]
        return WorkflowInfo(
            workflow_id=run.workflow_id,
            run_id=run.run_id.hex(),
            type=run.definition.name,
            version=started[3],
            namespace=self._namespace,
            started_at=ev.datetime_of(started[1]),
            parent=None if parent is None else ParentInfo(parent[0], bytes(parent[1]).hex()),
            attributes=dict(run.attributes),
            history_length=length,
            history_bytes=size_bytes,
            continue_as_new_suggested=length >= SUGGESTED_LENGTH or size_bytes >= SUGGESTED_BYTES,
        )

    def log_target(self) -> tuple[logging.Logger, dict[str, Any]] | None:
        """Where the workflow's log goes, None while replaying, reading or evicting."""
        run = self._run
        if not run.ledger.live or run.kernel.closing or run.reading:
            return None
        return self._log, {"workflow_id": run.workflow_id, "run_id": run.run_id.hex()}
