"""A journal's directory is replaced as a whole or not at all, and nothing of anybody else's is touched."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from aion_trio.errors import AionError, BrokenChainError, JournalNotWritableError
from aion_trio.journal import repair, replacement
from aion_trio.journal.repair import Repair, repair_journal
from aion_trio.journal.replacement import beside, compact_journal, exchange
from aion_trio.journal.rows import payload_of
from aion_trio.journal.transfer import import_lines
from aion_trio.stores import Append, LmdbStore, MemoryStore, ObligationKind, Open, SequenceConflict, StoreLocked, WorkflowKey, dump
from tests.cli.histories import KEY, lines

from .harm import appends, started


def made(directory: Path, count: int = 2) -> Path:
    """A journal with so many events of one workflow."""
    with closing(LmdbStore.open(directory)) as store:
        import_lines(store, lines(count))
    return directory


def hurt(directory: Path) -> None:
    with closing(LmdbStore.open(directory)) as store:
        summary = store.summary(KEY)
        assert summary is not None
        store.apply([Append(KEY, store.head(KEY), summary=replace(summary, type="another"))])


def records(directory: Path) -> object:
    with closing(LmdbStore.open(directory, read_only=True)) as store:
        return dump(store)


def test_each_repair_keeps_the_journal_that_it_replaced(tmp_path: Path) -> None:
    """H2: the old one goes to the first free name, and no earlier one is lost."""
    journal = made(tmp_path / "j")
    sound = records(journal)
    kept = []
    for _ in range(3):
        hurt(journal)
        done = repair_journal(journal)
        assert (done.rebuilt, done.remaining) == (["order-1"], [])
        kept.append(Path(done.kept))
        assert records(journal) == sound != records(kept[-1])
    assert kept == [tmp_path / "j.before-repair", tmp_path / "j.before-repair-2", tmp_path / "j.before-repair-3"]
    assert sorted(tmp_path.iterdir()) == sorted([journal, *kept])


def test_a_journal_that_repair_cannot_make_better_stays_in_its_place(tmp_path: Path) -> None:
    """H2: and so does a sound one."""
    journal = made(tmp_path / "j")
    assert repair_journal(journal) == Repair([], [], [], "")
    with closing(LmdbStore.open(journal)) as store:
        store.apply([Append(KEY, 2, b"no events", 1)])
    done = repair_journal(journal)
    assert (len(done.found), done.rebuilt, done.remaining, done.kept) == (1, [], done.found, "")
    assert list(tmp_path.iterdir()) == [journal]


def test_what_repair_writes_owes_a_step_for_all_that_only_a_replay_can_tell(tmp_path: Path) -> None:
    """R2: of an open run, caused by its last event; what is closed owes none."""
    with closing(LmdbStore.open(made(tmp_path / "open"))) as store:
        assert repair.rebuilt_appends(store, KEY)[-1].opens == [Open(ObligationKind.STEP, b"", payload=payload_of(2))]
    with closing(LmdbStore.open(made(tmp_path / "closed", 4))) as store:
        (alone,) = repair.rebuilt_appends(store, KEY)
        assert (alone.expected_seq, alone.count, list(alone.opens)) == (0, 4, [])


def test_runs_that_form_no_chains_are_not_written_anew() -> None:
    """H5: which of them was there cannot be told."""
    store = MemoryStore()
    assert store.apply(appends(KEY, [started(), started()])) == [1, 2]
    with pytest.raises(BrokenChainError):
        repair.rebuilt_appends(store, KEY)


def test_repair_copies_by_the_database_where_no_page_is_torn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LmdbStore, "salvage", lambda *_: pytest.fail("it is read page by page"))
    journal = made(tmp_path / "j")
    hurt(journal)
    assert repair_journal(journal).remaining == []


def test_a_history_that_cannot_be_mended_keeps_no_later_one_from_it(tmp_path: Path) -> None:
    journal = made(tmp_path / "j")
    hurt(journal)
    with closing(LmdbStore.open(journal)) as store:
        import_lines(store, lines(2, "order-0"))
        store.apply([Append(WorkflowKey("default", "order-0"), 2, b"no events", 1)])
        unreadable = import_lines(store, lines(2, "order-2"))
        store.apply([Append(unreadable, 2, b"no events", 1)])
        wrong = import_lines(store, lines(4, "order-3"))
        store.apply([Append(wrong, 4, opens=[Open(ObligationKind.STEP, b"")])])
    done = repair_journal(journal)
    assert done.rebuilt == ["order-1", "order-3"]
    assert [finding.workflow_id for finding in done.remaining] == ["order-0", "order-2"]


def test_a_compaction_removes_what_others_of_the_same_journal_left_and_nothing_else(tmp_path: Path) -> None:
    journal = made(tmp_path / "j[1]")
    left, another, hidden = tmp_path / ".j[1].compact-77", tmp_path / ".j1.compact-77", tmp_path / ".j[1].repair-77"
    for directory in (left, another, hidden):
        directory.mkdir()
        (directory / "data.mdb").write_bytes(b"left over")
    irremovable = tmp_path / ".j[1].compact-78"
    irremovable.touch()
    before = records(journal)
    compact_journal(journal)
    assert sorted(tmp_path.iterdir()) == sorted([journal, another, hidden, irremovable])
    assert records(journal) == before


def test_what_a_compaction_left_when_it_was_cut_off_is_removed_by_the_next(tmp_path: Path) -> None:
    """J3: after the exchange, it is the old journal."""
    journal = made(tmp_path / "j")
    with pytest.MonkeyPatch.context() as cut_off:
        cut_off.setattr(shutil, "rmtree", lambda *_, **__: None)
        compact_journal(journal)
    assert len(list(tmp_path.iterdir())) == 2
    compact_journal(journal)
    assert list(tmp_path.iterdir()) == [journal]


def test_a_compaction_tells_the_bytes_before_and_after(tmp_path: Path) -> None:
    journal = made(tmp_path / "j")
    before = (journal / "data.mdb").stat().st_size
    assert compact_journal(journal, tmp_path / "copy") == (before, (tmp_path / "copy" / "data.mdb").stat().st_size)
    assert compact_journal(journal)[1] == (journal / "data.mdb").stat().st_size
    for copy in (journal, tmp_path / "copy"):
        assert not (copy / "writer.lock").exists(), "it was looked at, and nobody has written to it yet"


def test_a_copy_that_lacks_events_does_not_take_the_journals_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """J7: whatever went wrong with the copy, the journal is as it was."""
    journal = made(tmp_path / "j")
    before = records(journal)
    monkeypatch.setattr(LmdbStore, "backup", lambda _, destination: made(destination, 1))
    with pytest.raises(AionError, match="lacks events of 'order-1'; the journal is as it was"):
        compact_journal(journal)
    assert records(journal) == before
    assert list(tmp_path.iterdir()) == [journal]


def test_a_compaction_holds_the_lock_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """J8: an engine that opened it meanwhile would write to the files that are removed."""
    journal = made(tmp_path / "j")
    exchanged: list[Path] = []

    def exchange_if_locked(one: Path, other: Path) -> None:
        with pytest.raises(StoreLocked):
            LmdbStore.open(one)
        exchanged.append(one)
        exchange(one, other)

    monkeypatch.setattr(replacement, "exchange", exchange_if_locked)
    compact_journal(journal)
    assert exchanged == [journal]


def test_two_directories_change_their_names_with_each_other(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    exchange(tmp_path / "one", tmp_path / "other")
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.glob("*/*"))] == ["one/other", "other/one"]


def test_an_exchange_is_on_disk_when_it_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """J3: the names stand in the directory above, which is synchronised and let go of."""
    synchronised: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synchronised.append((fd, os.fstat(fd).st_ino)))
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    exchange(tmp_path / "one", tmp_path / "other")
    ((fd, place),) = synchronised
    assert place == tmp_path.stat().st_ino
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.fstat(fd)


def test_a_mac_exchanges_names_by_a_call_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`renamex_np(from, to, RENAME_SWAP)`, of which 0 says that it is done."""
    asked: list[tuple[object, ...]] = []

    class Library:
        def __init__(self, name: object, use_errno: bool) -> None: ...

        def renamex_np(self, *arguments: object) -> int:
            asked.append(arguments)
            return 0

    monkeypatch.setattr(ctypes, "CDLL", Library)
    monkeypatch.setattr(sys, "platform", "darwin")
    exchange(tmp_path / "one", tmp_path / "other")
    assert asked == [(os.fsencode(tmp_path / "one"), os.fsencode(tmp_path / "other"), 2)]


