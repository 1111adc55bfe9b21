"""Journals that are damaged in many places at once: what was done to them, and what must be said of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import lmdb

import aion_trio.events as ev
from aion_trio.codec import encode_frame
from aion_trio.events import Raw
from aion_trio.journal.folding import Folded
from aion_trio.journal.rows import payload_of, row_of
from aion_trio.stores import Append, Close, Frame, LmdbStore, ObligationKind, Open, Summary, WorkflowKey, WorkflowRecords, dump
from aion_trio.stores.lmdb_store.environment import Environment, Settings
from aion_trio.stores.lmdb_store.layout import EVENTS, EVENTS_KEY, IDENTITY, MARK, OBLIGATION, OBLIGATION_KEY, ROW, RUN, RUN_KEY, TABLES
from aion_trio.stores.lmdb_store.records import seal
from aion_trio.stores.lmdb_store.rows import encode_identity, encode_obligation, encode_run
from tests.cli.histories import AT, raws

HOUR = 3_600_000_000


def started(request_id: str | None = None, parent: list[object] | None = None) -> Raw:
    """The start of a run that is one of `tests.cli.histories`."""
    raw = list(raws()[0])
    raw[9], raw[14] = parent, request_id
    return raw


def key(workflow_id: str, namespace: str = "default") -> WorkflowKey:
    return WorkflowKey(namespace, workflow_id)


class Trees:
    """The trees of a journal, to be written without the store's care."""

    def __init__(self, txn: lmdb.Transaction[bytes], tables: dict[str, object]) -> None:
        self.txn, self._tables = txn, tables

    def of(self, name: str) -> object:
        return self._tables[name]

    def keys(self, name: str, holds: bytes = b"") -> list[bytes]:
        return [bytes(at) for at in self.txn.cursor(db=self.of(name)).iternext(values=False) if holds in at]  # type: ignore[call-overload]

    def serial(self, owner: WorkflowKey) -> int:
        (at,) = [at for at in self.keys("ids") if at[4:] == owner.workflow_id.encode() and self.namespace(at) == owner.namespace]
        return int.from_bytes((self.get("ids", at))[4:])

    def namespace(self, at: bytes) -> str:
        numbers = {self.get("names", name)[4:]: name.decode() for name in self.keys("names")}
        return numbers[at[:4]]

    def get(self, name: str, at: bytes) -> bytes:
        return bytes(self.txn.get(at, db=self.of(name)))  # type: ignore[call-overload]

    def put(self, name: str, at: bytes, value: bytes) -> None:
        self.txn.put(at, value, db=self.of(name))  # type: ignore[call-overload]

    def delete(self, name: str, at: bytes) -> None:
        assert self.txn.delete(at, db=self.of(name))  # type: ignore[call-overload]

    def turn(self, name: str, at: bytes) -> None:
        """A bit of the value the other way."""
        value = bytearray(self.get(name, at))
        value[-1] ^= 4
        self.put(name, at, bytes(value))


@contextmanager
def trees(journal: Path) -> Iterator[Trees]:
    """The trees of a journal that nobody has open, in one transaction."""
    environment = Environment(journal, Settings())
    try:
        with environment.begin() as txn:
            yield Trees(txn, {name.decode(): getattr(environment.tables, name.decode()) for name in TABLES})
    finally:
        environment.close()


@dataclass(frozen=True, slots=True)
class Harm:
    """One damage: whom it concerns, what is done, what must be found, and whether the rows can be made anew."""

    owner: WorkflowKey
    do: Callable[[Trees, WorkflowRecords, WorkflowKey], None]
    found: str
    mendable: bool = True


def wrong_summary(at: Trees, before: WorkflowRecords, owner: WorkflowKey) -> None:
    summary = before.summary
    assert isinstance(summary, Summary)
    place = ROW.pack(at.serial(owner), IDENTITY)
    at.put("rows", place, seal(place, encode_identity(owner, replace(summary, started_us=7))))


