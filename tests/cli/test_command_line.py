"""The command as a program: help, usage, errors as one line with a hint, and life without the `cli` extra."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

from aion_trio.cli.commands import TABLE
from aion_trio.stores import LmdbStore
from tests.cli.histories import lines
from tests.cli.reference import PAGE, each_verb, with_table
from tests.cli.running import at, command_of, refusal


def run(*args: str | Path, before: str = "pass", given: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(command_of(*args, before=before), input=given, capture_output=True, text=True, check=False, timeout=50)


def test_the_command_alone_prints_what_it_can_do() -> None:
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"\n  {verb}  " in done.stdout for verb in TABLE)


def test_a_group_alone_prints_its_verbs() -> None:
    done = at("workflow")
    assert done.exit_code == 0
    assert "trace" in done.stdout and "Examples:" in done.stdout


@pytest.mark.parametrize("path", [path for path, _ in each_verb()], ids=" ".join)
def test_the_help_of_every_verb_says_what_it_does_and_has_an_example(path: tuple[str, ...]) -> None:
    verb = dict(each_verb())[path]
    assert verb.help and verb.examples
    assert all(f" {example}".find(" " + " ".join(path)) >= 0 for example in verb.examples)
    if path == ("bench",):
        return  # its options, and its help, are those of the benchmarks
    done = at(*path, "--help")
    assert done.exit_code == 0
    assert f"Examples:\n  aion-trio {verb.examples[0]}\n" in done.stdout


@pytest.mark.parametrize("path", [path for path, _ in each_verb()], ids=" ".join)
def test_examples_name_options_that_exist(path: tuple[str, ...]) -> None:
    verb = dict(each_verb())[path]
    known = {name for parameter in verb.params for name in parameter.opts} | {"--help"}
    for example in verb.examples:
        own = example.partition("|")[0]
        assert {word for word in own.split() if word.startswith("-") and word != "-"} <= known


def test_the_page_of_the_command_line_lists_every_verb_as_it_is() -> None:
    """`python -m tests.cli.reference` writes the table."""
    page = PAGE.read_text()
    assert page == with_table(page)


def test_wrong_usage_exits_2_and_says_what_was_meant() -> None:
    assert "there is no verb 'fly'" in refusal("fly", status=2)
    assert "did you mean 'workflow'" in refusal("workflows", status=2)
    assert "did you mean 'verify'" in refusal("journal", "verfy", status=2)
    assert "Did you mean" in refusal("journal", "stats", "--ouput", "json", status=2)
    assert "many" in refusal("demo", "--kills", "many", status=2)
    assert "does not exist" in refusal("journal", "verify", "/no/such/directory", status=2)
    assert "Missing argument" in refusal("workflow", "describe", status=2)


def test_a_reader_that_goes_away_is_no_fault(journal: Path) -> None:
    """As in `aion-trio workflow show … | head -1`."""
    command = command_of("workflow", "show", "order-1", "--journal", journal)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.wait(20) == 1
    assert process.stderr.read() == b""
    process.stderr.close()


def test_completion_prints_a_script_and_completes_verbs() -> None:
    for shell in ("zsh", "fish"):
        assert "_AION_TRIO_COMPLETE" in at("completion", shell).stdout
    asked = "import os; os.environ.update(_AION_TRIO_COMPLETE='zsh_complete', COMP_WORDS='aion-trio workflow t', COMP_CWORD='2')"
    done = run(before=asked)
    assert [line for line in done.stdout.splitlines() if line.startswith("t")] == ["trace", "terminate"]


def test_without_httpx2_or_starlette_a_verb_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name in ("httpx2", "uvicorn") else find(name, *a))
    for args, extra in ((("workflow", "list"), "client"), (("serve", "x"), "daemon"), (("dev", "x"), "daemon")):
        assert f"pip install 'aion-trio[{extra}]'" in refusal(*args, status=2)


def test_with_the_extra_cli_alone_the_command_works() -> None:
    """A module that is None in `sys.modules` cannot be imported, as if it were not installed."""
    others = "starlette", "uvicorn", "h11", "prometheus_client", "httpx2", "opentelemetry"
    done = run(before=f"sys.modules.update(dict.fromkeys({others!r}))")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\n  serve  " in done.stdout


def test_without_the_extra_the_command_says_what_to_install_and_exits_2() -> None:
    hide = "import importlib.util as u; find = u.find_spec; u.find_spec = lambda name, *a: None if name == 'rich' else find(name, *a)"
    done = run(before=hide)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'aion-trio[cli]'" in done.stderr


def test_reading_commands_work_beside_a_writer_and_writing_ones_get_one_line_and_a_hint(tmp_path: Path) -> None:
    """Readers in other processes are welcome; a second writer is told who holds the lock (J8)."""
    writer = LmdbStore.open(tmp_path / "j")
    assert run("journal", "stats", tmp_path / "j").returncode == 0
    refused = run("journal", "import", tmp_path / "j", "-", given="\n".join(lines()))
    writer.close()
    assert (refused.returncode, refused.stdout) == (1, "")
    message, hint = refused.stderr.splitlines()
    assert message.startswith("aion-trio: ")
    assert str(os.getpid()) in message
    assert hint.startswith("hint: ")


def test_a_directory_for_the_demo_that_holds_something_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Ada")
    done = run("demo", "--keep", tmp_path)
    assert done.returncode == 2
    assert "not empty" in done.stderr
