"""What to do about an error, for a person at a terminal."""

from __future__ import annotations

from aion_trio import errors, stores

_LOCKED = "stop that process, or use a verb that only reads, such as `journal stats` or `workflow list --journal`"
_FULL = "nothing was lost; make room and try again"
_MODE = "check the directory's owner and permissions"
_DAMAGE = "`aion-trio journal verify` lists all damage; other workflows are not affected"

_HINTS: dict[type[Exception], str] = {
    errors.JournalLockedError: _LOCKED,
    stores.StoreLocked: _LOCKED,
    errors.JournalFullError: _FULL,
    stores.StoreFull: _FULL,
    errors.JournalNotWritableError: _MODE,
    stores.StoreNotWritable: _MODE,
    errors.JournalCorruptedError: _DAMAGE,
    stores.CorruptRecord: _DAMAGE,
    errors.JournalFormatError: "",
    errors.InvalidInputError: "",
    errors.WorkflowNotFoundError: "`aion-trio workflow list` shows the ids; --namespace and --journal say where to look",
    errors.WorkflowFailedError: "`aion-trio workflow trace ID` shows what it did",
    errors.QueryNotServedError: "",
}
"""Hints for the command line; an empty one where the message says it all, and the API's hint would not help here."""

_BY_CODE = {
    "unavailable": "start one with `aion-trio serve MODULE`, or read a journal directory with --journal DIR",
    "unauthorized": "give a token: --token-file FILE, or set AION_TOKEN",
    "configuration": "`aion-trio serve --help` lists the settings",
    "forbidden": "this token may only read; use an operator's",
}


def hint_for(error: BaseException) -> str:
    """The hint for an error of this kind; empty where the message says it all."""
    own = next((hint for kind, hint in _HINTS.items() if isinstance(error, kind)), None)
    if own is not None or not isinstance(error, errors.AionError):
        return own or ""
    from aion_trio.protocol import kind_of

    kind = kind_of(error)
    return "" if kind.code in ("internal_error", "aion") else _BY_CODE.get(kind.code, kind.hint)
