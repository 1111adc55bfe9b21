"""aion-trio: durable execution for Trio.

A workflow is an `async` function that survives `kill -9`: its steps are recorded in a journal, and after a restart it
is replayed from there and goes on at the same await.

Names are loaded when they are first used, so that importing this package costs little more than importing Trio, and
importing `aion_trio.supervision` or `aion_trio.stores` alone loads nothing of the engine.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import durable as durable
    from .activities import (
        ActivityInfo as ActivityInfo,
        NotInActivityError as NotInActivityError,
        activity_info as activity_info,
        heartbeat as heartbeat,
    )
    from .codec import (
        PayloadCodec as PayloadCodec,
    )
    from .definitions import (
        ActivityDefinition as ActivityDefinition,
        Query as Query,
        Registry as Registry,
        RetryPolicy as RetryPolicy,
        Signal as Signal,
        Update as Update,
        WorkflowDefinition as WorkflowDefinition,
        activity as activity,
        workflow as workflow,
    )
    from .durable import (
        ChildHandle as ChildHandle,
        WorkflowInfo as WorkflowInfo,
    )
    from .engine import (
        Engine as Engine,
        EngineConfig as EngineConfig,
        WorkflowDescription as WorkflowDescription,
        WorkflowHandle as WorkflowHandle,
        WorkflowSummary as WorkflowSummary,
        open_engine as open_engine,
    )
    from .errors import (
        ActivityFailedError as ActivityFailedError,
        ActivityTimedOutError as ActivityTimedOutError,
        AionError as AionError,
        AppendOutcomeUnknown as AppendOutcomeUnknown,
        BrokenChainError as BrokenChainError,
        ChildWorkflowFailedError as ChildWorkflowFailedError,
        DefinitionError as DefinitionError,
        EngineClosedError as EngineClosedError,
        InvalidInputError as InvalidInputError,
        JournalCorruptedError as JournalCorruptedError,
        JournalFormatError as JournalFormatError,
        JournalFullError as JournalFullError,
        JournalLockedError as JournalLockedError,
        JournalNotWritableError as JournalNotWritableError,
        NonDeterminismError as NonDeterminismError,
        NonRetryableError as NonRetryableError,
        NotInWorkflowError as NotInWorkflowError,
        PayloadTooLargeError as PayloadTooLargeError,
        QueryNotServedError as QueryNotServedError,
        RecordedError as RecordedError,
        SequenceConflict as SequenceConflict,
        SignalNotDeliveredError as SignalNotDeliveredError,
        UnknownEventError as UnknownEventError,
        UnsupportedTypeError as UnsupportedTypeError,
        WorkflowAlreadyStartedError as WorkflowAlreadyStartedError,
        WorkflowCancelledError as WorkflowCancelledError,
        WorkflowClosedError as WorkflowClosedError,
        WorkflowContinuedAsNewError as WorkflowContinuedAsNewError,
        WorkflowFailedError as WorkflowFailedError,
        WorkflowNotFoundError as WorkflowNotFoundError,
        WorkflowNotRegisteredError as WorkflowNotRegisteredError,
        WorkflowQuarantinedError as WorkflowQuarantinedError,
        WorkflowRuleError as WorkflowRuleError,
        WorkflowTerminatedError as WorkflowTerminatedError,
        WorkflowTimedOutError as WorkflowTimedOutError,
    )
    from .history import (
        WorkflowStatus as WorkflowStatus,
    )
    from .recovery import (
        RecoveryReport as RecoveryReport,
    )

__version__ = "0.1.0"

logging.getLogger("aion_trio").addHandler(logging.NullHandler())

_HOMES = {
    "activities": (
        "ActivityInfo",
        "NotInActivityError",
        "activity_info",
        "heartbeat",
    ),
    "codec": ("PayloadCodec",),
    "definitions": (
        "ActivityDefinition",
        "Query",
        "Registry",
        "RetryPolicy",
        "Signal",
        "Update",
        "WorkflowDefinition",
        "activity",
        "workflow",
    ),
    "durable": (
        "ChildHandle",
        "WorkflowInfo",
    ),
    "engine": (
        "Engine",
        "EngineConfig",
        "WorkflowDescription",
        "WorkflowHandle",
        "WorkflowSummary",
        "open_engine",
    ),
    "errors": (
        "ActivityFailedError",
        "ActivityTimedOutError",
        "AionError",
        "AppendOutcomeUnknown",
        "BrokenChainError",
        "ChildWorkflowFailedError",
        "DefinitionError",
        "EngineClosedError",
        "InvalidInputError",
        "JournalCorruptedError",
        "JournalFormatError",
        "JournalFullError",
        "JournalLockedError",
        "JournalNotWritableError",
        "NonDeterminismError",
        "NonRetryableError",
        "NotInWorkflowError",
        "PayloadTooLargeError",
        "QueryNotServedError",
        "RecordedError",
        "SequenceConflict",
        "SignalNotDeliveredError",
        "UnknownEventError",
        "UnsupportedTypeError",
        "WorkflowAlreadyStartedError",
        "WorkflowCancelledError",
        "WorkflowClosedError",
        "WorkflowContinuedAsNewError",
        "WorkflowFailedError",
        "WorkflowNotFoundError",
        "WorkflowNotRegisteredError",
        "WorkflowQuarantinedError",
        "WorkflowRuleError",
        "WorkflowTerminatedError",
        "WorkflowTimedOutError",
    ),
    "history": ("WorkflowStatus",),
    "recovery": ("RecoveryReport",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Load a public name, or the module `durable`, on its first use (PEP 562)."""
    if name == "durable":
        return importlib.import_module(".durable", __name__)
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF, "durable"})
