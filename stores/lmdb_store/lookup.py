"""The few lookups that reads and writes share: the number of a name, the serial of a key, the head of a history."""

from __future__ import annotations

import struct

from ..contract import CorruptRecord, WorkflowKey
from ..limits import MAX_ID_BYTES
from .environment import View
from .layout import EVENTS, IDENTITY, NO_NAME, NUMBER, ROW, SERIAL, SERIALS
from .records import is_next_frame, seal, unseal, unseal_number


class Names:
    """Texts by their number. A name is given once and never taken back, so what was found stays right."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {"": NO_NAME}

    def find(self, view: View, text: str) -> int | None:
        """The number of `text`, or None if nothing is called so. Raises `CorruptRecord`."""
        number = self._numbers.get(text)
        if number is None:
            name = stored(text)
            if name is None:
                return None
            record = view.txn.get(name, db=view.tables.names)
            if record is None:
                return None
            number = self._numbers[text] = unseal_number(NUMBER, name, record)
        return number

    def intern(self, view: View, text: str) -> int:
        """The number of `text`, given now if it has none. Raises `CorruptRecord`."""
        number = self.find(view, text)
        if number is None:
            name = text.encode()
            number = view.txn.stat(view.tables.names)["entries"] + 1
            view.txn.put(name, seal(name, NUMBER.pack(number)), db=view.tables.names)
            self._numbers[text] = number
        return number


class Owners:
    """Whose rows lie under a serial, as the ids say: for where the rows themselves do not say it."""

    def __init__(self) -> None:
        self._found: dict[int, WorkflowKey] | None = None

    def of(self, view: View, serial: int) -> WorkflowKey | None:
        """The key of a serial, None if no id leads there. Reads all ids when it is first asked."""
        if self._found is None:
            self._found = self.all(view)
        return self._found.get(serial)

    def all(self, view: View) -> dict[int, WorkflowKey]:
        """Every key by serial, but for those of which the id or the name of the namespace is damaged."""
        found: dict[int, WorkflowKey] = {}
        namespaces = self._namespaces(view)
        for at, record in view.txn.cursor(db=view.tables.ids):
            try:
                number, workflow_id = NUMBER.unpack_from(at)[0], at[NUMBER.size :].decode()
                found[unseal_number(SERIAL, at, record)] = WorkflowKey(namespaces[number], workflow_id)
            except (CorruptRecord, KeyError, ValueError, struct.error):
                continue
        return found

    def _namespaces(self, view: View) -> dict[int, str]:
        texts = {NO_NAME: ""}
        for name, record in view.txn.cursor(db=view.tables.names):
            try:
                texts[unseal_number(NUMBER, name, record)] = name.decode()
            except (CorruptRecord, ValueError):
                continue
        return texts


def stored(text: str) -> bytes | None:
    """A text as a key could hold it, or None if nothing can be stored under it."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        return None
    return encoded if len(encoded) <= MAX_ID_BYTES else None


def id_key(namespace_number: int, workflow_id: bytes) -> bytes:
    """The key of an id."""
    return NUMBER.pack(namespace_number) + workflow_id


def find_serial(view: View, names: Names, key: WorkflowKey) -> int | None:
    """The serial of a workflow, or None for an unknown id. Raises `CorruptRecord`."""
    namespace = names.find(view, key.namespace)
    if namespace is None:
        return None
    workflow_id = stored(key.workflow_id)
    if workflow_id is None:
        return None
    at = id_key(namespace, workflow_id)
    record = view.txn.get(at, db=view.tables.ids)
    if record is None:
        return None
    return unseal_number(SERIAL, at, record, key.workflow_id)


def find_head(view: View, serial: int, workflow_id: str) -> int:
    """The seq of the newest event of a workflow that is there. Raises `CorruptRecord`.

    The row that holds it is checked, and that the one behind is not the next frame: one whose key was damaged must not make
    the history look shorter, since the next append would then begin in its midst.
    """
    own = SERIAL.pack(serial)
    cursor = view.txn.cursor(db=view.tables.rows)
    behind = cursor.item() if cursor.set_range(ROW.pack(serial, EVENTS + 1)) else None
    found = cursor.prev() if behind is not None else cursor.last()
    key, record = cursor.item() if found else (b"", b"")
    if not key.startswith(own) or key == own:
        raise CorruptRecord(f"workflow {workflow_id!r}: its rows are not where they belong", workflow_id)
    head = int.from_bytes(key[ROW.size :]) if key[SERIAL.size] == EVENTS else 0
    unseal(key, record, workflow_id, head)
    if behind is not None and is_next_frame(behind[1], serial, head):
        raise CorruptRecord(f"workflow {workflow_id!r}: the key of the event {head + 1} is damaged", workflow_id, head + 1)
    return head


def last_serial(view: View) -> int:
    """The greatest serial that has rows, 0 if none has."""
    cursor = view.txn.cursor(db=view.tables.rows)
    found = cursor.prev() if cursor.set_range(SERIAL.pack(SERIALS)) else cursor.last()
    return int.from_bytes(cursor.key()[: SERIAL.size]) if found else 0


def identity_of(view: View, serial: int) -> bytes:
    """The body of the row that says whose rows these are. Raises `CorruptRecord`."""
    key = ROW.pack(serial, IDENTITY)
    record = view.txn.get(key, db=view.tables.rows)
    if record is None:
        raise CorruptRecord(f"the rows of workflow number {serial} do not say whose they are")
    return unseal(key, record)
