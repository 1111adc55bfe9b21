"""`journal repair` and `compact`: rows made anew from events, and a journal replaced in one step."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import lmdb
import pytest
import trio

import aion_trio as aion
from aion_trio.journal import repair, replacement
from aion_trio.stores import Append, Close, LmdbStore, ObligationKind, Open, WorkflowKey, dump
from tests.cli import shop
from tests.cli.histories import KEY, lines
from tests.cli.running import at, command_of, data, refusal, text

Damage = Callable[[LmdbStore], Append]


def head_and(store: LmdbStore, **changes: object) -> Append:
    return replace(Append(KEY, store.head(KEY)), **changes)  # type: ignore[arg-type]


def a_wrong_summary(store: LmdbStore) -> Append:
    summary = store.summary(KEY)
    assert summary is not None
    return head_and(store, summary=replace(summary, type="another", status=3, head=store.head(KEY)))


def a_lost_activity(store: LmdbStore) -> Append:
    rows = [row for row in store.obligations_of(KEY) if row.kind is ObligationKind.ACTIVITY]
    return head_and(store, closes=[Close(row.kind, row.row) for row in rows])


def an_activity_without_a_cause(store: LmdbStore) -> Append:
    return head_and(store, opens=[Open(ObligationKind.ACTIVITY, b"\0" * 8, queue="default")])


def a_wrong_run(store: LmdbStore) -> Append:
    (run,) = store.runs(KEY)
    return head_and(store, runs=[replace(run, started_us=1)])


DAMAGES: list[Damage] = [a_wrong_summary, a_lost_activity, an_activity_without_a_cause, a_wrong_run]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal with an open workflow, `order-1`, and a closed one."""
    directory = tmp_path / "j"
    at("journal", "import", directory, "-", given="\n".join(lines(2)))
    at("journal", "import", directory, "-", given="\n".join(lines(4, "order-2")))
    return directory


def hurt(directory: Path, damage: Damage) -> None:
    store = LmdbStore.open(directory)
    assert isinstance(store.apply([damage(store)])[0], int)
    store.close()


def records(directory: Path) -> object:
    store = LmdbStore.open(directory, read_only=True)
    try:
        return {key.workflow_id: found for key, found in dump(store).items()}
    finally:
        store.close()


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_rows_that_are_wrong_are_made_anew_from_the_events(journal: Path, damage: Damage) -> None:
    """Every row follows from the events (H2, R2), so the mended journal has every record that it had before."""
    before = records(journal)
    hurt(journal, damage)
    assert at("journal", "verify", journal).exit_code == 1
    done = data("journal", "repair", journal)
    assert (done["rebuilt"], done["remaining"]) == (["order-1"], [])
    assert data("journal", "verify", journal)["findings"] == []
    assert records(journal) == before
    assert at("journal", "verify", done["kept"]).exit_code == 1  # the journal as it was


def test_a_row_missing_from_an_index_is_found_and_made_anew(journal: Path) -> None:
    """Damage that the store alone can see."""
    before = records(journal)
    env = lmdb.open(str(journal), max_dbs=10, lib_version=0)
    for name in (b"vis", b"due"):
        tree = env.open_db(name, create=False)
        with env.begin(write=True, db=tree) as txn:
            txn.drop(tree, delete=False)
    env.close()
    assert at("journal", "verify", journal).exit_code == 1
    assert data("journal", "repair", journal)["remaining"] == []
    assert data("journal", "verify", journal)["findings"] == []
    assert records(journal) == before
    assert {each["id"] for each in data("workflow", "list", "--journal", journal)} == {"order-1", "order-2"}


def test_each_repair_keeps_the_journal_that_it_found(journal: Path) -> None:
    kept: list[str] = []
    for _ in range(3):
        hurt(journal, a_wrong_run)
        kept.append(data("journal", "repair", journal)["kept"])
    assert [Path(each).name for each in kept] == ["j.before-repair", "j.before-repair-2", "j.before-repair-3"]
    assert all(at("journal", "verify", each).exit_code == 1 for each in kept)


def test_a_sound_journal_is_left_as_it_is(journal: Path, tmp_path: Path) -> None:
    before = (journal / "data.mdb").stat().st_ino
    assert text("journal", "repair", journal) == "all is well, nothing was changed\n"
    assert (journal / "data.mdb").stat().st_ino == before
    assert [path.name for path in tmp_path.iterdir()] == ["j"]


def test_a_dry_run_tells_and_changes_nothing(journal: Path, tmp_path: Path) -> None:
    hurt(journal, a_wrong_summary)
    before = records(journal)
    said = text("journal", "repair", journal, "--dry-run")
    assert "found: order-1: its summary says" in said and "to rebuild: order-1" in said
    assert records(journal) == before
    assert [path.name for path in tmp_path.iterdir()] == ["j"]


def test_a_history_with_a_damaged_event_is_left_and_the_others_are_mended(journal: Path) -> None:
    """What is left of it does not say what it did (J7, R8)."""
    content = (journal / "data.mdb").read_bytes()
    (journal / "data.mdb").write_bytes(content.replace(b"receipt", b"rexeipt"))
    hurt(journal, a_wrong_summary)
    done = at("journal", "repair", journal, "-o", "table")
    assert done.exit_code == 1
    assert "rebuilt: order-1" in done.stdout and "remains: order-2 at" in done.stdout
    assert at("workflow", "show", "order-1", "--journal", journal).exit_code == 0
    assert "order-2" in at("workflow", "show", "order-2", "--journal", journal).stderr