def wrong_head(at: Trees, before: WorkflowRecords, owner: WorkflowKey) -> None:
    summary = before.summary
    assert isinstance(summary, Summary)
    place = ROW.pack(at.serial(owner), IDENTITY)
    at.put("rows", place, seal(place, encode_identity(owner, replace(summary, head=2))))


def wrong_run(at: Trees, before: WorkflowRecords, owner: WorkflowKey) -> None:
    (run,) = before.runs
    place = RUN_KEY.pack(at.serial(owner), RUN, 1)
    at.put("rows", place, seal(place, encode_run(replace(run, version=9))))
    more = RUN_KEY.pack(at.serial(owner), RUN, 2)
    at.put("rows", more, seal(more, encode_run(replace(run, run_no=2, run_id=b"x" * 16))))


def orphan(at: Trees, before: WorkflowRecords, owner: WorkflowKey) -> None:
    """An open row without a cause, and in the due order, as a fault of the program would leave it."""
    row, serial = row_of(1, 77), at.serial(owner)
    place = OBLIGATION_KEY.pack(serial, OBLIGATION, ObligationKind.CHILD_START) + row
    at.put("rows", place, seal(place, encode_obligation(Open(ObligationKind.CHILD_START, row, payload=payload_of(2, "x")))))
    at.put("due", bytes([ObligationKind.CHILD_START]) + bytes(4) + bytes(8) + serial.to_bytes(8) + row, b"")


def unknown_kind(at: Trees, before: WorkflowRecords, owner: WorkflowKey) -> None:
    place = OBLIGATION_KEY.pack(at.serial(owner), OBLIGATION, 99) + b"row"
    at.put("rows", place, seal(place, encode_obligation(Open(ObligationKind.STEP, b"row"))))


def turned(tag: int) -> Callable[[Trees, WorkflowRecords, WorkflowKey], None]:
    """A turned bit in the first row of a kind."""

    def do(at: Trees, before: WorkflowRecords, owner: WorkflowKey) -> None:
        at.turn("rows", at.keys("rows", ROW.pack(at.serial(owner), tag))[0])

    return do


def lost(tag: int, place: int = 0) -> Callable[[Trees, WorkflowRecords, WorkflowKey], None]:
    """A row of a kind that is not there, nor its places in the due order."""

    def do(at: Trees, before: WorkflowRecords, owner: WorkflowKey) -> None:
        gone = at.keys("rows", ROW.pack(at.serial(owner), tag))[place]
        at.delete("rows", gone)
        if tag == OBLIGATION:
            for due in at.keys("due", at.serial(owner).to_bytes(8) + gone[OBLIGATION_KEY.size :]):
                if due[0] == gone[ROW.size]:
                    at.delete("due", due)

    return do


def out_of(tree: str) -> Callable[[Trees, WorkflowRecords, WorkflowKey], None]:
    """The workflow's first row in an index tree is not there."""

    def do(at: Trees, before: WorkflowRecords, owner: WorkflowKey) -> None:
        at.delete(tree, at.keys(tree, at.serial(owner).to_bytes(8))[0])

    return do


def lost_id(at: Trees, before: WorkflowRecords, owner: WorkflowKey) -> None:
    at.delete("ids", at.keys("ids", owner.workflow_id.encode())[0])


def turned_id(at: Trees, before: WorkflowRecords, owner: WorkflowKey) -> None:
    at.turn("ids", at.keys("ids", owner.workflow_id.encode())[0])


def more_due(at: Trees, before: WorkflowRecords, owner: WorkflowKey) -> None:
    at.put("due", bytes([ObligationKind.STEP]) + bytes(12) + at.serial(owner).to_bytes(8) + b"none", b"")


def more_visible(at: Trees, before: WorkflowRecords, owner: WorkflowKey) -> None:
    first = at.keys("vis", at.serial(owner).to_bytes(8))[0]
    at.put("vis", first[:5] + bytes([9]) + first[6:], b"")


