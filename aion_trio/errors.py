"""Every error of the engine, in one tree.

AionError
├── the caller's fault
│   ├── InvalidInputError             an argument does not fit its annotation; `path` names the field
│   ├── UnsupportedTypeError          an annotation that cannot be stored; raised at registration
│   ├── PayloadTooLargeError          a payload exceeds `payload_limit_bytes`
│   ├── DefinitionError               a definition or policy that is malformed or declared twice
│   ├── NotInWorkflowError            a durable function was called outside of workflow code
│   ├── WorkflowRuleError             workflow code touched the outside world
│   ├── NonDeterminismError           workflow code does not match its recorded history
│   ├── WorkflowNotRegisteredError    no such workflow type or version is loaded
│   ├── WorkflowNotFoundError         no such workflow id or run
│   ├── WorkflowAlreadyStartedError   the id is taken by another start
│   ├── WorkflowClosedError           the run is closed and takes no more signals
│   ├── QueryNotServedError           the workflow serves no query of that name
│   └── EngineClosedError             a call came after the engine's block was left, or while it restarts
├── how a workflow, activity or child ended
│   ├── WorkflowFailedError           `__cause__` is the decoded failure
│   ├── WorkflowCancelledError
│   ├── WorkflowTerminatedError
│   ├── WorkflowTimedOutError
│   ├── WorkflowContinuedAsNewError   `new_run_id` follows
│   ├── WorkflowQuarantinedError      `reason` says what keeps the run from going on
│   ├── ActivityFailedError
│   │   └── ActivityTimedOutError     `kind` says which time-out
│   ├── ChildWorkflowFailedError      `kind`: failed, cancelled, terminated, timed_out, already_started
│   ├── RecordedError                 a cause that is known by its record alone
│   └── SignalNotDeliveredError       the target is closed or does not exist
├── the world's fault
│   ├── JournalLockedError            another process (`pid`) owns the journal
│   ├── JournalNotWritableError
│   ├── JournalFullError              no space; nothing was written; work goes on once there is room
│   └── JournalCorruptedError         a record of `workflow_id` at `seq` fails its checksum
└── ours, or a journal that is not for this version
    ├── JournalFormatError
    ├── UnknownEventError             an event that this version does not know
    ├── BrokenChainError              the runs of an id do not form chains
    ├── SequenceConflict              an append expected another head
    └── AppendOutcomeUnknown          a commit failed half-way; the head must be read again

`NonRetryableError` stands outside the tree: activities raise it (or a subclass) to say that another attempt
is of no use.
"""

from __future__ import annotations


class AionError(Exception):
    """The root of the engine's errors."""


# ---- the caller's fault


class InvalidInputError(AionError):
    """An argument does not fit its annotation; `path` names the place, such as `order.parcels[2].weight`."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class UnsupportedTypeError(AionError):
    """An annotation names a type that cannot be stored; raised where the definition is made."""


class PayloadTooLargeError(AionError):
    """A payload is larger than `EngineConfig.payload_limit_bytes`; nothing was recorded."""


class DefinitionError(AionError):
    """A definition, retry policy or option is malformed, or a name and version were declared twice."""


class NotInWorkflowError(AionError):
    """A function that has a meaning inside workflow code alone was called elsewhere."""


class WorkflowRuleError(AionError):
    """Workflow code touched the outside world: clock, randomness, files, threads, Trio or a foreign await."""


class NonDeterminismError(AionError):
    """Workflow code does not match its recorded history (K3).

    `seq` is the event that history has (0: it has none), `ordinal` the command's number, `recorded` what history
    has, `asked` what the code asked for and `line` where ("file:line in function"), as far as they apply.
    """

    def __init__(
        self, message: str, *, workflow_id: str = "", ordinal: int = 0, seq: int = 0, recorded: str = "", asked: str = "", line: str = ""
    ) -> None:
        super().__init__(message)
        self.workflow_id, self.ordinal, self.seq = workflow_id, ordinal, seq
        self.recorded, self.asked, self.line = recorded, asked, line


class WorkflowNotRegisteredError(AionError):
    """No workflow of that name (and version) is loaded in this engine."""


class WorkflowNotFoundError(AionError):
    """There is no workflow of that id, or no such run of it."""


class WorkflowAlreadyStartedError(AionError):
    """The id is taken: by a start with another type or input, or by a chain that is still open."""


class WorkflowClosedError(AionError):
    """The run is closed; nothing was recorded."""


class QueryNotServedError(AionError):
    """The workflow serves no query of that name."""


class EngineClosedError(AionError):
    """The call came when the engine did not run: after its block was left, or while its tree restarts after a failure."""


# ---- how a workflow, an activity or a child ended


class WorkflowFailedError(AionError):
    """The workflow failed; `__cause__` is the exception that left it."""


class WorkflowCancelledError(AionError):
    """The workflow was cancelled."""


class WorkflowTerminatedError(AionError):
    """The workflow was terminated."""


class WorkflowTimedOutError(AionError):
    """The workflow exceeded its run time-out."""


class WorkflowContinuedAsNewError(AionError):
    """The run that was asked about continued as `new_run_id`."""

    def __init__(self, message: str, new_run_id: str) -> None:
        super().__init__(message)
        self.new_run_id = new_run_id


class WorkflowQuarantinedError(AionError):
    """The run cannot go on with the code that is loaded; nothing is lost. `reason` says what to mend."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class ActivityFailedError(AionError):
    """An activity failed for good.

    `type` is the exception's type name, `message` its text, `details` plain data that it carried, `__cause__` the
    decoded cause chain where there was one.
    """

    def __init__(self, message: str, *, activity: str = "", type: str = "", details: object = None) -> None:
        super().__init__(message)
        self.activity, self.type, self.message, self.details = activity, type, message, details


