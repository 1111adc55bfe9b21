"""The reading verbs on a journal directory that a real engine wrote."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from aion_trio.codec import encode_frame
from aion_trio.stores import Append, LmdbStore
from tests.cli.histories import KEY, lines, raws
from tests.cli.running import at, command_of, data, refusal, text


def test_list_gives_each_id_once_as_json(journal: Path) -> None:
    found = data("workflow", "list", "--journal", journal)
    ids = {each["id"]: each["status"] for each in found}
    assert ids["order-1"] == "completed" and ids["order-2"] == "failed" and ids["rocket"] == "completed" and ids["waiter"] == "running"
    assert next(each for each in found if each["id"] == "order-1")["attributes"] == {"shop": "Ulm", "total": 42}


def test_list_keeps_to_its_conditions(journal: Path) -> None:
    def ids(*conditions: str) -> set[str]:
        return {each["id"] for each in data("workflow", "list", "--journal", journal, *conditions)}

    assert ids("--status", "failed", "--status", "terminated") == {"order-2", "quitter"}
    assert ids("--type", "count_down") == {"rocket"}
    assert ids("--attribute", "shop=Ulm", "--attribute", "total=42") == {"order-1"}
    assert ids("--attribute", 'total="42"') == set()
    assert ids("--started-before", "2020-01-01T00:00:00Z") == set()
    assert ids("--started-after", "1h", "--type", "refuse") == {"order-2"}
    assert len(ids("--limit", "2")) == 2


def test_an_empty_listing_is_an_empty_array_and_says_so_to_people(journal: Path) -> None:
    assert data("workflow", "list", "--journal", journal, "--type", "nothing") == []
    assert text("workflow", "list", "--journal", journal, "--type", "nothing") == "no workflows\n"


def test_tables_name_every_column_and_cut_nothing(journal: Path) -> None:
    table = text("workflow", "list", "--journal", journal)
    assert table.splitlines()[0].split() == ["id", "type", "status", "started", "(UTC)", "took", "attributes"]
    assert "shop=Ulm total=42" in table
    shown = at("workflow", "list", "--journal", journal, "-o", "table", "--limit", "1")
    assert "--limit N shows more" in shown.stderr


def test_count_counts_what_list_lists(journal: Path) -> None:
    assert data("workflow", "count", "--journal", journal) == {"count": len(data("workflow", "list", "--journal", journal))}
    assert text("workflow", "count", "--journal", journal, "--status", "failed") == "1\n"


def test_show_as_json_is_what_an_export_writes(journal: Path, tmp_path: Path) -> None:
    shown = at("workflow", "show", "order-1", "--journal", journal).stdout
    assert shown == at("workflow", "export", "order-1", "--journal", journal).stdout
    assert shown == at("journal", "export", journal, "order-1").stdout
    assert [json.loads(line)["seq"] for line in shown.splitlines()] == list(range(1, len(shown.splitlines()) + 1))
    done = at("workflow", "export", "order-1", "--journal", journal, "--to", tmp_path / "order-1.jsonl")
    assert done.exit_code == 0
    assert (tmp_path / "order-1.jsonl").read_text() == shown


def test_show_tells_people_what_happened(journal: Path) -> None:
    shown = text("workflow", "show", "order-1", "--journal", journal)
    assert 'ActivityScheduled      ordinal=1 type=charge input=["order-1", 4200]' in shown
    assert "failure=ValueError: the card reader is asleep" in shown
    assert "failure=ValueError: no [bold]stock[/bold]" in text("workflow", "show", "order-2", "--journal", journal)


def test_follow_goes_on_with_what_another_process_writes_until_it_is_interrupted(tmp_path: Path) -> None:
    """Read while the writer holds its lock (J5, J8)."""
    at("journal", "import", tmp_path / "j", "-", given="\n".join(lines(2)))
    command = command_of("workflow", "show", "order-1", "--follow", "--journal", tmp_path / "j", "-o", "table")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=unbuffered()) as process:
        assert process.stdout is not None and process.stderr is not None
        assert [process.stdout.readline().split()[-2:] for _ in range(3)]
        store = LmdbStore.open(tmp_path / "j")
        append(store, 2)
        assert "ActivityCompleted" in process.stdout.readline()
        store.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
        assert process.stderr.read() == ""


def append(store: LmdbStore, head: int) -> None:
    """Write the next event, as the engine in another process would."""
    assert store.apply([Append(KEY, head, encode_frame([raws()[head]]), 1)]) == [head + 1]


def unbuffered() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1"}


def test_describe_tells_of_the_newest_run(journal: Path) -> None:
    found = data("workflow", "describe", "rocket", "--journal", journal)
    assert (found["status"], found["type"], found["pending_activities"]) == ("completed", "count_down", [])
    assert "quarantine" not in text("workflow", "describe", "waiter", "--journal", journal)
    child = next(each["id"] for each in data("workflow", "list", "--journal", journal, "--type", "ship"))
    assert "order-1, its operation 2" in text("workflow", "describe", child, "--journal", journal)


def test_describe_lists_what_is_pending(tmp_path: Path) -> None:
    at("journal", "import", tmp_path / "j", "-", given="\n".join(lines(2)))
    (pending,) = data("workflow", "describe", "order-1", "--journal", tmp_path / "j")["pending_activities"]
    assert (pending["type"], pending["attempt"], pending["served"]) == ("charge", 1, True)
    assert "activities without an outcome" in text("workflow", "describe", "order-1", "--journal", tmp_path / "j")


def test_result_prints_the_value_and_exits_1_for_any_other_end(journal: Path) -> None:
    assert data("workflow", "result", "order-1", "--journal", journal) == ["receipt for order-1: 4200", "parcel of order-1"]
    assert text("workflow", "result", "rocket", "--journal", journal) == "lift off\n"
    assert "no [bold]stock[/bold]" in refusal("workflow", "result", "order-2", "--journal", journal)
    assert "enough" in refusal("workflow", "result", "quitter", "--journal", journal)
    assert "is open still after 0.1 s" in refusal("workflow", "result", "waiter", "--journal", journal, "--wait", "0.1")


def test_a_run_that_continued_is_told_with_its_successor(journal: Path) -> None:
    first = json.loads(at("workflow", "show", "rocket", "--journal", journal).stdout.splitlines()[0])["run_id"]
    assert "continued as run" in refusal("workflow", "result", "rocket", "--run-id", first, "--journal", journal)


@pytest.mark.parametrize("verb", ["show", "describe", "result", "export", "trace"])
def test_an_unknown_id_is_told_with_the_nearest_one(journal: Path, verb: str) -> None:
    said = refusal("workflow", verb, "ordr-1", "--journal", journal)
    assert "did you mean 'order-1'" in said
    assert "workflow list" in said


def test_what_is_no_journal_is_refused_in_one_line(tmp_path: Path) -> None:
    assert "no journal" in refusal("workflow", "list", "--journal", tmp_path)
    refusal("workflow", "list", "--journal", tmp_path / "nowhere", status=2)


def test_a_run_id_that_is_none_is_refused(journal: Path) -> None:
    assert "32 hexadecimal digits" in refusal("workflow", "result", "rocket", "--run-id", "xyz", "--journal", journal)
    assert "has no run" in refusal("workflow", "trace", "rocket", "--run-id", "00" * 16, "--journal", journal)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--status", "complted"), "did you mean 'completed'"),
        (("--started-after", "yesterday"), "a span such as 90m"),
        (("--started-after", "2026-01-31T12:00:00"), "offset"),
        (("--attribute", "shop"), "NAME=VALUE"),
        (("--attribute", 'shop={"$uuid": "x"}'), "$uuid"),
        (("--limt", "3"), "--limit"),
        (("--url", "http://localhost:1"), "two places"),
        (("--limit", "0"), "limit"),
    ],
)
def test_wrong_options_exit_2_and_say_what_is_right(journal: Path, args: tuple[str, ...], said: str) -> None:
    assert said in refusal("workflow", "list", "--journal", journal, *args, status=2)


def test_the_namespace_is_part_of_where_to_look(journal: Path) -> None:
    assert data("workflow", "list", "--journal", journal, "--namespace", "other") == []
    assert "namespace 'other'" in refusal("workflow", "describe", "order-1", "--journal", journal, "--namespace", "other")


def test_the_environment_names_the_journal_and_the_command_line_goes_before_it(journal: Path, tmp_path: Path) -> None:
    assert data("workflow", "count", env={"AION_JOURNAL": str(journal)})["count"] >= 5
    at("journal", "import", tmp_path / "j", "-", given="\n".join(lines()))
    assert data("workflow", "count", "--journal", tmp_path / "j", env={"AION_JOURNAL": str(journal)}) == {"count": 1}
    assert "cannot be reached" in refusal("workflow", "count", "--url", "http://127.0.0.1:9", env={"AION_JOURNAL": str(journal)})