def test_the_next_engine_goes_on_with_a_repaired_workflow(tmp_path: Path) -> None:
    """Its wake-up and its activity are there again (R1, R2)."""
    directory = tmp_path / "j"

    async def begin() -> None:
        async with aion.open_engine(directory, modules=[shop]) as engine:
            await engine.start(shop.checkout, "order-1", 7, id="order-1")

    async def go_on() -> list[str]:
        async with aion.open_engine(directory, modules=[shop]) as engine:
            await engine.handle("order-1").signal(shop.approval, True)
            found: list[str] = await engine.handle("order-1").result()
            return found

    trio.run(begin)
    store = LmdbStore.open(directory)
    owed = store.obligations_of(KEY)
    store.apply([Append(KEY, store.head(KEY), closes=[Close(row.kind, row.row) for row in owed])])
    store.apply([a_wrong_summary(store)])
    store.close()
    assert data("journal", "repair", directory)["rebuilt"] == ["order-1"]
    assert trio.run(go_on) == ["receipt for order-1: 7", "parcel of order-1"]


def test_repair_needs_the_lock(journal: Path) -> None:
    owner = LmdbStore.open(journal)
    for verb in ("repair", "compact"):
        assert "in use by process" in refusal("journal", verb, journal)
    owner.close()


def test_a_crash_at_any_moment_leaves_the_old_journal_or_the_mended_one(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exchange of names is one call of the system; before it and after it there is a whole journal."""

    class Crash(BaseException):
        pass

    def crash(*_: object) -> None:
        raise Crash

    hurt(journal, a_wrong_summary)
    hurt_records = records(journal)
    for name, mended in (("verify_journal", False), ("_rebuild", False), ("exchange", False), ("_names", True)):
        copy = journal.with_name(f"{journal.name}{name}")
        shutil.copytree(journal, copy)
        with monkeypatch.context() as patch:
            patch.setattr(repair, name, crash)
            with pytest.raises(Crash):
                repair.repair_journal(copy)
        assert (at("journal", "verify", copy).exit_code == 0) is mended
        assert (records(copy) == hurt_records) is not mended
        left = [path for path in journal.parent.iterdir() if path.name.startswith(f".{copy.name}.repair")]
        assert [records(path) for path in left] == ([hurt_records] if mended else [])


def test_compact_gives_room_back_and_keeps_every_record(journal: Path) -> None:
    store = LmdbStore.open(journal)
    for number in range(120):
        key = WorkflowKey("default", f"filler-{number}")
        store.apply([Append(key, 0, b"\x80" * 3000, 3000)])
    store.purge([WorkflowKey("default", f"filler-{number}") for number in range(120)])
    store.close()
    (journal.parent / ".j.compact-1").mkdir()  # of a compaction that was killed
    before = records(journal)
    done = data("journal", "compact", journal)
    assert done["bytes_after"] < done["bytes_before"] / 2
    assert (journal / "data.mdb").stat().st_size == done["bytes_after"]
    assert records(journal) == before
    assert [path.name for path in journal.parent.iterdir()] == [journal.name]
    LmdbStore.open(journal).close()


def test_compact_to_a_destination_leaves_the_journal(journal: Path, tmp_path: Path) -> None:
    inode = (journal / "data.mdb").stat().st_ino
    assert "MB after" in text("journal", "compact", journal, "--to", tmp_path / "copy")
    assert records(tmp_path / "copy") == records(journal)
    assert (journal / "data.mdb").stat().st_ino == inode


def test_who_reads_while_the_journal_is_replaced_reads_on(journal: Path) -> None:
    """An open reader stays with the old files; whoever opens next finds the new ones, and may write (J5)."""
    reader = LmdbStore.open(journal, read_only=True)
    program = command_of("journal", "compact", journal)
    assert subprocess.run(program, capture_output=True, check=False, timeout=30).returncode == 0
    assert reader.head(KEY) == 2
    imported = command_of("journal", "import", journal, "-")
    done = subprocess.run(imported, input="\n".join(lines(4, "order-3")), capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    assert reader.head(KEY) == 2 and reader.head(WorkflowKey("default", "order-3")) == 0
    reader.close()
    assert data("workflow", "count", "--journal", journal) == {"count": 3}
    assert data("journal", "verify", journal)["findings"] == []


def test_where_names_cannot_be_exchanged_nothing_is_changed(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replacement, "_exchange", lambda *_: False)
    before = (journal / "data.mdb").stat().st_ino
    assert "cannot be replaced" in refusal("journal", "compact", journal)
    assert (journal / "data.mdb").stat().st_ino == before
    assert os.listdir(journal.parent) == [journal.name]


def test_a_system_that_cannot_exchange_names_is_told_as_such(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Linux that is asked as a macOS: its library has no such call."""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "this file system cannot exchange names" in refusal("journal", "compact", journal)
    assert os.listdir(journal.parent) == [journal.name]


def test_a_copy_that_lacks_events_does_not_take_the_journals_place(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever made it: each head is looked at first."""
    before = records(journal)
    backup = LmdbStore.backup

    def forgetful(store: LmdbStore, destination: Path) -> None:
        backup(store, destination)
        with closing(LmdbStore.open(destination)) as copy:
            copy.purge([WorkflowKey("default", "order-2")])

    monkeypatch.setattr(LmdbStore, "backup", forgetful)
    assert "lacks events of 'order-2'; the journal is as it was" in refusal("journal", "compact", journal)
    monkeypatch.undo()
    assert records(journal) == before
    assert os.listdir(journal.parent) == [journal.name]