class ActivityTimedOutError(ActivityFailedError):
    """A time-out of an activity passed (A4).

    `kind` says which: `start_to_close`, `schedule_to_close`, `schedule_to_start` or `heartbeat`.
    """

    def __init__(self, message: str, *, activity: str = "", kind: str = "start_to_close") -> None:
        super().__init__(message, activity=activity, type="ActivityTimedOutError")
        self.kind = kind


class ChildWorkflowFailedError(AionError):
    """A child did not complete; `kind` is `failed`, `cancelled`, `terminated`, `timed_out` or `already_started`."""

    def __init__(self, message: str, *, kind: str = "failed", child_id: str = "") -> None:
        super().__init__(message)
        self.kind, self.child_id = kind, child_id


class RecordedError(AionError):
    """An exception that is known by its record alone: its class is not loaded, or not listed in `raises`.

    `type` is its type's name, `message` its text and `details` the plain data that it was made of.
    """

    def __init__(self, message: str, *, type: str = "", details: object = None) -> None:
        super().__init__(f"{type}: {message}" if type else message)
        self.type, self.message, self.details = type, message, details


class SignalNotDeliveredError(AionError):
    """A signal to another workflow found it closed or missing; recorded at the sender (`SignalFailed`)."""


# ---- the world's fault


class JournalLockedError(AionError):
    """Another process owns the journal; `pid` is its process id, 0 if unknown."""

    def __init__(self, message: str, pid: int = 0) -> None:
        super().__init__(message)
        self.pid = pid


class JournalNotWritableError(AionError):
    """The journal's directory cannot be created, or not be written."""


class JournalFullError(AionError):
    """There is no space left for the journal. Nothing was written; reads go on; work resumes once there is room."""


class JournalCorruptedError(AionError):
    """A record of `workflow_id` at `seq` failed its checksum or is missing; other workflows are not affected (J7)."""

    def __init__(self, message: str, workflow_id: str = "", seq: int = 0) -> None:
        super().__init__(message)
        self.workflow_id, self.seq = workflow_id, seq


# ---- ours, or a journal that is not for this version


class JournalFormatError(AionError):
    """The directory holds something else than a journal, or a journal of another format version."""


class UnknownEventError(AionError):
    """A history holds an event that this version does not know; the message names the version that wrote it (H7)."""


class BrokenChainError(AionError):
    """The runs of an id do not form chains; the message names the event (H5)."""


class SequenceConflict(AionError):
    """An append expected the head `expected` and found `found`; nothing was written (J1)."""

    def __init__(self, message: str, expected: int, found: int) -> None:
        super().__init__(message)
        self.expected, self.found = expected, found


class AppendOutcomeUnknown(AionError):
    """A commit failed half-way: whether it is durable is known only after the head was read again."""


# ---- outside the tree


class NonRetryableError(Exception):
    """Raise this (or a subclass) in an activity to say that another attempt is of no use (A3)."""
