"""Journals that are made of recorded appends are journals that the engine could have written."""

from __future__ import annotations

import ast
from contextlib import closing
from pathlib import Path

from aion_trio.runs.record import load
from aion_trio.stores import LmdbStore, WorkflowKey
from benchmarks import peers, replay, workloads
from benchmarks.recorded import NAME, Template, record, write_many
from benchmarks.recovery import recovered


def test_a_template_gives_each_workflow_an_id_and_a_run_of_its_own(tmp_path: Path) -> None:
    template = Template.of(record(workloads.one_step, 1))
    write_many(tmp_path / "j", template, range(3))
    with closing(LmdbStore.open(tmp_path / "j", read_only=True)) as store:
        assert store.verify() == []
        runs = [store.runs(WorkflowKey("default", f"w{number:07}"))[0].run_id for number in range(3)]
    assert runs == [number.to_bytes(16, "big") for number in range(3)]


def test_what_a_template_leaves_owed_is_recovered(tmp_path: Path) -> None:
    write_many(tmp_path / "j", Template.of(record(workloads.has_child, 1), 1), range(5))
    swept, finished = recovered(tmp_path / "j", 0)
    assert 0 < swept.wall_s <= finished.wall_s


def test_a_recorded_history_replays_from_lmdb_and_its_inputs_are_known(tmp_path: Path) -> None:
    shape = next(shape for shape in replay.SHAPES if shape.name == "children")
    disk = replay.OnDisk(tmp_path, replay.recorded(shape, 3))
    with closing(LmdbStore.open(disk.path, read_only=True)) as store:
        disk.replay(store)
        assert load(replay.services_of(store), NAME).exists
    disk.floor()
    disk.bare.close()
    assert [arguments for _, arguments in disk.inputs] == [(0,), (1,), (2,)]


def test_the_scripts_of_peers_import_nothing_of_this_package() -> None:
    scripts = sorted(Path(peers.__file__).parent.glob("*_script.py"))
    assert len(scripts) == 4
    for script in scripts:
        imported = [node for node in ast.walk(ast.parse(script.read_text())) if isinstance(node, ast.ImportFrom | ast.Import)]
        names = {alias.name for node in imported for alias in node.names} | {getattr(node, "module", "") for node in imported}
        assert not any(str(name).startswith(("benchmarks", "aion_trio")) for name in names)
        assert not any(getattr(node, "level", 0) for node in imported)
