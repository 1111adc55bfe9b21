"""`aion-trio journal`: what it prints, and what it exits with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aion_trio.stores import LmdbStore, ObligationKind
from tests.cli.histories import KEY, lines
from tests.cli.running import at as run, data, refusal, text


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal with one completed workflow."""
    directory = tmp_path / "orders.aion"
    assert run("journal", "import", directory, "-", given="\n".join(lines())).exit_code == 0
    return directory


def test_what_is_exported_is_what_was_imported(journal: Path) -> None:
    done = run("journal", "export", journal, "order-1")
    assert (done.exit_code, done.output.splitlines()) == (0, lines())


@pytest.mark.parametrize(
    ("count", "owed"),
    [
        (1, [ObligationKind.STEP]),
        (2, [ObligationKind.ACTIVITY, ObligationKind.STEP]),
        (3, [ObligationKind.STEP]),
        (4, []),
    ],
)
def test_any_prefix_of_a_history_can_be_imported_and_owes_what_its_end_owes(tmp_path: Path, count: int, owed: list[ObligationKind]) -> None:
    """Every obligation follows from the events (R2, J4)."""
    run("journal", "import", tmp_path / "j", "-", given="\n".join(lines(count)))
    store = LmdbStore.open(tmp_path / "j", read_only=True)
    assert [row.kind for row in store.obligations_of(KEY)] == owed
    store.close()
    assert run("journal", "verify", tmp_path / "j").exit_code == 0


def test_a_history_that_is_there_is_not_imported_again(journal: Path) -> None:
    assert "in this journal already" in refusal("journal", "import", journal, "-", given="\n".join(lines()))


def test_empty_lines_between_events_are_passed_over(tmp_path: Path) -> None:
    assert run("journal", "import", tmp_path / "j", "-", given="\n" + "\n\n".join(lines()) + "\n \n").exit_code == 0
    assert run("journal", "export", tmp_path / "j", "order-1").output.splitlines() == lines()


def test_a_history_that_no_journal_can_hold_is_refused(tmp_path: Path) -> None:
    """J6."""
    assert "a workflow id may have 400 bytes" in refusal("journal", "import", tmp_path / "j", "-", given="\n".join(lines(4, "x" * 401)))
    assert data("journal", "stats", tmp_path / "j")["workflows"] == 0


@pytest.mark.parametrize(
    "given",
    ["", "no history", lines()[1], "\n".join([lines()[0], lines()[2]]), "\n".join([*lines(1), *lines(2, "order-2")[1:]])],
    ids=["nothing", "no JSON", "no start", "a gap", "two ids"],
)
def test_lines_that_are_no_history_are_refused(tmp_path: Path, given: str) -> None:
    refusal("journal", "import", tmp_path / "j", "-", given=given)


def test_an_unknown_workflow_cannot_be_exported(journal: Path) -> None:
    assert "there is no workflow 'order-9'" in refusal("journal", "export", journal, "order-9")


def test_a_sound_journal_verifies(journal: Path) -> None:
    assert text("journal", "verify", journal) == "1 workflows, all is well\n"
    assert data("journal", "verify", journal) == {"workflows": 1, "findings": []}


def test_a_damaged_record_is_reported_and_exits_1(journal: Path) -> None:
    """A flipped bit in an event is found, with its workflow (J7)."""
    data = journal / "data.mdb"
    content = bytearray(data.read_bytes())
    for place in range(len(content)):
        if content[place : place + 7] == b"receipt":
            content[place] ^= 1
    data.write_bytes(content)
    done = run("journal", "verify", journal)
    assert done.exit_code == 1
    assert {finding["workflow_id"] for finding in json.loads(done.stdout)["findings"]} == {"order-1"}
    assert "order-1 at " in run("journal", "verify", journal, "-o", "table").stdout


def test_a_backup_holds_the_same_history(journal: Path, tmp_path: Path) -> None:
    assert run("journal", "backup", journal, tmp_path / "copy").exit_code == 0
    assert run("journal", "export", tmp_path / "copy", "order-1").output.splitlines() == lines()
    assert run("journal", "verify", tmp_path / "copy").exit_code == 0


def test_stats_count_workflows_by_status(journal: Path) -> None:
    assert data("journal", "stats", journal)["by_status"] == {"completed": 1}
    assert "completed in default" in text("journal", "stats", journal)


def test_a_directory_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Ada")
    for verb in ("verify", "stats", "repair", "compact"):
        refusal("journal", verb, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_backup_does_not_overwrite(journal: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Ada")
    assert "not empty" in refusal("journal", "backup", journal, tmp_path)
