"""Make a journal's rows anew, from its histories (H2, R2).

Events are the truth and every row follows from them. What can be read is copied; in the copy all index trees are made again
from the workflows' own rows, and a workflow whose own rows are wrong is taken out and written again from its frames, byte for
byte, with the rows that its events call for. What only a replay can tell (the wake-up) is owed as a step, as after an import:
the next engine replays each open run and writes the rest. The copy takes the journal's place when it is whole; a crash at any
moment leaves the journal as it was, or mended.

A history of which an event record is damaged or lost is left alone, since what it did cannot be told from what is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import AionError
from ..stores import LmdbStore, StoreError
from ..stores.contract import Append, Finding, ObligationKind, Open, Remedy, Store, WorkflowKey
from ..stores.dump import apply_all, each_frame
from . import rows
from .folding import Folded
from .replacement import Beside, beside, exchange
from .verification import verify_journal


@dataclass(slots=True)
class Repair:
    """What a repair found and did.

    `rebuilt` are the ids whose own rows were made anew, `remaining` is what is still wrong, `kept` where the old journal is.
    """

    found: list[Finding]
    rebuilt: list[str] = field(default_factory=list[str])
    remaining: list[Finding] = field(default_factory=list[Finding])
    kept: str = ""


def repair_journal(directory: Path, *, dry_run: bool = False) -> Repair:
    """Mend the journal in a directory; takes the writer's lock, so no engine may have it.

    Raises `StoreLocked`, `StoreFull` and what opening a journal raises; then the journal is as it was.
    """
    with closing(LmdbStore.open(directory)) as store:
        done = Repair(verify_journal(store))
        if not done.found:
            return done
        with beside(directory, "repair") as copy:
            _copy(store, copy.path, done.found)
            with closing(LmdbStore.open(copy.path)) as mended:
                mended.reindex()
                done.rebuilt = _rebuild(mended, verify_journal(mended))
                done.remaining = verify_journal(mended)
            if done.remaining != done.found and not dry_run:
                done.kept = _put_in_place(directory, copy)
    return done


def rebuilt_appends(store: Store, key: WorkflowKey) -> list[Append]:
    """The appends that make this workflow, with all its rows, in a store that does not know it.

    Raises `CorruptRecord` or an `AionError` if its events cannot be read, or are no history.
    """
    fold = Folded(key)
    appends: list[Append] = []
    for frame in each_frame(store, key):
        changes = fold.take(frame)
        before = frame.first_seq - 1
        appends.append(
            Append(key, before, frame.data, frame.count, changes.summary, changes.runs, changes.opens, changes.closes, changes.marks)
        )
    fold.require_history()
    if fold.projection.open:
        step = Open(ObligationKind.STEP, b"", payload=rows.payload_of(fold.projection.head))
        appends.append(Append(key, fold.projection.head, opens=[step]))
    return appends


def _copy(store: LmdbStore, destination: Path, found: list[Finding]) -> None:
    """A copy by LMDB, or without it where it cannot read a page."""
    if any(finding.remedy is Remedy.SALVAGE for finding in found):
        store.salvage(destination)
    else:
        store.backup(destination)


def _rebuild(store: Store, found: list[Finding]) -> list[str]:
    """Write every workflow anew that is found fault with and can be read."""
    rebuilt: list[str] = []
    for key in dict.fromkeys(WorkflowKey(finding.namespace, finding.workflow_id) for finding in found if finding.workflow_id):
        try:
            appends = rebuilt_appends(store, key)
            store.purge([key])
        except (AionError, StoreError):
            continue  # its events are damaged: `remaining` tells of it
        apply_all(store, appends)
        rebuilt.append(key.workflow_id)
    return rebuilt


def _put_in_place(directory: Path, copy: Beside) -> str:
    """Swap the mended copy in; the old journal goes to the first free name beside it, and is never removed."""
    exchange(directory, copy.path)
    copy.keep = True
    kept = next(path for path in _names(directory.absolute()) if not path.exists())
    copy.path.rename(kept)
    return str(kept)


def _names(place: Path) -> Iterator[Path]:
    number = 1
    while True:
        yield place.with_name(f"{place.name}.before-repair" + (f"-{number}" if number > 1 else ""))
        number += 1
