"""The taxonomy of errors: one code for each kind, with an HTTP status and a hint.

An error of the engine has the code of its class: `WorkflowNotFoundError` is `workflow_not_found`. What HTTP itself can
refuse has codes of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .. import errors
from ..activities.info import NotInActivityError
from ..errors import AionError
from ..runs.turn import StepVoid
from .errors import ConfigurationError, DaemonError, DaemonFaultError, DaemonUnavailableError, RequestRefusedError


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of error: its code, the status it is answered with, what to do about it, and the class that clients raise."""

    code: str
    status: int
    hint: str
    error: type[AionError]

    @property
    def title(self) -> str:
        """The code as words."""
        return self.code.replace("_", " ").capitalize()


def code_of(error: type[BaseException]) -> str:
    """The code of an error class: its name in lower case with underscores, without `Error`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", error.__name__.removesuffix("Error")).lower()


_OF_CLASSES: dict[type[AionError], tuple[int, str]] = {
    errors.InvalidInputError: (422, "`path` names the argument that does not fit"),
    errors.UnsupportedTypeError: (422, "change the annotation to a type that can be stored"),
    errors.PayloadTooLargeError: (413, "store large data elsewhere and pass a reference, or raise payload_limit_bytes"),
    errors.DefinitionError: (422, "mend the definition, and start the daemon again"),
    errors.NotInWorkflowError: (422, "call it from workflow code"),
    errors.WorkflowRuleError: (409, "do it in an activity"),
    errors.NonDeterminismError: (409, "make the code fit the history again, restart, and release the workflow"),
    errors.WorkflowNotRegisteredError: (422, "check the name, and the modules that the daemon serves"),
    errors.WorkflowNotFoundError: (404, "check the id, the run id and the namespace"),
    errors.WorkflowAlreadyStartedError: (409, "take another id, or start with if_exists 'use' and the same input"),
    errors.WorkflowClosedError: (409, "start a new run, or look at its result"),
    errors.QueryNotServedError: (404, "check the query's name; a workflow serves a query only from its `serve` call on"),
    errors.WorkflowFailedError: (409, "`cause` is the exception that left the workflow"),
    errors.WorkflowCancelledError: (409, "the workflow was cancelled; there is no result"),
    errors.WorkflowTerminatedError: (409, "the workflow was terminated; there is no result"),
    errors.WorkflowTimedOutError: (409, "start it with a longer time-out"),
    errors.WorkflowContinuedAsNewError: (409, "ask about `new_run_id`, or without a run id"),
    errors.WorkflowQuarantinedError: (409, "mend what `reason` says, restart the daemon or release the workflow"),
    errors.ActivityFailedError: (409, "`cause` is the exception that left the activity"),
    errors.ActivityTimedOutError: (409, "`kind` says which time-out passed"),
    errors.ChildWorkflowFailedError: (409, "`kind` says how the child ended"),
    errors.SignalNotDeliveredError: (409, "the target is closed or does not exist"),
    errors.JournalLockedError: (503, "stop the process that `pid` names, or use another journal"),
    errors.JournalNotWritableError: (503, "check the directory's owner and permissions"),
    errors.JournalFullError: (507, "nothing was lost; make room and ask again"),
    errors.JournalCorruptedError: (500, "`aion-trio journal verify` lists all damage; other workflows are not affected"),
    errors.JournalFormatError: (500, "the journal, or a payload in it, was written by something else"),
    errors.UnknownEventError: (422, "use the later version of aion-trio that wrote this history"),
    errors.BrokenChainError: (409, "restore the id from a backup or an export"),
    errors.SequenceConflict: (409, "nothing was written; ask again"),
    errors.AppendOutcomeUnknown: (503, "ask again with the same request id: it is done once"),
    errors.EngineClosedError: (503, "the engine is stopping; ask again when it is back"),
    errors.AionError: (500, "the daemon's log says more"),
    NotInActivityError: (422, "call it from an activity"),
    errors.RecordedError: (409, "`cause` is what user code raised"),
    StepVoid: (409, "mend the workflow's code, and release the workflow"),
}

_OF_HTTP: dict[str, tuple[int, str, type[DaemonError]]] = {
    "malformed_request": (400, "the message says where; the API's description is at /api/v1/openapi.json", RequestRefusedError),
    "unauthorized": (401, "send `Authorization: Bearer` with a token of the daemon", RequestRefusedError),
    "forbidden": (403, "this token may only read; use an operator's", RequestRefusedError),
    "cross_site": (403, "a browser sent this for another site; use a client that is no web page", RequestRefusedError),
    "route_not_found": (404, "the API's description is at /api/v1/openapi.json", RequestRefusedError),
    "method_not_allowed": (405, "the Allow header lists the methods", RequestRefusedError),
    "request_timed_out": (408, "send the whole request in time", RequestRefusedError),
    "request_too_large": (413, "the limits are settings of the daemon", RequestRefusedError),
    "unsupported_media_type": (415, "send `Content-Type: application/json`", RequestRefusedError),
    "headers_too_large": (431, "the limit is the daemon's setting header_limit_bytes", RequestRefusedError),
    "host_not_allowed": (421, "use a name that the daemon's setting `hosts` allows", RequestRefusedError),
    "unavailable": (503, "try again in a moment", DaemonUnavailableError),
    "engine_timed_out": (504, "whether it happened is not known: ask again with the same request id", DaemonUnavailableError),
    "internal_error": (500, "the daemon's log says more", DaemonFaultError),
    "query_failed": (422, "`cause` is what the query's function raised", RequestRefusedError),
    "configuration": (500, "see the table of settings", ConfigurationError),
}

KINDS: dict[str, Kind] = {
    **{code_of(cls): Kind(code_of(cls), status, hint, cls) for cls, (status, hint) in _OF_CLASSES.items()},
    **{code: Kind(code, status, hint, cls) for code, (status, hint, cls) in _OF_HTTP.items()},
}
"""Every kind of error, by its code."""


def kind_of(error: BaseException) -> Kind:
    """The kind of an error: of its class, or of the nearest class above it."""
    if isinstance(error, DaemonError) and error.code in KINDS:
        return KINDS[error.code]
    for cls in type(error).__mro__:
        if issubclass(cls, AionError) and (kind := KINDS.get(code_of(cls))) is not None and kind.error is cls:
            return kind
    return KINDS["internal_error"]


def refused(code: str, message: str) -> DaemonError:
    """The error of an HTTP kind."""
    kind = KINDS[code]
    assert issubclass(kind.error, DaemonError)
    return kind.error(message, code, kind.hint)