NOBODY = key("", "")
_NOTHING = WorkflowRecords((), None, (), (), ())


def lost_name(at: Trees, before: WorkflowRecords, owner: WorkflowKey) -> None:
    at.delete("names", b"rare")


def wrong_count(at: Trees, before: WorkflowRecords, owner: WorkflowKey) -> None:
    place = at.keys("meta", b"#")[0]
    at.put("meta", place, seal(place, (1000).to_bytes(8)))


def low_serial(at: Trees, before: WorkflowRecords, owner: WorkflowKey) -> None:
    at.put("meta", b"next_serial", seal(b"next_serial", (1).to_bytes(8)))


def lost_frame(at: Trees, before: WorkflowRecords, owner: WorkflowKey) -> None:
    at.delete("rows", EVENTS_KEY.pack(at.serial(owner), EVENTS, 1))


HARMS: dict[str, Harm] = {
    "an event's bit": Harm(key("event"), turned(EVENTS), "events up to", mendable=False),
    "an event lost": Harm(key("gap"), lost_frame, "event 1 is missing", mendable=False),
    "a summary's bit": Harm(key("identity"), turned(IDENTITY), "identity and summary"),
    "a summary wrong": Harm(key("summary"), wrong_summary, "its summary says"),
    "a head wrong": Harm(key("head"), wrong_head, "history ends at 2, it ends at 4"),
    "a run's bit": Harm(key("several"), turned(RUN), "run row"),
    "a mark lost, the same": Harm(key("several"), lost(MARK), "its mark b'start:r' says nothing"),
    "an activity's bit, the same": Harm(key("several"), turned(OBLIGATION), "open row"),
    "a run wrong": Harm(key("run"), wrong_run, "its run row 1 says"),
    "a run too many": Harm(key("run"), wrong_run, "its run row 2 says"),
    "a mark's bit": Harm(key("mark"), turned(MARK), "mark:"),
    "an orphan": Harm(key("orphan"), orphan, "CHILD_START 000000010000004d is owed without a cause"),
    "a kind too many": Harm(key("kind"), unknown_kind, "of kind 99, which is not known"),
    "an activity lost": Harm(key("activity"), lost(OBLIGATION), "ACTIVITY 0000000100000001 has a cause in the history and is not owed"),
    "a wake-up lost": Harm(key("sleeper"), lost(OBLIGATION), "WAKE_UP is not owed"),
    "a child's start lost": Harm(key("parent"), lost(OBLIGATION), "'child-1' has no record of it"),
    "a child's closing lost": Harm(key("child-2"), lost(OBLIGATION), "its parent 'parent' has no record of it"),
    "a signal lost": Harm(key("sender"), lost(OBLIGATION), "SIGNAL 0000000100000001 is not owed"),
    "a termination lost": Harm(key("closer"), lost(OBLIGATION), "and 'kept' has no record of it"),
    "a cancellation lost": Harm(key("asker"), lost(OBLIGATION), "and 'kept-2' has no record of it"),
    "a successor lost": Harm(key("continued"), lost(OBLIGATION), "RUN_START 0000000100000000 has a cause in the history and is not owed"),
    "a due place lost": Harm(key("due"), out_of("due"), "is not in the due order"),
    "a due place too many": Harm(key("due-2"), more_due, "is due but is not open"),
    "a listing's row lost": Harm(key("listing"), out_of("vis"), "is missing"),
    "a listing's row too many": Harm(key("listing-2"), more_visible, "does not agree with the workflow's summary"),
    "an id lost": Harm(key("lost-id"), lost_id, "the id does not lead to its rows"),
    "an id's bit": Harm(key("turned-id"), turned_id, "the id does not lead to its rows"),
    "in another namespace": Harm(key("event", "other"), wrong_summary, "its summary says"),
    "a name lost": Harm(NOBODY, lost_name, "the names with the numbers"),
    "a listing of that name": Harm(key("named"), more_visible, "the index row"),
    "a count wrong": Harm(NOBODY, wrong_count, "counts by status"),
    "a serial too low": Harm(NOBODY, low_serial, "the next workflow would get number 1"),
}


