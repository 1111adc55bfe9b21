"""The format version of a journal and who wrote it: checked before anything else is read."""

from __future__ import annotations

import lmdb

from ..contract import CorruptRecord, StoreFormatError
from .environment import Environment, View, refusal_of
from .layout import FORMAT_VERSION, META_FORMAT, META_WRITER, NUMBER
from .records import seal, unseal, unseal_number


def claim(environment: Environment, written_by: str) -> None:
    """Check the version of a journal, or give a new one ours; note who writes. Raises `StoreFormatError`."""
    try:
        with environment.begin() as txn:
            view = View(txn, environment.tables)
            found = _version(view, environment)
            if found is None or _writer(view) != written_by:
                sign(view, written_by)
    except lmdb.Error as error:
        raise refusal_of(environment.path, error) from error


def sign(view: View, written_by: str) -> None:
    """Write our version and who writes."""
    _put(view, META_FORMAT, NUMBER.pack(FORMAT_VERSION))
    _put(view, META_WRITER, written_by.encode())


def require_ours(environment: Environment) -> None:
    """Raise `StoreFormatError` unless this is a journal of our format version."""
    with environment.view() as view:
        found = _version(view, environment)
    if found is None:
        raise StoreFormatError(f"{environment.path} holds an LMDB environment that is not a journal; name another directory")


def written_by(view: View) -> str:
    """Which program last opened the journal for writing."""
    return _writer(view)


def _version(view: View, environment: Environment) -> int | None:
    """The version found, if it is ours; None for a journal that is being made. Raises `StoreFormatError` for others."""
    record = view.txn.get(META_FORMAT, db=view.tables.meta)
    if record is None:
        if any(view.txn.stat(table)["entries"] for table in (view.tables.meta, view.tables.ids, view.tables.rows)):
            raise StoreFormatError(f"the journal {environment.path} has records but no format version; restore a backup")
        return None
    try:
        version = unseal_number(NUMBER, META_FORMAT, record)
    except CorruptRecord:
        raise StoreFormatError(f"the format version of the journal {environment.path} is damaged; restore a backup") from None
    if version != FORMAT_VERSION:
        raise StoreFormatError(
            f"the journal {environment.path} has format version {version} (written by {_writer(view)}), "
            f"this program reads version {FORMAT_VERSION}; use a program that reads {version}, or export with that and import here"
        )
    return version


def _writer(view: View) -> str:
    """Who wrote it; "" where that is not known, which stops nobody."""
    record = view.txn.get(META_WRITER, db=view.tables.meta)
    try:
        return unseal(META_WRITER, record).decode() if record is not None else ""
    except (CorruptRecord, ValueError):
        return ""


def _put(view: View, key: bytes, body: bytes) -> None:
    view.txn.put(key, seal(key, body), db=view.tables.meta)