def test_a_name_beside_the_journal_is_removed_with_what_is_there_unless_it_is_kept(tmp_path: Path) -> None:
    for keep in (False, True):
        with beside(tmp_path / "j", "repair") as copy:
            copy.path.mkdir()
            copy.keep = keep
        assert copy.path == tmp_path / f".j.repair-{os.getpid()}"
        assert copy.path.exists() is keep
    with beside(tmp_path / "j", "compact"):
        pass  # where nothing was made, nothing is missed


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (errno.EINVAL, "this file system cannot exchange names"),
        (errno.ENOSYS, "this file system cannot exchange names"),
        (errno.ENOTSUP, "this file system cannot exchange names"),
        (errno.EACCES, os.strerror(errno.EACCES)),
    ],
)
def test_why_names_cannot_be_exchanged_is_told(code: int, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: bytes) -> bool:
        ctypes.set_errno(code)
        return False

    monkeypatch.setattr(replacement, "_exchange", refuse)
    with pytest.raises(JournalNotWritableError, match=f"cannot be replaced at once: {reason}; use a destination"):
        exchange(tmp_path / "one", tmp_path / "other")


@pytest.mark.skipif(sys.platform != "linux", reason="takes the other system's call for one that is not there")
def test_a_system_without_the_call_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(JournalNotWritableError, match="cannot exchange names"):
        exchange(tmp_path / "one", tmp_path / "other")


def test_an_exchange_that_the_system_refuses_is_told_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(JournalNotWritableError, match=os.strerror(errno.ENOENT)):
        exchange(tmp_path / "one", tmp_path / "other")


def test_a_history_that_cannot_be_written_anew_leaves_the_journal_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """J1: what the copy refuses goes up, and the copy does not take the journal's place."""
    journal = made(tmp_path / "j")
    hurt(journal)
    before = records(journal)
    monkeypatch.setattr(repair, "rebuilt_appends", lambda _, key: [Append(key, 7)])
    with pytest.raises(SequenceConflict):
        repair_journal(journal)
    assert records(journal) == before
    assert list(tmp_path.iterdir()) == [journal]
