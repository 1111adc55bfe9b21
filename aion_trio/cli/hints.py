"""What to do about an error, for a person at a terminal."""

from __future__ import annotations

from aion_trio import errors, stores

_HINTS: dict[type[Exception], str] = {
    errors.JournalLockedError: "stop that process, or use a command that only reads, such as `journal stats`",
    stores.StoreLocked: "stop that process, or use a command that only reads, such as `journal stats`",
    errors.JournalFullError: "nothing was lost; make room and try again",
    stores.StoreFull: "nothing was lost; make room and try again",
    errors.JournalNotWritableError: "check the directory's owner and permissions",
    stores.StoreNotWritable: "check the directory's owner and permissions",
    errors.JournalCorruptedError: "`journal verify` lists all damage; other workflows are not affected",
    stores.CorruptRecord: "`journal verify` lists all damage; other workflows are not affected",
    errors.WorkflowAlreadyStartedError: "a history is imported under its own id; import it into another journal",
}


def hint_for(error: BaseException) -> str:
    """The hint for an error of this kind; empty where the message says it all."""
    return next((hint for kind, hint in _HINTS.items() if isinstance(error, kind)), "")
