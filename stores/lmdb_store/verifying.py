"""What one verification knows and has found."""

from __future__ import annotations

import lmdb

from ..contract import CorruptRecord, Finding, Remedy, WorkflowKey
from .environment import View
from .lookup import Names, Owners, identity_of
from .rows import decode_key


def is_found(view: View, table: lmdb._Database, key: bytes, record: bytes) -> bool:
    """Whether a row that was met on its page is found by its key. One that is not is no row to go on from: the rest would be missed."""
    return view.txn.get(key, db=table) == record


class Verifying:
    """The findings so far, and whose rows are whose: by their own record, or else by the id that leads to them."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.names = Names()
        self._owners = Owners()

    def find(self, what: str, key: WorkflowKey | None = None, seq: int = 0, remedy: Remedy = Remedy.REPAIR) -> None:
        """Add a finding."""
        namespace, workflow_id = key or ("", "")
        self.findings.append(Finding(what, workflow_id, seq, namespace, remedy))

    def owner(self, view: View, serial: int) -> WorkflowKey | None:
        """Whose rows lie under a serial, None if nothing tells."""
        try:
            return decode_key(identity_of(view, serial))
        except CorruptRecord:
            return self.owner_by_id(view, serial)

    def owner_by_id(self, view: View, serial: int) -> WorkflowKey | None:
        """Whose rows lie under a serial, as the ids say."""
        return self._owners.of(view, serial)