def histories() -> dict[WorkflowKey, list[Raw]]:
    """A workflow for each harm, and one that nothing happens to."""
    plain = raws()
    timer: Raw = [ev.TIMER_STARTED, AT, 1, AT + HOUR]
    child: Raw = [ev.CHILD_WORKFLOW_STARTED, AT, 1, "child-1", "checkout", 1, b"", b"d" * 16, 0, {}, None, None]
    signal: Raw = [ev.SIGNAL_SENT, AT, 1, "sound", "word", b"", b"d" * 16]
    closed = [started(parent=["parent", b"r" * 16, 2]), *plain[1:]]
    named = started()
    named[12] = {"rare": 1}
    found = {key("named"): [named]}
    found |= {harm.owner: plain[:2] for harm in HARMS.values() if harm.owner not in (NOBODY, key("named"))}
    found |= {key(name): plain for name in ("head", "summary", "sound", "gap", "event")}
    found |= {key(name): [started("r"), plain[1]] for name in ("several", "mark")}
    found |= {key("sleeper"): [plain[0], timer], key("sender"): [plain[0], signal], key("child-2"): closed}
    for policy, (owner, kept) in enumerate((("closer", "kept"), ("asker", "kept-2"))):
        asked: Raw = [*child[:2], 1, kept, *child[4:8], policy, *child[9:]]
        found[key(owner)] = [plain[0], asked, plain[3]]
        found[key(kept)] = [started(parent=[owner, b"r" * 16, 1])]
    found[key("continued")] = [plain[0], [ev.WORKFLOW_CONTINUED_AS_NEW, AT, b"r" * 16, b"", None, [], None]]
    found[key("parent")] = [plain[0], child, [*child[:2], 2, "child-2", *child[4:]]]
    return found


def sound_journal(directory: Path) -> Path:
    """A journal that says one thing: every harm's workflow, and hundreds that fill pages."""
    with closing(LmdbStore.open(directory)) as store:
        require(store, *[append for owner, events in histories().items() for append in appends(owner, events)])
        settle(store)
        require(store, *[append for number in range(300) for append in appends(key(f"crowd-{number}"), [started()])])
    return directory


def appends(owner: WorkflowKey, events: list[Raw]) -> list[Append]:
    """A history in frames of one event each, with the rows that follow from them."""
    fold = Folded(owner)
    made: list[Append] = []
    for seq, raw in enumerate(events, 1):
        data = encode_frame([raw])
        found = fold.take(Frame(seq, 1, data))
        made.append(Append(owner, seq - 1, data, 1, found.summary, found.runs, found.opens, found.closes, found.marks))
    return made


def require(store: LmdbStore, *batch: Append) -> None:
    """Apply, and all of it is taken."""
    assert all(isinstance(outcome, int) for outcome in store.apply(batch))


def settle(store: LmdbStore) -> None:
    """What an engine does beside events: the sleeper's wake-up, and the start of the parent's second child."""
    require(store, Append(key("sleeper"), 2, opens=[Open(ObligationKind.WAKE_UP, b"", AT + HOUR)]))
    require(store, Append(key("parent"), 3, closes=[Close(ObligationKind.CHILD_START, row_of(1, 2))]))


def harmed(journal: Path, owner: WorkflowKey | None = None) -> None:
    """Do every harm to the journal, or those that concern one workflow, in one go."""
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        before = dump(store)
    with trees(journal) as at:
        for harm in HARMS.values():
            if owner is None or harm.owner == owner:
                harm.do(at, before.get(harm.owner, _NOTHING), harm.owner)
